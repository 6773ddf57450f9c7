/* Access to the shared segment: its lanes, its slots, and the words of its header. */
#include "shm/segment.h"

#include <assert.h>
#include <ck_pr.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

void
segment_view(struct segment *segment, int fd, void *base, uint64_t bytes)
{
	segment->fd = fd;
	segment->header = base;
	segment->mapped_bytes = bytes;
	for (int r = 0; r < ROLES; r++) {
		segment->slots[r] = (char *)base + segment_layout(segment->header).slots[r];
		segment->counts[r] = segment->header->counts[r];
	}
}

int
segment_map(struct segment *segment, int fd, uint64_t bytes, int protection, struct error *err)
{
	void *base = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return error_errno(err, "cannot map %llu bytes of the ring file", (unsigned long long)bytes);
	segment_view(segment, fd, base, bytes);
	segment->keys =
	    segment->header->has_keys ? (void *)((char *)base + segment_layout(segment->header).keys) : NULL;
	return 0;
}

int
segment_open_readonly(struct segment *segment, const char *path, struct error *err)
{
	struct segment_header h;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* pread() refuses a FIFO */

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
	for (uint32_t i = 0; i < segment_lane_count(segment); i++) {
		struct lane lane = segment_lane_at(segment, i);

		if (!lane_shape_valid(&lane, h.lane_slots)) {
			segment_close(segment);
			return error_set(err, "%s is damaged: its lanes do not match its header", path);
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

uint32_t
segment_lane_count(const struct segment *segment)
{
	return (uint32_t)role_lanes(segment->counts);
}

struct lane
segment_lane_at(const struct segment *segment, uint32_t number)
{
	const struct segment_header *h = segment->header;
	struct segment_layout l = segment_layout(h);
	char *base = (char *)segment->header;

	return (struct lane){
	    .control = (struct lane_control *)(base + l.controls) + number,
	    .slots = (struct lane_descriptor *)(base + l.descriptors) + (uint64_t)number * h->lane_slots,
	    .arena_bytes = h->arena_bytes[segment_lane_group(h, number)],
	};
}

struct lane
segment_lane(const struct segment *segment, enum lane_group group, uint32_t from, uint32_t to)
{
	const struct lane_group_info *info = &lane_group_table[group];
	uint64_t number = info->from == info->to ? from : (uint64_t)from * segment->counts[info->to] + to;

	assert(info->from != info->to || from == to);
	for (int g = 0; g < (int)group; g++)
		number += role_lanes_of(segment->counts, g);
	return segment_lane_at(segment, (uint32_t)number);
}

enum books
segment_lane_books(const struct segment *segment, uint32_t number)
{
	return lane_group_table[segment_lane_group(segment->header, number)].books;
}

int
segment_map_arena(const struct segment *segment, struct lane *lane, struct error *err)
{
	struct segment_layout l = segment_layout(segment->header);
	ptrdiff_t number = lane->control - (struct lane_control *)((char *)segment->header + l.controls);
	size_t bytes = lane->arena_bytes;
	off_t offset = (off_t)segment_arena_offset(segment->header, (uint32_t)number);
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
segment_waiting(const struct segment *segment, enum books books)
{
	uint64_t events = 0;

	for (uint32_t n = 0; n < segment_lane_count(segment); n++) {
		struct lane lane = segment_lane_at(segment, n);
		uint32_t released = lane_released(&lane);
		struct parcel parcel;

		if (segment_lane_books(segment, n) != books)
			continue;
		lane.arena = (char *)segment->header; /* any address: parcels are only counted, not read */
		/* Also limited by lane_slots, because hooksctl may read a damaged file. */
		for (uint32_t i = 0, depth = lane_depth(&lane);
		     i < depth && i < segment->header->lane_slots && lane_peek(&lane, released + i, &parcel); i++)
			events += (parcel.flags & LANE_REFUSED) == 0 ? parcel.events : 0;
	}
	return events;
}

uint32_t
segment_slot_count(const struct segment *segment)
{
	uint32_t slots = 0;

	for (int r = 0; r < ROLES; r++)
		slots += segment->counts[r];
	return slots;
}

struct process_slot *
segment_slot_at(const struct segment *segment, uint32_t number)
{
	enum role role = 0;

	while (number >= segment->counts[role])
		number -= segment->counts[role++];
	return segment_slot(segment, role, number);
}

struct process_slot *
segment_slot(const struct segment *segment, enum role role, uint32_t index)
{
	return (struct process_slot *)(segment->slots[role] + (size_t)index * slot_bytes[role]);
}

struct writer_slot *
segment_writer(const struct segment *segment, enum role role, uint32_t index)
{
	assert(role == ROLE_WRITER || role == ROLE_PUBLISHER);
	return (struct writer_slot *)segment_slot(segment, role, index);
}

struct courier_slot *
segment_courier(const struct segment *segment, uint32_t index)
{
	return (struct courier_slot *)segment_slot(segment, ROLE_COURIER, index);
}

struct wake
segment_wake(const struct segment *segment, enum role role, uint32_t index)
{
	uint32_t number = index;

	for (int r = 0; r < (int)role; r++)
		number += segment->counts[r];
	return (struct wake){
	    .sleeping = &segment_slot(segment, role, index)->sleeping, .fd = segment->wake_fds[number]};
}

void
segment_wake_all(const struct segment *segment, enum role role)
{
	for (uint32_t i = 0; i < segment->counts[role]; i++) {
		struct wake wake = segment_wake(segment, role, i);

		wake_up(&wake);
	}
}

bool
segment_draining(const struct segment_header *header)
{
	return ck_pr_load_32(&header->draining) != 0;
}

int64_t
segment_store_until_us(const struct segment_header *header)
{
	if (!segment_draining(header))
		return INT64_MAX;
	ck_pr_fence_load();
	return header->store_until_us;
}

void
segment_begin_drain(struct segment_header *header, int64_t store_until_us)
{
	header->store_until_us = store_until_us;
	ck_pr_fence_store();
	ck_pr_store_32(&header->draining, 1);
}

uint64_t
segment_certificate_end_s(const struct segment_header *header)
{
	return ck_pr_load_64(&header->certificate_end_s);
}

void
segment_set_certificate_end_s(struct segment_header *header, uint64_t end_s)
{
	ck_pr_store_64(&header->certificate_end_s, end_s);
}

bool
segment_file_gone(const struct segment_header *header)
{
	return ck_pr_load_32(&header->file_gone) != 0;
}

void
segment_set_file_gone(struct segment_header *header, bool gone)
{
	ck_pr_store_32(&header->file_gone, gone);
}

void
segment_announce(const struct segment *segment, struct process_slot *slot, enum process_state state)
{
	const uint64_t one = 1;

	slot_set_state(slot, state);
	(void)!write(segment->master_fd, &one, sizeof one);
}
