/*
 * Making a segment, or adopting the one that a previous run has left: with its events, if it has any, and with what it
 * has counted. A file whose numbers do not give its own size is not adopted.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/version.h"
#include "shm/old_ring.h"
#include "shm/segment_layout.h"
#include "shm/settle.h"

void
segment_boot_id(char out[BOOT_ID_BYTES])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, BOOT_ID_BYTES - 1);

	out[n > 0 && out[n - 1] == '\n' ? n : 0] = '\0'; /* all of it, or nothing */
	if (fd >= 0)
		close(fd);
}

/* Fills in the shape that config asks for. */
static int
plan(const struct config *config, struct segment_header *h, struct error *err)
{
	memset(h, 0, sizeof *h);
	memcpy(h->magic, SEGMENT_UNFINISHED, sizeof h->magic);
	segment_boot_id(h->boot_id);
	role_counts(config, h->counts);

	uint64_t lanes = role_lanes(h->counts);
	uint64_t per_lane = config->ring_bytes / lanes;

	/* A descriptor for every 512 bytes: single small events fill the arena before they fill the slots. */
	h->lane_slots = 64;
	while (h->lane_slots < 65536 && (uint64_t)h->lane_slots * 1024 <= per_lane)
		h->lane_slots *= 2;
	h->file_bytes = config->ring_bytes;

	uint64_t fixed = segment_layout(h).arenas; /* arena_bytes is 0 so far */

	if (config->ring_bytes < fixed + lanes * 2 * PAGE)
		return error_set(err,
		    "RING_BYTES=%llu is too small for %llu lanes (ACCEPTORS * WRITERS): allow at least %llu",
		    (unsigned long long)config->ring_bytes, (unsigned long long)lanes,
		    (unsigned long long)(fixed + lanes * 64 * 1024));
	h->arena_bytes = (config->ring_bytes - fixed) / lanes / PAGE * PAGE;
	return 0;
}

static bool
read_header(int fd, struct segment_header *h)
{
	return pread(fd, h, sizeof *h, 0) == (ssize_t)sizeof *h &&
	       memcmp(h->magic, SEGMENT_MAGIC, sizeof h->magic) == 0;
}

/* The pid of the master that wrote the header, also of an older version; 0: there is no header. */
static pid_t
master_of(int fd)
{
	struct segment_header h;

	return read_header(fd, &h) ? h.master_pid : old_ring_master_pid(fd);
}

/* Whether that process existed and is gone. */
static bool
is_dead(pid_t pid)
{
	return pid > 0 && kill(pid, 0) != 0 && errno == ESRCH;
}

/*
 * Takes the file's lock. The children of a killed master die with it, but not in the same instant: while the lock is
 * still held although the master is gone, give them a moment. 0, or <0 with errno.
 */
static int
lock_or_wait(int fd)
{
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
		if (errno != EWOULDBLOCK)
			return -1;
		if (tries == 500 || !is_dead(master_of(fd))) {
			errno = EWOULDBLOCK;
			return -1;
		}
		(void)nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
	}
	return 0;
}

/* Whether the file has record locks, too: segment_append_lock() cannot do without. 0, or <0 with errno. */
static int
try_append_lock(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	if (fcntl(fd, F_SETLK, &lock) != 0)
		return -1;
	lock.l_type = F_UNLCK;
	return fcntl(fd, F_SETLK, &lock);
}

/* Why the lock could not be taken. */
static int
cannot_lock(int fd, const char *path, struct error *err)
{
	if (errno != EWOULDBLOCK)
		return error_errno(
		    err, "cannot lock the ring file %s (RING_PATH): put it into /dev/shm, which has locks", path);
	return error_set(err,
	    "the ring file %s is in use by another hooksd (master pid %d): stop it first, or give this one its own "
	    "PORT or RING_PATH",
	    path, (int)master_of(fd));
}

int
segment_lock_file(const char *path, struct error *err)
{
	for (;;) {
		struct stat opened;
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			return error_errno(err, "cannot open the ring file %s (RING_PATH)", path);
		/* Of both kinds: the children's writers take the other one. */
		if (lock_or_wait(fd) != 0 || try_append_lock(fd) != 0) {
			(void)cannot_lock(fd, path, err);
			close(fd);
			return -1;
		}
		if (fstat(fd, &opened) == 0 && !S_ISREG(opened.st_mode)) {
			close(fd);
			return error_set(err, "RING_PATH=%s is not a regular file", path);
		}
		if (files_named(fd, path))
			return fd;
		close(fd); /* its owner removed it between open and flock */
	}
}

