/* hooksctl status: reads the segment, changes nothing, needs no answer from anybody. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/data_dir.h"
#include "base/pid_lock.h"
#include "cli/commands.h"
#include "shm/heartbeat.h"
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
	static const char *const names[] = {"connecting", "ready", "unavailable", "spooling"};

	return state < sizeof names / sizeof *names ? names[state] : "unknown";
}

static void
print_process(const struct segment *segment, const struct config *config, bool running, const char *role,
    uint32_t index, const struct process_slot *slot)
{
	bool writer = slot >= segment_writer(segment, 0);
	uint32_t first = writer ? COUNTER_RESTARTS_WRITER : COUNTER_RESTARTS_ACCEPTOR;
	uint64_t restarts = 0;
	bool silent = running && slot->pid != 0 &&
		      heartbeat_late(&slot->alive_until_us, config->stuck_after_seconds, clock_steady_us());
	int64_t up = running && slot->pid != 0 ? (clock_steady_us() - slot->started_us) / 1000000 : 0;

	for (uint32_t death = 0; death < DEATHS; death++)
		restarts += slot->counters[first + death];
	printf("%s-%-*" PRIu32 " %8d  %-9s %8" PRId64 "  %-10s %8" PRIu64 "%s%s\n", role, (int)(14 - (writer ? 7 : 9)),
	    index, slot->pid, silent ? "silent" : state_name(slot->state), up,
	    writer ? store_name(slot->store_state) : "-", restarts, writer && slot->store_error[0] != '\0' ? "  " : "",
	    writer ? slot->store_error : "");
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

/* Opens the file of a ring that has lost its name, by a descriptor of its master's. Returns 0 or <0. */
static int
open_unnamed(struct segment *segment, pid_t master, const char *ring_path)
{
	const char *slash = strrchr(ring_path, '/');
	char directory[64], wanted[PATH_MAX], link[PATH_MAX], path[PATH_MAX];
	const struct dirent *entry;
	struct error err;
	int rc = -1;

	(void)snprintf(directory, sizeof directory, "/proc/%d/fd", (int)master);
	(void)snprintf(wanted, sizeof wanted, "/%s (deleted)", slash != NULL ? slash + 1 : ring_path);
	DIR *descriptors = opendir(directory);
	if (descriptors == NULL)
		return -1;
	while (rc != 0 && (entry = readdir(descriptors)) != NULL) {
		ssize_t len = readlinkat(dirfd(descriptors), entry->d_name, link, sizeof link - 1);
		ssize_t end = len - (ssize_t)strlen(wanted);

		if (end < 0 || memcmp(link + end, wanted, strlen(wanted)) != 0)
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
		rc = segment_open_readonly(segment, path, &err);
	}
	closedir(descriptors);
	return rc;
}

/* The ring at RING_PATH, or else that of the hooksd that has DATA_DIR. Returns 0, or <0 and says why. */
static int
find_ring(struct segment *segment, const struct config *config)
{
	char lock[PATH_MAX];
	struct error err, ignored;
	pid_t holder = 0;

	if (segment_open_readonly(segment, config->ring_path, &err) == 0)
		return 0;
	if (data_dir_lock_path(config->data_dir, lock, &ignored) == 0)
		holder = pid_lock_holder(lock);
	if (holder > 0 && open_unnamed(segment, holder, config->ring_path) == 0)
		return 0;
	fprintf(stderr, "hooksctl status: %s\n", err.text);
	if (holder > 0)
		fprintf(stderr,
		    "hooksctl status: but pid %d has DATA_DIR=%s: if that is hooksd, it has another RING_PATH or PORT, "
		    "or its ring file was moved away while it runs, which its /health says; restart it then\n",
		    (int)holder, config->data_dir);
	return -1;
}

int
command_status(const struct config *config, char *const *words)
{
	struct segment segment;
	bool running;

	if (find_ring(&segment, config) != 0)
		return COMMAND_FAILED;
	running = kill(segment.header->master_pid, 0) == 0 || errno == EPERM;
	printf("hooksd %.*s  master %d (%s%s%s)  up %" PRId64 " s  ring %s, %" PRIu64 " bytes, %" PRIu64
	       " events waiting\n\n",
	    (int)sizeof segment.header->version, segment.header->version, segment.header->master_pid,
	    running ? "running" : "not running: these are the last words of the previous run",
	    running && segment.header->draining != 0 ? ", draining" : "",
	    running && segment.header->file_gone != 0 ? ", its ring file is gone: restart it" : "",
	    running ? (clock_steady_us() - segment.header->started_us) / 1000000 : 0, config->ring_path,
	    segment.header->file_bytes, segment_events_waiting(&segment));

	printf("PROCESS             PID  STATE       UP (s)  STORE      RESTARTS\n");
	for (uint32_t a = 0; a < segment.acceptors; a++)
		print_process(&segment, config, running, "acceptor", a, segment_acceptor(&segment, a));
	for (uint32_t w = 0; w < segment.writers; w++)
		print_process(&segment, config, running, "writer", w, segment_writer(&segment, w));
	print_lanes(&segment);

	printf("\nMETRICS\n");
	metrics_write(stdout, &segment, METRICS_PLAIN);
	segment_close(&segment);
	if (fflush(stdout) == 0)
		return COMMAND_OK;
	fprintf(stderr, "hooksctl status: cannot write: %s\n", strerror(errno));
	return COMMAND_FAILED;
}
