/* hooksctl status: reads the segment, changes nothing, and waits for no other process. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/ring_find.h"
#include "cli/terminal_text.h"
#include "shm/counters.h"
#include "shm/heartbeat.h"
#include "shm/metrics.h"
#include "shm/segment.h"

static void
print_process(const struct segment *segment, const struct config *config, bool running, enum role role, uint32_t index)
{
	const struct process_slot *slot = segment_slot(segment, role, index);
	const char *store = "-";
	char name[32], error[ERROR_TEXT_MAX] = "", *shown;
	uint64_t restarts = 0;
	bool lives = running && slot_pid(slot) != 0;
	bool silent = lives && heartbeat_late(slot, config->stuck_after_seconds, clock_steady_us());
	int64_t up = lives ? (clock_steady_us() - slot_started_us(slot)) / 1000000 : 0;

	for (int death = 0; death < DEATHS; death++)
		restarts += counter_read(slot, counter_of_restarts(role, death));
	if (role != ROLE_ACCEPTOR) {
		store = store_state_name(store_report_state(&slot->store));
		store_report_error(&slot->store, error);
	}
	shown = terminal_text(error);
	(void)snprintf(name, sizeof name, "%s-%" PRIu32, role_table[role].name, index);
	printf("%-15s %8d  %-9s %8" PRId64 "  %-10s %8" PRIu64 "%s%s\n", name, slot_pid(slot),
	    silent ? "silent" : process_state_name(slot_state(slot)), up, store, restarts, shown[0] != '\0' ? "  " : "",
	    shown);
	free(shown);
}

static void
print_lane(const struct segment *segment, enum lane_group group, uint32_t from, uint32_t to)
{
	struct lane lane = segment_lane(segment, group, from, to);
	char name[32];

	(void)snprintf(name, sizeof name, "%" PRIu32 " -> %" PRIu32, from, to);
	printf("%-14s %8" PRIu32 " %10" PRIu64 " %10" PRIu64 "\n", name, lane_depth(&lane), lane_bytes_used(&lane),
	    lane.arena_bytes);
}

static void
print_lanes(const struct segment *segment)
{
	for (int g = 0; g < LANE_GROUPS; g++) {
		enum role from = lane_group_table[g].from, to = lane_group_table[g].to;

		if (role_lanes_of(segment->counts, g) == 0)
			continue;
		printf("\nLANES: %s -> %s\n%-14s %8s %10s %10s\n", role_table[from].name, role_table[to].name, "",
		    "requests", "bytes", "capacity");
		for (uint32_t i = 0; i < segment->counts[from]; i++)
			for (uint32_t j = 0; j < segment->counts[to]; j++)
				if (from != to || i == j)
					print_lane(segment, g, i, j);
	}
}

int
command_status(const struct config *config, char *const *words)
{
	struct segment segment;
	bool running;

	if (ring_find(&segment, config, "status") != 0)
		return COMMAND_FAILED;
	running = kill(segment.header->master_pid, 0) == 0 || errno == EPERM;
	printf("hooksd %.*s  master %d (%s%s%s)  up %" PRId64 " s  ring %s, %" PRIu64 " bytes, %" PRIu64
	       " events waiting\n\n",
	    (int)sizeof segment.header->version, segment.header->version, segment.header->master_pid,
	    running ? "running" : "not running: these are the last words of the previous run",
	    running && segment_draining(segment.header) ? ", draining" : "",
	    running && segment_file_gone(segment.header) ? ", its ring file is gone: restart it" : "",
	    running ? (clock_steady_us() - segment.header->started_us) / 1000000 : 0, config->ring_path,
	    segment.header->file_bytes,
	    segment_waiting(&segment, BOOKS_EVENTS) + segment_waiting(&segment, BOOKS_MESSAGES));

	printf("PROCESS             PID  STATE       UP (s)  STORE      RESTARTS\n");
	for (int r = 0; r < ROLES; r++)
		for (uint32_t i = 0; i < segment.counts[r]; i++)
			print_process(&segment, config, running, r, i);
	print_lanes(&segment);

	printf("\nMETRICS\n");
	metrics_write(stdout, &segment, METRICS_PLAIN);
	segment_close(&segment);
	if (fflush(stdout) == 0)
		return COMMAND_OK;
	fprintf(stderr, "hooksctl status: cannot write: %s\n", strerror(errno));
	return COMMAND_FAILED;
}
