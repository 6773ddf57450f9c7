/*
 * The shared segment: one file that all processes map, normally under /dev/shm (shm/segment_layout.h has a picture). It
 * outlives its processes: after a crash of the whole tree the next master adopts it and the writers store the
 * acknowledged events. A lock (flock) on the file, inherited by every child, keeps a second master out as long as any
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
	char *slots[ROLES]; /* the first slot of each role */
	struct key_table *keys; /* NULL: this segment has none */
	uint32_t counts[ROLES]; /* of this segment: after an adoption they may differ from the configuration */
	uint64_t mapped_bytes; /* everything before the arenas */
	int wake_fds[PROCESSES_MAX]; /* eventfds, in the order of the slots */
	int master_fd; /* eventfd: a child writes to it when its state in the slot has changed */
	bool fresh; /* new, without the counters of an earlier segment */
};

/* Maps an existing segment read-only (hooksctl), without its arenas. Returns 0 or <0. */
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

/* The number of lanes. They are ordered by group, then producer, then consumer. */
uint32_t segment_lane_count(const struct segment *segment);

/*
 * A lane without its arena, which suffices for depth and release: by its number, or by group and the indexes of its
 * producer and consumer in their roles.
 */
struct lane segment_lane_at(const struct segment *segment, uint32_t number);
struct lane segment_lane(const struct segment *segment, enum lane_group group, uint32_t from, uint32_t to);

/* The accounting of that lane's records (shm/roles.h). */
enum books segment_lane_books(const struct segment *segment, uint32_t number);

/*
 * Maps the arena of a lane from one of these two functions, twice in a row. For the lane's producer and consumer only.
 * Returns 0 or <0 (out of address space or memory).
 */
int segment_map_arena(const struct segment *segment, struct lane *lane, struct error *err);

/* The events or messages that wait in lanes, without refused parcels. */
uint64_t segment_waiting(const struct segment *segment, enum books books);

/*
 * Slots, by their number among all or by role and index, and the wake-up of a slot's process. segment_writer() takes
 * the roles WRITER and PUBLISHER.
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
 * Whether the service drains, and the time, by the steady clock, from which a draining service spools instead of
 * storing: INT64_MAX unless it drains. The master calls segment_begin_drain().
 */
bool segment_draining(const struct segment_header *header);
int64_t segment_store_until_us(const struct segment_header *header);
void segment_begin_drain(struct segment_header *header, int64_t store_until_us);

/* When the TLS certificate expires, by the wall clock; 0: plain HTTP. The master sets it. */
uint64_t segment_certificate_end_s(const struct segment_header *header);
void segment_set_certificate_end_s(struct segment_header *header, uint64_t end_s);

/* Whether RING_PATH no longer names this segment's file, so that the next master would not find it. */
bool segment_file_gone(const struct segment_header *header);
void segment_set_file_gone(struct segment_header *header, bool gone);

/* Sets the state of this process and wakes the master. */
void segment_announce(const struct segment *segment, struct process_slot *slot, enum process_state state);

#endif