static int
create(struct segment *segment, int fd, const struct segment_header *planned, const char *path, struct error *err)
{
	struct segment_layout l = segment_layout(planned);
	ssize_t written;
	int failed;

	if (ftruncate(fd, 0) != 0)
		return error_errno(err, "cannot empty the ring file %s", path);
	/*
	 * The unfinished header first: a master killed from here on leaves a file that the next one knows for its own.
	 * Then all of it reserved, so that a full /dev/shm is an error message here and not a SIGBUS later.
	 */
	written = pwrite(fd, planned, sizeof *planned, 0);
	if (written == (ssize_t)sizeof *planned)
		failed = posix_fallocate(fd, 0, (off_t)planned->file_bytes);
	else
		failed = written < 0 ? errno : ENOSPC;
	if (failed != 0) {
		(void)!ftruncate(fd, planned->counts_on ? (off_t)sizeof *planned : 0);
		errno = failed;
		return error_errno(err,
		    "cannot reserve %llu bytes for the ring at %s: free some, enlarge /dev/shm "
		    "(docker, podman: --shm-size), or set a smaller RING_BYTES or another RING_PATH",
		    (unsigned long long)planned->file_bytes, path);
	}
	if (segment_map(segment, fd, l.arenas, PROT_READ | PROT_WRITE, err) != 0)
		return -1;
	for (uint32_t n = 0; n < segment_lane_count(segment); n++) {
		struct lane lane = segment_lane_at(segment, n);

		lane_init(&lane, planned->lane_slots, 0, 0);
	}
	memcpy(segment->header->magic, SEGMENT_MAGIC, sizeof segment->header->magic);
	return 0;
}

static bool
lanes_valid(const struct segment *segment)
{
	for (uint32_t n = 0; n < segment_lane_count(segment); n++) {
		struct lane lane = segment_lane_at(segment, n);

		if (!lane_valid(&lane, segment->header->lane_slots))
			return false;
	}
	for (uint32_t w = 0; w < segment->counts[ROLE_WRITER]; w++)
		if (!settle_ledger_valid(segment, w))
			return false;
	return true;
}

static int
set_aside(const char *path, struct error *err)
{
	struct error why;
	char aside[PATH_MAX];

	if (files_set_aside(path, aside, &why) != 0)
		return error_set(err, "%s is not a ring file this hooksd can read: %s", path, why.text);
	log_warning("the ring file is damaged or of another version: set aside, starting with a new one",
	    LOG_STR("path", path), LOG_STR("set_aside_as", aside));
	return 0;
}

static void
after_restart_of_the_machine(const struct segment *segment)
{
	uint64_t accounted = segment_events_waiting(segment);

	log_warning(
	    "the machine has restarted since the ring was last used: events on it may be damaged or stored twice",
	    LOG_UINT("events_waiting", accounted));
	for (uint32_t w = 0; w < segment->counts[ROLE_WRITER]; w++) {
		struct ledger *ledger = &segment_writer(segment, w)->ledger;

		for (int file = 0; file < APPEND_FILES; file++)
			ledger_append_failed(ledger, file, true);
		accounted += ledger_page(ledger)->spool_events;
	}
	for (int c = COUNTER_STORED; c <= COUNTER_DISCARDED; c++)
		accounted += segment_counter_sum(segment, c);
	segment->header->earlier[COUNTER_RECEIVED] += accounted - segment_counter_sum(segment, COUNTER_RECEIVED);
}

/* The clients of the run before are gone, and do not know what has become of their events: those are kept. */
static void
nobody_waits(const struct segment *segment)
{
	for (uint32_t n = 0; n < segment_lane_count(segment); n++) {
		struct lane lane = segment_lane_at(segment, n);

		lane_set_flag(&lane, lane_released(&lane) + lane_depth(&lane), LANE_AWAITED, false);
	}
}

