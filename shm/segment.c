/*
 * Creating, adopting and mapping the shared segment. The layout is computed from five numbers in the header, and a
 * file whose numbers do not give its own size is not adopted.
 */
#include "shm/segment.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
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
#include "base/log.h"
#include "base/version.h"

/* The kernel's page size: arenas are mapped one by one. */
#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))

struct layout {
	uint64_t processes, controls, slots, arenas, end;
};

static uint64_t
page_up(uint64_t n)
{
	return (n + PAGE - 1) / PAGE * PAGE;
}

static struct layout
layout_of(const struct segment_header *h)
{
	uint64_t lanes = (uint64_t)h->acceptors * h->writers;
	struct layout l;

	l.processes = PAGE;
	l.controls = page_up(l.processes + (h->acceptors + h->writers) * sizeof(struct process_slot));
	l.slots = page_up(l.controls + lanes * sizeof(struct lane_control));
	l.arenas = page_up(l.slots + lanes * h->lane_slots * sizeof(struct lane_descriptor));
	l.end = l.arenas + lanes * h->arena_bytes;
	return l;
}

/* Fills in the shape that config asks for. */
static int
plan(const struct config *config, struct segment_header *h, struct error *err)
{
	uint64_t lanes = (uint64_t)config->acceptors * config->writers;
	uint64_t per_lane = config->ring_bytes / lanes;

	memset(h, 0, sizeof *h);
	memcpy(h->magic, SEGMENT_UNFINISHED, sizeof h->magic);
	h->acceptors = config->acceptors;
	h->writers = config->writers;
	/* A descriptor for every 512 bytes: single small events fill the arena before they fill the slots. */
	h->lane_slots = 64;
	while (h->lane_slots < 65536 && (uint64_t)h->lane_slots * 1024 <= per_lane)
		h->lane_slots *= 2;
	h->file_bytes = config->ring_bytes;

	uint64_t fixed = layout_of(h).arenas; /* arena_bytes is 0 so far */

	if (config->ring_bytes < fixed + lanes * 2 * PAGE)
		return error_set(err,
		    "RING_BYTES=%llu is too small for %llu lanes (ACCEPTORS * WRITERS): allow at least %llu",
		    (unsigned long long)config->ring_bytes, (unsigned long long)lanes,
		    (unsigned long long)(fixed + lanes * 64 * 1024));
	h->arena_bytes = (config->ring_bytes - fixed) / lanes / PAGE * PAGE;
	return 0;
}

static bool
header_plausible(const struct segment_header *h, uint64_t file_bytes)
{
	return memcmp(h->magic, SEGMENT_MAGIC, sizeof h->magic) == 0 && h->file_bytes == file_bytes &&
	       h->acceptors >= 1 && h->acceptors <= ACCEPTORS_MAX && h->writers >= 1 && h->writers <= WRITERS_MAX &&
	       h->lane_slots >= 2 && h->lane_slots <= 65536 && (h->lane_slots & (h->lane_slots - 1)) == 0 &&
	       h->arena_bytes >= PAGE && h->arena_bytes % PAGE == 0 &&
	       h->arena_bytes <= file_bytes / (h->acceptors * h->writers) && layout_of(h).end <= file_bytes &&
	       h->journal.state <= JOURNAL_COMMITTED && h->journal.writer < h->writers;
}

static bool
read_header(int fd, struct segment_header *h)
{
	return pread(fd, h, sizeof *h, 0) == (ssize_t)sizeof *h &&
	       memcmp(h->magic, SEGMENT_MAGIC, sizeof h->magic) == 0;
}

/*
 * Takes the file's lock. The children of a killed master die with it, but not in the same instant: while the lock is
 * still held although the master is gone, give them a moment.
 */
static int
lock_or_wait(int fd)
{
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
		struct segment_header h;

		if (tries == 500 || !read_header(fd, &h) || kill(h.master_pid, 0) == 0 || errno != ESRCH)
			return -1;
		(void)nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
	}
	return 0;
}

