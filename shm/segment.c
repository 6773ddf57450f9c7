/*
 * Looking into the shared segment: its layout, computed from five numbers in the header, its lanes, slots and lock.
 */
#include "shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "shm/segment_layout.h"

static uint64_t
page_up(uint64_t n)
{
	return (n + PAGE - 1) / PAGE * PAGE;
}

struct segment_layout
segment_layout(const struct segment_header *h)
{
	uint64_t lanes = (uint64_t)h->acceptors * h->writers;
	struct segment_layout l;

	l.processes = PAGE;
	l.controls = page_up(l.processes + (h->acceptors + h->writers) * sizeof(struct process_slot));
	l.slots = page_up(l.controls + lanes * sizeof(struct lane_control));
	l.arenas = page_up(l.slots + lanes * h->lane_slots * sizeof(struct lane_descriptor));
	l.end = l.arenas + lanes * h->arena_bytes;
	return l;
}

bool
segment_plausible(const struct segment_header *h, uint64_t file_bytes)
{
	return memcmp(h->magic, SEGMENT_MAGIC, sizeof h->magic) == 0 && h->file_bytes == file_bytes &&
	       h->acceptors >= 1 && h->acceptors <= ACCEPTORS_MAX && h->writers >= 1 && h->writers <= WRITERS_MAX &&
	       h->lane_slots >= 2 && h->lane_slots <= 65536 && (h->lane_slots & (h->lane_slots - 1)) == 0 &&
	       h->arena_bytes >= PAGE && h->arena_bytes % PAGE == 0 &&
	       h->arena_bytes <= file_bytes / (h->acceptors * h->writers) && segment_layout(h).end <= file_bytes;
}

int
segment_map(struct segment *segment, int fd, uint64_t bytes, int protection, struct error *err)
{
	void *base = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return error_errno(err, "cannot map %llu bytes of the ring file", (unsigned long long)bytes);
	segment->fd = fd;
	segment->header = base;
	segment->mapped_bytes = bytes;
	segment->processes = (struct process_slot *)((char *)base + segment_layout(segment->header).processes);
	segment->acceptors = segment->header->acceptors;
	segment->writers = segment->header->writers;
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
	    !segment_plausible(&h, (uint64_t)st.st_size)) {
		close(fd);
		return error_set(err, "%s is not a ring file of this version of hooksd", path);
	}
	if (segment_map(segment, fd, segment_layout(&h).arenas, PROT_READ, err) != 0) {
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

static uint32_t
lane_index(const struct segment *segment, uint32_t acceptor, uint32_t writer)
{
	return acceptor * segment->writers + writer;
}

struct lane
segment_lane(const struct segment *segment, uint32_t acceptor, uint32_t writer)
{
	const struct segment_header *h = segment->header;
	struct segment_layout l = segment_layout(h);
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
	off_t offset = (off_t)(segment_layout(segment->header).arenas + lane_index(segment, acceptor, writer) * bytes);
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
				events += (parcel.flags & LANE_REFUSED) == 0 ? parcel.events : 0;
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
set_append_lock(const struct segment *segment, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	while (fcntl(segment->fd, F_SETLKW, &lock) != 0)
		if (errno != EINTR) {
			/* The kernel has no memory for a lock: as for want of memory elsewhere, another process tries. */
			log_error("cannot lock the ring file", LOG_STR("error", strerror(errno)));
			abort();
		}
}

void
segment_append_lock(const struct segment *segment)
{
	set_append_lock(segment, F_WRLCK);
}

bool
segment_append_try_lock(const struct segment *segment)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	return fcntl(segment->fd, F_SETLK, &lock) == 0;
}

void
segment_append_unlock(const struct segment *segment)
{
	set_append_lock(segment, F_UNLCK);
}

void
segment_announce(const struct segment *segment, struct process_slot *slot, enum process_state state)
{
	const uint64_t one = 1;

	ck_pr_store_32(&slot->state, state);
	(void)!write(segment->master_fd, &one, sizeof one);
}
