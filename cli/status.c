/* hooksctl status: reads the segment, changes nothing, needs no answer from anybody. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "shm/metrics.h"
#include "shm/segment.h"

static const char *
state_name(uint32_t state)
{
	static const char *const names[] = {"down", "starting", "ready", "draining"};

	return state < sizeof names / sizeof *names ? names[state] : "unknown";
}

static const char *
store_name(uint32_t state)
{
	static const char *const names[] = {"connecting", "ready", "away", "spooling"};

	return state < sizeof names / sizeof *names ? names[state] : "unknown";
}

static void
print_process(const struct segment *segment, const char *role, uint32_t index, const struct process_slot *slot)
{
	bool writer = slot >= segment_writer(segment, 0);
	uint32_t first = writer ? COUNTER_RESTARTS_WRITER : COUNTER_RESTARTS_ACCEPTOR;
	uint64_t restarts = 0;
	int64_t up = slot->pid != 0 ? (clock_wall_us() - slot->started_us) / 1000000 : 0;

	for (uint32_t death = 0; death < DEATHS; death++)
		restarts += slot->counters[first + death];
	printf("%s-%-*" PRIu32 " %8d  %-9s %8" PRId64 "  %-10s %8" PRIu64 "%s%s\n", role, (int)(14 - (writer ? 7 : 9)),
	    index, slot->pid, state_name(slot->state), up, writer ? store_name(slot->store_state) : "-", restarts,
	    writer && slot->store_error[0] != '\0' ? "  " : "", writer ? slot->store_error : "");
}

static void
print_lanes(const struct segment *segment)
{
	printf("\nLANES          requests      bytes   capacity\n");
	for (uint32_t a = 0; a < segment->acceptors; a++)
		for (uint32_t w = 0; w < segment->writers; w++) {
			struct lane lane = segment_lane(segment, a, w);
			char name[32];

			(void)snprintf(name, sizeof name, "%" PRIu32 " -> %" PRIu32, a, w);
			printf("%-14s %8" PRIu32 " %10" PRIu64 " %10" PRIu64 "\n", name, lane_depth(&lane),
			    lane_bytes_used(&lane), segment->header->arena_bytes);
		}
}

int
command_status(const struct config *config, char *const *words)
{
	struct segment segment;
	struct error err;
	bool running;

	if (segment_open_readonly(&segment, config->ring_path, &err) != 0) {
		fprintf(stderr, "hooksctl status: %s\n", err.text);
		return COMMAND_FAILED;
	}
	running = kill(segment.header->master_pid, 0) == 0 || errno == EPERM;
	printf("hooksd %.*s  master %d (%s%s)  up %" PRId64 " s  ring %s, %" PRIu64 " bytes, %" PRIu64
	       " events waiting\n\n",
	    (int)sizeof segment.header->version, segment.header->version, segment.header->master_pid,
	    running ? "running" : "not running: these are the last words of the previous run",
	    running && segment.header->draining != 0 ? ", draining" : "",
	    (clock_wall_us() - segment.header->started_us) / 1000000, config->ring_path, segment.header->file_bytes,
	    segment_events_waiting(&segment));

	printf("PROCESS             PID  STATE       UP (s)  STORE      RESTARTS\n");
	for (uint32_t a = 0; a < segment.acceptors; a++)
		print_process(&segment, "acceptor", a, segment_acceptor(&segment, a));
	for (uint32_t w = 0; w < segment.writers; w++)
		print_process(&segment, "writer", w, segment_writer(&segment, w));
	print_lanes(&segment);

	printf("\nMETRICS\n");
	metrics_write(stdout, &segment, METRICS_PLAIN);
	segment_close(&segment);
	return COMMAND_OK;
}