/* Opens path and takes its lock; the file that is locked is the one that stands at path. */
static int
open_locked(const char *path, struct error *err)
{
	for (;;) {
		struct stat opened, standing;
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			return error_errno(err, "cannot open the ring file %s (RING_PATH)", path);
		if (lock_or_wait(fd) != 0) {
			struct segment_header h = {0};
			bool known = read_header(fd, &h);

			close(fd);
			return error_set(err,
			    "the ring file %s is in use by another hooksd (master pid %d): stop it first, "
			    "or give this one its own PORT or RING_PATH",
			    path, known ? (int)h.master_pid : 0);
		}
		if (fstat(fd, &opened) == 0 && stat(path, &standing) == 0 && opened.st_ino == standing.st_ino &&
		    opened.st_dev == standing.st_dev)
			return fd;
		close(fd); /* its owner removed it between open and flock */
	}
}

static int
map(struct segment *segment, int fd, uint64_t bytes, int protection, struct error *err)
{
	void *base = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return error_errno(err, "cannot map %llu bytes of the ring file", (unsigned long long)bytes);
	segment->fd = fd;
	segment->header = base;
	segment->mapped_bytes = bytes;
	segment->processes = (struct process_slot *)((char *)base + layout_of(segment->header).processes);
	segment->acceptors = segment->header->acceptors;
	segment->writers = segment->header->writers;
	return 0;
}

static int
create(struct segment *segment, int fd, const struct segment_header *planned, const char *path, struct error *err)
{
	struct layout l = layout_of(planned);
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
		(void)!ftruncate(fd, 0);
		errno = failed;
		return error_errno(err,
		    "cannot reserve %llu bytes for the ring at %s: free some, enlarge /dev/shm "
		    "(docker: --shm-size), or set a smaller RING_BYTES or another RING_PATH",
		    (unsigned long long)planned->file_bytes, path);
	}
	if (map(segment, fd, l.arenas, PROT_READ | PROT_WRITE, err) != 0)
		return -1;
	for (uint32_t a = 0; a < planned->acceptors; a++)
		for (uint32_t w = 0; w < planned->writers; w++) {
			struct lane lane = segment_lane(segment, a, w);

			lane_init(&lane, planned->lane_slots, 0, 0);
		}
	memcpy(segment->header->magic, SEGMENT_MAGIC, sizeof segment->header->magic);
	return 0;
}

static bool
lanes_valid(const struct segment *segment)
{
	const struct journal *j = &segment->header->journal;

	for (uint32_t a = 0; a < segment->acceptors; a++)
		for (uint32_t w = 0; w < segment->writers; w++) {
			struct lane lane = segment_lane(segment, a, w);

			if (!lane_valid(&lane, segment->header->lane_slots))
				return false;
			if (j->state == JOURNAL_COMMITTED && w == j->writer &&
			    j->release[a] - lane_released(&lane) > lane_depth(&lane))
				return false;
		}
	return true;
}

static int
set_aside(const char *path, struct error *err)
{
	char aside[4096];

	(void)snprintf(aside, sizeof aside, "%s.set-aside.%lld", path, (long long)clock_wall_us());
	if (rename(path, aside) != 0)
		return error_errno(
		    err, "%s is not a ring file this hooksd can read, and it cannot be renamed to %s", path, aside);
	log_warning("the ring file is damaged or of another version: set aside, starting with a new one",
	    LOG_STR("path", path), LOG_STR("set_aside_as", aside));
	return 0;
}

/* What was committed before the crash is released now: another sink, which knows no journal, may be the next to store. */
static void
settle_journal(const struct segment *segment)
{
	struct journal *j = &segment->header->journal;

	if (j->state != JOURNAL_COMMITTED)
		return;
	for (uint32_t a = 0; a < segment->acceptors; a++) {
		struct lane lane = segment_lane(segment, a, j->writer);

		lane_release(&lane, j->release[a]);
	}
	j->state = JOURNAL_CLEAN;
}

