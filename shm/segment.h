/*
 * The shared segment: one file that all processes map, normally under /dev/shm (shm/segment_layout.h has its picture).
 * It outlives its processes: after a crash of the whole tree the next master adopts it and the writers store what was
 * acknowledged. A lock (flock) on the file, inherited by every child, keeps a second master out for as long as any
 * process of the first one lives.
 */
#ifndef SHM_SEGMENT_H
#define SHM_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "shm/courier_slot.h"
#include "shm/lane.h"
#include "shm/roles.h"
#include "shm/segment_layout.h"
#include "shm/slots.h"
#include "shm/wake.h"

struct key_table;

/* One process's view. Made by the master before it forks; children inherit it and map their own lanes. */
struct segment {
	int fd;
	struct segment_header *header;
	char *slots[ROLES]; /* of each role the first */
	struct key_table *keys; /* NULL: there is none in this segment */
	uint32_t counts[ROLES]; /* of the segment: after an adoption they may differ from the configuration's */
	uint64_t mapped_bytes; /* everything before the arenas */
	int wake_fds[PROCESSES_MAX]; /* in the order of the slots */
	int master_fd; /* eventfd: a child writes to it when its state in the slot has changed */
	bool fresh; /* new, and without an earlier segment's counters */
};

/* Maps an existing segment for reading only (hooksctl); arenas cannot be mapped from it. Returns 0 or <0. */
int segment_open_readonly(struct segment *segment, const char *path, struct error *err);

/* Maps everything before the arenas; segment takes over fd on success. Returns 0 or <0. */
int segment_map(struct segment *segment, int fd, uint64_t bytes, int protection, struct error *err);

/*
 * Takes those bytes as a segment up to its lanes' descriptors, whose header is plausible. segment takes over fd and
 * base, a mapping. It has no keys.
 */
void segment_view(struct segment *segment, int fd, void *base, uint64_t bytes);

/* Unmaps; the file stays. */
void segment_close(struct segment *segment);

/* All lanes, group by group; in a group by producer, then by consumer. */
uint32_t segment_lane_count(const struct segment *segment);

/*
 * A lane's controls without its arena, enough for depth and release: by its number among all, or that from process from
 * to process to of the group's two roles.
 */
struct lane segment_lane_at(const struct segment *segment, uint32_t number);
struct lane segment_lane(const struct segment *segment, enum lane_group group, uint32_t from, uint32_t to);

/* What the records of the lane with that number count as (shm/roles.h). */
enum books segment_lane_books(const struct segment *segment, uint32_t number);

/*
 * Maps the arena of a lane that one of these two has returned, twice in a row; only for the lane's producer and its
 * consumer. Returns 0 or <0 (out of address space or memory).
 */
int segment_map_arena(const struct segment *segment, struct lane *lane, struct error *err);

/* Events, or messages, that wait in lanes, without those of refused parcels. */
uint64_t segment_waiting(const struct segment *segment, enum books books);

/*
 * Slots, by their number among those of all roles or by role and number in it, and the wake-up of a slot's process. The
 * role of segment_writer() is WRITER or PUBLISHER.
 */
uint32_t segment_slot_count(const struct segment *segment);
struct process_slot *segment_slot_at(const struct segment *segment, uint32_t number);
struct process_slot *segment_slot(const struct segment *segment, enum role role, uint32_t index);
struct writer_slot *segment_writer(const struct segment *segment, enum role role, uint32_t index);
struct courier_slot *segment_courier(const struct segment *segment, uint32_t index);
struct wake segment_wake(const struct segment *segment, enum role role, uint32_t index);

/* Wakes all processes of the role. Any process. */
void segment_wake_all(const struct segment *segment, enum role role);

/*
 * Whether the service drains, and from when on, by the steady clock, events go to the spool instead of the store:
 * INT64_MAX unless it drains. The third begins the drain. For the master.
 */
bool segment_draining(const struct segment_header *header);
int64_t segment_store_until_us(const struct segment_header *header);
void segment_begin_drain(struct segment_header *header, int64_t store_until_us);

/* When the certificate of TLS ends, by the wall clock; 0: plain HTTP is served. The second is for the master. */
uint64_t segment_certificate_end_s(const struct segment_header *header);
void segment_set_certificate_end_s(struct segment_header *header, uint64_t end_s);

/* Whether the file at RING_PATH is gone or another one, so that the next master would not find this segment. */
bool segment_file_gone(const struct segment_header *header);
void segment_set_file_gone(struct segment_header *header, bool gone);

/* Sets the state of this process and wakes the master. */
void segment_announce(const struct segment *segment, struct process_slot *slot, enum process_state state);

#endif
