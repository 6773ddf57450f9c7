/*
 * A lane carries records from one process to one other. Single producer, single consumer, in shared memory, lock-free.
 *
 * A lane is a Concurrency Kit ring of descriptors plus a circular byte arena for the records:
 *
 *   descriptors   | ... | d | d | d | d | ... |     each: a parcel = the records of one request
 *                     c_head ^        ^ p_tail      published in one step, released in one step
 *
 *   arena, mapped twice in a row so that no parcel is ever split
 *   | ... free ... [ records ............... ] ... free ... | ... the same bytes again ... |
 *         head = end of descriptor c_head-1 ^             ^ tail = end of descriptor p_tail-1
 *
 * c_head and p_tail are the only shared words. The bounds of the used part of the arena are in the descriptors just
 * before them, which the ring does not overwrite while they are needed: it keeps one slot free. So a producer killed at
 * any instruction has published a parcel or not, and its successor continues after the last published one. A consumer
 * killed at any instruction is replaced by one that reads the unreleased parcels again.
 *
 * The consumer can refuse a parcel whose client still waits, even one behind parcels that it cannot refuse. A refused
 * parcel keeps its place, is skipped by the consumer, and is released together with its neighbours, as a finished one.
 *
 * Why single-producer: ck_ring's multi-producer commit spins until earlier producers commit, and a process killed
 * between the two would block every other. Positions are free-running uint32_t counts of parcels; compare them by
 * unsigned difference only.
 */
#ifndef SHM_LANE_H
#define SHM_LANE_H

#include <ck_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/lane_flags.h"

struct lane_descriptor {
	uint64_t end; /* free-running byte position after the parcel; the parcel begins at the end of the one before */
	uint32_t events; /* records in it */
	uint32_t flags; /* LANE_... */
};

/* A lane's words in the segment. Padded, because sizeof(ck_ring_t) is 136 and lanes must not share cache lines. */
struct lane_control {
	_Alignas(128) ck_ring_t ring;
	uint64_t events[2]; /* events ever published; events[p_tail % 2] is valid */
	char pad[256 - sizeof(ck_ring_t) - 2 * sizeof(uint64_t)];
};

_Static_assert(sizeof(struct lane_control) == 256, "lane control blocks share no cache lines");
_Static_assert(sizeof(struct lane_descriptor) == 16, "four descriptors a cache line");

/* One process's view of a lane: addresses in its own address space. A plain value that may be copied. */
struct lane {
	struct lane_control *control;
	struct lane_descriptor *slots; /* ring.size of them, a power of two */
	char *arena; /* arena_bytes, mapped twice in a row */
	uint64_t arena_bytes; /* a multiple of the page size */
};

/*
 * Makes the lane empty, with slot_count slots (a power of two, at least 2), of which slot_count - 1 can be in use.
 * Positions begin at first_position and first_byte: tests start just below the wrap-around. Only while no other process
 * uses the lane.
 */
void lane_init(struct lane *lane, uint32_t slot_count, uint32_t first_position, uint64_t first_byte);

/* Whether the words in the segment can be a lane with that many slots. For adopting a segment that no process uses. */
bool lane_valid(const struct lane *lane, uint32_t slot_count);

/* The part of that check that is also valid while processes use the lane. It suffices for reading it within bounds. */
bool lane_shape_valid(const struct lane *lane, uint32_t slot_count);

/*
 * Gives a damaged lane that many slots and a depth that no lane has: lane_valid() is false then, and reading the lane
 * stays within its bounds. Only for a copy that no process uses.
 */
void lane_invalidate(struct lane *lane, uint32_t slot_count);

/* ---- producer ---- */

/*
 * Returns free arena space for records, contiguous and 8-byte aligned, of *available bytes. When no descriptor is free
 * it returns NULL and *available is 0. Nothing written there is visible until lane_publish(); another call returns the
 * same space again.
 */
char *lane_reserve(const struct lane *lane, size_t *available);

/*
 * The same for a producer that still reads parcels up to answered, an earlier result of lane_released(): only the space
 * of parcels below that position counts as free.
 */
char *lane_reserve_behind(const struct lane *lane, uint32_t answered, size_t *available);

/* How many more parcels can be published, as far as descriptors go: lane_reserve() says how many bytes. */
uint32_t lane_free_descriptors(const struct lane *lane);

/*
 * Publishes the first bytes (> 0, a multiple of 8, at most *available) of the reserved space as one parcel of that many
 * events; flags is LANE_AWAITED or 0. Returns the parcel's position + 1: the parcel is released once lane_released()
 * has reached that number.
 */
uint32_t lane_publish(const struct lane *lane, size_t bytes, uint32_t events, uint32_t flags);

/*
 * Returns the flags of a parcel; position is what lane_publish() returned for it. LANE_REFUSED, LANE_DISMISSED and
 * LANE_FINISHED are valid at any time, the others once the parcel is released. lane_publish() may overwrite the
 * descriptors of released parcels, so the producer reads their flags before it publishes again.
 */
uint32_t lane_flags(const struct lane *lane, uint32_t position);

struct parcel {
	char *bytes; /* the consumer changes no byte but those of outcomes (event/publish_outcome.h) */
	size_t length;
	uint32_t events;
	uint32_t flags;
};

/*
 * Reads a parcel that was published, released or not: position is what lane_publish() returned for it. Its space must
 * not have been reserved again since: lane_reserve_behind().
 */
void lane_reread(const struct lane *lane, uint32_t position, struct parcel *parcel);

/* ---- consumer ---- */

/*
 * Reads the parcel at that position without releasing it: begin with lane_released(), go up by one. Returns false when
 * it is not published yet. The parcel's bytes stay valid until it is released.
 */
bool lane_peek(const struct lane *lane, uint32_t position, struct parcel *parcel);

/* Sets or clears a flag of all unreleased parcels below position. */
void lane_set_flag(const struct lane *lane, uint32_t position, uint32_t flag, bool on);

/* Sets a flag of the unreleased parcel at that position of lane_peek(), after all earlier writes to the parcel. */
void lane_mark(const struct lane *lane, uint32_t position, uint32_t flag);

/*
 * Of the unreleased parcels below position whose client still waits, refuses those that are not in doubt and dismisses
 * the others. Returns the position of the first unreleased parcel that is neither refused nor finished, at most
 * position: up to there the lane may be released.
 */
uint32_t lane_refuse(const struct lane *lane, uint32_t position);

/* Releases all parcels below position: the producer may overwrite them. */
void lane_release(const struct lane *lane, uint32_t position);

/* ---- any process ---- */

/* The position of the first unreleased parcel. */
uint32_t lane_released(const struct lane *lane);

/* Number of events ever published. Exact: it changes with p_tail, so a producer's death before that adds nothing. */
uint64_t lane_events(const struct lane *lane);

/* Number of unreleased parcels, and of their bytes. Two calls may see two moments. */
uint32_t lane_depth(const struct lane *lane);
uint64_t lane_bytes_used(const struct lane *lane);

#endif