/* Returns 1 when the file at fd was adopted, 0 when a new segment is to be made in it, 2 when it must be set aside. */
static int
try_adopt(struct segment *segment, int fd, const struct segment_header *planned, struct error *err)
{
	struct segment_header old = {0};
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return error_errno(err, "cannot stat the ring file");
	if (st.st_size == 0)
		return 0;
	n = pread(fd, &old, sizeof old, 0);
	if (n == (ssize_t)sizeof old && memcmp(old.magic, SEGMENT_UNFINISHED, sizeof old.magic) == 0)
		return 0;
	if (n != (ssize_t)sizeof old || !header_plausible(&old, (uint64_t)st.st_size))
		return 2;
	if (map(segment, fd, layout_of(&old).arenas, PROT_READ | PROT_WRITE, err) != 0)
		return -1;
	if (!lanes_valid(segment)) {
		munmap(segment->header, segment->mapped_bytes);
		return 2;
	}

	settle_journal(segment);

	uint64_t waiting = segment_events_waiting(segment);
	bool same = old.acceptors == planned->acceptors && old.writers == planned->writers &&
		    old.file_bytes == planned->file_bytes && old.arena_bytes == planned->arena_bytes;

	if (waiting == 0 && !same && segment->header->journal.state == JOURNAL_CLEAN) {
		munmap(segment->header, segment->mapped_bytes);
		return 0;
	}
	log_info("adopted the ring of the previous run", LOG_UINT("events_waiting", waiting));
	if (!same)
		log_warning(
		    "the previous run's events are in a ring of another shape: keeping that shape until the next start",
		    LOG_UINT("acceptors", old.acceptors), LOG_UINT("writers", old.writers),
		    LOG_UINT("ring_bytes", old.file_bytes));
	return 1;
}

int
segment_open(struct segment *segment, const struct config *config, struct error *err)
{
	struct segment_header planned;
	int fd, adopted;

	memset(segment, 0, sizeof *segment);
	if (plan(config, &planned, err) != 0)
		return -1;
	fd = open_locked(config->ring_path, err);
	if (fd < 0)
		return -1;
	adopted = try_adopt(segment, fd, &planned, err);
	if (adopted == 2) {
		adopted = set_aside(config->ring_path, err);
		close(fd);
		fd = adopted == 0 ? open_locked(config->ring_path, err) : -1;
		if (fd < 0)
			return -1;
	}
	if (adopted < 0 || (adopted == 0 && create(segment, fd, &planned, config->ring_path, err) != 0)) {
		close(fd);
		return -1;
	}

	if (segment->header->journal.state == JOURNAL_WRITING && config->storage != STORAGE_JSONL) {
		log_warning(
		    "the previous run died while it appended to its JSONL file: some events may stand there, too");
		segment->header->journal.state = JOURNAL_CLEAN;
	}
	segment->header->started_us = clock_wall_us();
	segment->header->master_pid = getpid();
	segment->header->draining = 0;
	(void)snprintf(segment->header->version, sizeof segment->header->version, "%s", HOOKS_VERSION);
	for (uint32_t i = 0; i < segment->acceptors + segment->writers; i++) {
		segment->processes[i].pid = 0;
		segment->processes[i].state = PROCESS_DOWN;
		segment->processes[i].store_state = STORE_CONNECTING;
		segment->processes[i].store_error[0] = '\0';
		segment->processes[i].gauges_us = 0; /* of another clock, perhaps */
		segment->wake_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (segment->wake_fds[i] < 0)
			return error_errno(err, "cannot make an eventfd");
	}
	segment->master_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (segment->master_fd < 0)
		return error_errno(err, "cannot make an eventfd");
	return 0;
}

int
segment_open_readonly(struct segment *segment, const char *path, struct error *err)
{
	struct segment_header h;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	memset(segment, 0, sizeof *segment);
	if (fd < 0)
		return error_errno(
		    err, "cannot open the ring file %s (is hooksd running with this PORT or RING_PATH?)", path);
	if (fstat(fd, &st) != 0 || pread(fd, &h, sizeof h, 0) != (ssize_t)sizeof h ||
	    !header_plausible(&h, (uint64_t)st.st_size)) {
		close(fd);
		return error_set(err, "%s is not a ring file of this version of hooksd", path);
	}
	if (map(segment, fd, layout_of(&h).arenas, PROT_READ, err) != 0) {
		close(fd);
		return -1;
	}
	for (uint32_t a = 0; a < h.acceptors; a++)
		for (uint32_t w = 0; w < h.writers; w++) {
			struct lane lane = segment_lane(segment, a, w);

			if (!lane_shaped(&lane, h.lane_slots)) {
				segment_close(segment);
				return error_set(err, "%s is damaged: its lanes are not what its header says", path);
			}
		}
	return 0;
}

