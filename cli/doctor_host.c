/* Checks the machine: shared memory, abandoned rings in it, descriptors, and the clock. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include "cli/doctor.h"
#include "shm/segment.h"

/* Descriptors besides connections: sockets, rings, logs, channels between processes. */
#define OTHER_DESCRIPTORS 100

static uint64_t
allocated(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

static void
check_memory(const struct doctor *doctor, const char *directory)
{
	const struct config *config = doctor->config;
	uint64_t need = config->ring_bytes + (config_api_is_on(config) ? config->hl_ring_bytes : 0);
	char wants[DOCTOR_SIZE_BYTES], has[DOCTOR_SIZE_BYTES];
	struct statvfs disk;

	if (statvfs(directory, &disk) != 0) {
		doctor_fail(doctor->out, CHECK_HOST_MEMORY, "name a directory that is there in RING_PATH", "%s: %s",
		    directory, strerror(errno));
		return;
	}
	uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize + allocated(config->ring_path);
	(void)doctor_size(need, wants);
	(void)doctor_size(room, has);
	if (room < need)
		doctor_fail(doctor->out, CHECK_HOST_MEMORY,
		    "enlarge it (docker, podman: --shm-size), or set smaller RING_BYTES, HL_RING_BYTES, or another "
		    "RING_PATH",
		    "%s has %s for a ring of %s", directory, has, wants);
	else
		doctor_ok(doctor->out, CHECK_HOST_MEMORY, "%s has %s for a ring of %s", directory, has, wants);
}

static bool
lives(const struct segment *segment)
{
	return kill(segment->header->master_pid, 0) == 0 || errno == EPERM;
}

static uint64_t
waiting(const struct segment *segment)
{
	return segment_waiting(segment, BOOKS_EVENTS) + segment_waiting(segment, BOOKS_MESSAGES);
}

static void
check_ring(const struct doctor *doctor)
{
	const char *path = doctor->config->ring_path;
	struct segment segment;
	struct error err;
	struct stat st;

	if (stat(path, &st) != 0 && errno == ENOENT) {
		doctor_ok(doctor->out, CHECK_HOST_RING, "%s is not there: a start makes it", path);
		return;
	}
	if (segment_open_readonly(&segment, path, &err) != 0) {
		doctor_warn(doctor->out, CHECK_HOST_RING,
		    "run doctor as the user of hooksd; a start sets a ring aside that it cannot read", "%s", err.text);
		return;
	}
	if (lives(&segment) && segment_file_gone(segment.header))
		doctor_fail(doctor->out, CHECK_HOST_RING, "restart hooksd", "%s was replaced while hooksd runs", path);
	else if (lives(&segment))
		doctor_ok(
		    doctor->out, CHECK_HOST_RING, "%s is that of the running pid %d", path, segment.header->master_pid);
	else if (waiting(&segment) > 0)
		doctor_warn(doctor->out, CHECK_HOST_RING, "start hooksd with this RING_PATH: it stores them",
		    "%s holds %" PRIu64 " events, and its hooksd is gone", path, waiting(&segment));
	else
		doctor_ok(doctor->out, CHECK_HOST_RING, "%s is left from an earlier run, and empty", path);
	segment_close(&segment);
}

/* Finds other rings in this directory whose hooksd is gone. */
static void
check_other_rings(const struct doctor *doctor, const char *directory)
{
	DIR *dir = opendir(directory);
	const struct dirent *entry;
	unsigned orphans = 0;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char path[PATH_MAX], size[DOCTOR_SIZE_BYTES];
		struct segment segment;
		struct error err;

		(void)snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
		if (strncmp(entry->d_name, "hooksd-", 7) != 0 || strcmp(path, doctor->config->ring_path) == 0 ||
		    segment_open_readonly(&segment, path, &err) != 0)
			continue;
		if (!lives(&segment)) {
			orphans++;
			doctor_warn(doctor->out, CHECK_HOST_RINGS,
			    "start a hooksd with that RING_PATH, which stores them; remove the file if it is empty",
			    "%s (%s) has no hooksd, and %" PRIu64 " events", path, doctor_size(allocated(path), size),
			    waiting(&segment));
		}
		segment_close(&segment);
	}
	if (dir != NULL)
		closedir(dir);
	if (orphans == 0)
		doctor_ok(doctor->out, CHECK_HOST_RINGS, "none in %s without its hooksd", directory);
}

/* The limit of descriptors of that process; 0: unknown. */
static uint64_t
limit_of(pid_t pid)
{
	char path[64], line[256];
	uint64_t soft, hard = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
	FILE *file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, "Max open files %" SCNu64 " %" SCNu64, &soft, &hard) == 2)
			break;
	if (file != NULL)
		fclose(file);
	return hard;
}

static void
check_descriptors(const struct doctor *doctor)
{
	pid_t master = doctor_master(doctor->config);
	uint64_t need = (uint64_t)doctor->config->max_connections + OTHER_DESCRIPTORS;
	uint64_t has = master > 0 ? limit_of(master) : 0;
	const char *whose = has > 0 ? "the running hooksd" : "this shell";
	struct rlimit own;

	if (has == 0 && getrlimit(RLIMIT_NOFILE, &own) == 0)
		has = own.rlim_max;
	if (has < need)
		doctor_warn(doctor->out, CHECK_HOST_DESCRIPTORS,
		    "raise LimitNOFILE= or ulimit -Hn, or set a smaller MAX_CONNECTIONS",
		    "%s may have %" PRIu64 " descriptors, and MAX_CONNECTIONS=%" PRIu32 " wants %" PRIu64, whose, has,
		    doctor->config->max_connections, need);
	else
		doctor_ok(doctor->out, CHECK_HOST_DESCRIPTORS,
		    "%s may have %" PRIu64 ", and MAX_CONNECTIONS wants %" PRIu64, whose, has, need);
}

static void
check_clock(const struct doctor *doctor)
{
	struct timex clock = {.modes = 0};
	int state = adjtimex(&clock);

	if (state < 0)
		doctor_ok(doctor->out, CHECK_HOST_CLOCK, "the kernel does not tell: %s", strerror(errno));
	else if (state == TIME_ERROR || (clock.status & STA_UNSYNC) != 0)
		doctor_warn(doctor->out, CHECK_HOST_CLOCK,
		    "run a time service (chrony, systemd-timesyncd) on this machine",
		    "nothing keeps the clock synchronised");
	else
		doctor_ok(doctor->out, CHECK_HOST_CLOCK, "synchronised, to within %ld ms", clock.maxerror / 1000);
}

void
doctor_host(const struct doctor *doctor)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s", doctor->config->ring_path);
	const char *directory = dirname(path);
	check_memory(doctor, directory);
	check_ring(doctor);
	check_other_rings(doctor, directory);
	check_descriptors(doctor);
	check_clock(doctor);
}