/* Returns 1 when the file at fd was adopted, 0 when a new segment is to be made in it, 2 when it must be set aside. */
static int
try_adopt(struct segment *segment, int fd, struct segment_header *planned, struct error *err)
{
	struct segment_header old = {0};
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return error_errno(err, "cannot stat the ring file");
	if (st.st_size == 0)
		return 0;
	n = pread(fd, &old, sizeof old, 0);
	/* What cannot be read now may be whole: it must not be set aside, with the events in it, for damaged. */
	if (n < 0)
		return error_errno(err, "cannot read the ring file");
	if (n < (ssize_t)sizeof old && n < st.st_size)
		return error_set(err, "cannot read the ring file: only %zd bytes came", n);
	if (n == (ssize_t)sizeof old && memcmp(old.magic, SEGMENT_UNFINISHED, sizeof old.magic) == 0) {
		planned->counts_on = old.counts_on;
		memcpy(planned->earlier, old.earlier, sizeof old.earlier);
		return 0;
	}
	if (n != (ssize_t)sizeof old || !segment_plausible(&old, (uint64_t)st.st_size))
		return 2;
	if (segment_map(segment, fd, segment_layout(&old).arenas, PROT_READ | PROT_WRITE, err) != 0)
		return -1;
	if (!lanes_valid(segment)) {
		munmap(segment->header, segment->mapped_bytes);
		return 2;
	}

	/* What was committed before the crash is released now: another sink may be the next to store. */
	for (uint32_t w = 0; w < segment->counts[ROLE_WRITER]; w++)
		settle_lanes(segment, w);
	/* Where that could not be read, nothing is known: an open append must not be forgotten. */
	if (old.boot_id[0] != '\0' && planned->boot_id[0] != '\0' &&
	    strncmp(old.boot_id, planned->boot_id, sizeof old.boot_id) != 0)
		after_restart_of_the_machine(segment);

	nobody_waits(segment);

	uint64_t waiting = segment_events_waiting(segment);
	bool same = memcmp(old.counts, planned->counts, sizeof old.counts) == 0 &&
		    old.file_bytes == planned->file_bytes && old.arena_bytes == planned->arena_bytes;

	if (!same && settle_finished(segment)) {
		uint64_t counters[COUNTERS];

		for (int c = 0; c < COUNTERS; c++)
			counters[c] = segment_counter_sum(segment, c);
		segment_count_from(planned, counters);
		planned->counts_on = 1;
		munmap(segment->header, segment->mapped_bytes);
		return 0;
	}
	log_info("adopted the ring of the previous run", LOG_UINT("events_waiting", waiting));
	if (!same)
		log_warning(
		    "the previous run's events are in a ring of another shape: keeping that shape until the next start",
		    ROLE_COUNT_FIELDS(old.counts), LOG_UINT("ring_bytes", old.file_bytes));
	return 1;
}

/* Where to look for an append that is open, also when this run has another JSONL_PATH. */
static void
remember_jsonl_path(const struct segment *segment, const char *path)
{
	struct segment_header *h = segment->header;

	for (uint32_t w = 0; w < segment->counts[ROLE_WRITER]; w++)
		if (ledger_append_open(&segment_writer(segment, w)->ledger, APPEND_JSONL))
			return;
	if (snprintf(h->jsonl_path, sizeof h->jsonl_path, "%s", path) >= (int)sizeof h->jsonl_path)
		h->jsonl_path[0] = '\0';
}

int
segment_open(struct segment *segment, const struct config *config, struct error *err)
{
	struct segment_header planned;
	int fd, adopted;

	memset(segment, 0, sizeof *segment);
	for (int i = 0; i < PROCESSES_MAX; i++)
		segment->wake_fds[i] = -1;
	if (plan(config, &planned, err) != 0)
		return -1;
	fd = segment_lock_file(config->ring_path, err);
	if (fd < 0)
		return -1;
	adopted = try_adopt(segment, fd, &planned, err);
	if (adopted == 2) {
		adopted = set_aside(config->ring_path, err);
		close(fd);
		fd = adopted == 0 ? segment_lock_file(config->ring_path, err) : -1;
		if (fd < 0)
			return -1;
	}
	if (adopted < 0 || (adopted == 0 && create(segment, fd, &planned, config->ring_path, err) != 0)) {
		close(fd);
		return -1;
	}

	segment->fresh = adopted == 0 && !planned.counts_on;
	memcpy(segment->header->boot_id, planned.boot_id, sizeof planned.boot_id);
	remember_jsonl_path(segment, config->jsonl_path);
	segment->header->started_us = clock_steady_us();
	segment->header->storage = config->storage;
	segment->header->master_pid = getpid();
	segment->header->draining = segment->header->file_gone = 0;
	(void)snprintf(segment->header->version, sizeof segment->header->version, "%s", HOOKS_VERSION);
	for (uint32_t w = 0; w < segment->counts[ROLE_WRITER]; w++)
		writer_slot_reset(segment_writer(segment, w));
	for (uint32_t i = 0; i < segment_slot_count(segment); i++) {
		slot_reset(segment_slot_at(segment, i));
		segment->wake_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (segment->wake_fds[i] < 0)
			return error_errno(err, "cannot make an eventfd");
	}
	segment->master_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (segment->master_fd < 0)
		return error_errno(err, "cannot make an eventfd");
	return 0;
}