void
segment_close(struct segment *segment)
{
	munmap(segment->header, segment->mapped_bytes);
	close(segment->fd);
}

void
segment_unlink(const char *path)
{
	(void)unlink(path);
}

static uint32_t
lane_index(const struct segment *segment, uint32_t acceptor, uint32_t writer)
{
	return acceptor * segment->writers + writer;
}

struct lane
segment_lane(const struct segment *segment, uint32_t acceptor, uint32_t writer)
{
	const struct segment_header *h = segment->header;
	struct layout l = layout_of(h);
	uint64_t index = lane_index(segment, acceptor, writer);
	char *base = (char *)segment->header;

	return (struct lane){
	    .control = (struct lane_control *)(base + l.controls) + index,
	    .slots = (struct lane_descriptor *)(base + l.slots) + index * h->lane_slots,
	    .arena_bytes = h->arena_bytes,
	};
}

int
segment_map_lane(
    const struct segment *segment, uint32_t acceptor, uint32_t writer, struct lane *lane, struct error *err)
{
	*lane = segment_lane(segment, acceptor, writer);

	size_t bytes = lane->arena_bytes;
	off_t offset = (off_t)(layout_of(segment->header).arenas + lane_index(segment, acceptor, writer) * bytes);
	char *base = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED)
		return error_errno(err, "cannot reserve address space for a lane of %zu bytes", bytes);
	for (int copy = 0; copy < 2; copy++)
		if (mmap(base + copy * bytes, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, segment->fd,
			offset) == MAP_FAILED)
			return error_errno(err, "cannot map a lane of %zu bytes", bytes);
	lane->arena = base;
	return 0;
}

uint64_t
segment_events_waiting(const struct segment *segment)
{
	uint64_t events = 0;

	for (uint32_t a = 0; a < segment->acceptors; a++)
		for (uint32_t w = 0; w < segment->writers; w++) {
			struct lane lane = segment_lane(segment, a, w);
			uint32_t released = lane_released(&lane);
			struct parcel parcel;

			lane.arena = (char *)segment->header; /* only counted, never read */
			/* Bounded by the slots too: a read-only look may be at a damaged file. */
			for (uint32_t i = 0, depth = lane_depth(&lane);
			     i < depth && i < segment->header->lane_slots && lane_peek(&lane, released + i, &parcel);
			     i++)
				events += parcel.events;
		}
	return events;
}

struct process_slot *
segment_acceptor(const struct segment *segment, uint32_t index)
{
	return &segment->processes[index];
}

struct process_slot *
segment_writer(const struct segment *segment, uint32_t index)
{
	return &segment->processes[segment->acceptors + index];
}

struct wake
segment_wake_acceptor(const struct segment *segment, uint32_t index)
{
	return (struct wake){.sleeping = &segment->processes[index].sleeping, .fd = segment->wake_fds[index]};
}

struct wake
segment_wake_writer(const struct segment *segment, uint32_t index)
{
	uint32_t i = segment->acceptors + index;

	return (struct wake){.sleeping = &segment->processes[i].sleeping, .fd = segment->wake_fds[i]};
}

static void
journal_lock(const struct segment *segment, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	while (fcntl(segment->fd, F_SETLKW, &lock) != 0)
		assert(errno == EINTR);
}

void
segment_journal_lock(const struct segment *segment)
{
	journal_lock(segment, F_WRLCK);
}

void
segment_journal_unlock(const struct segment *segment)
{
	journal_lock(segment, F_UNLCK);
}

void
segment_announce(const struct segment *segment, struct process_slot *slot, enum process_state state)
{
	const uint64_t one = 1;

	ck_pr_store_32(&slot->state, state);
	(void)!write(segment->master_fd, &one, sizeof one);
}
