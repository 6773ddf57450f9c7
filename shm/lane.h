/*
 * A lane: one acceptor's way to one writer. Single producer, single consumer, in shared memory, lock-free.
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
 * c_head and p_tail are the only shared words; the arena's bounds are read from the descriptors beside them, which
 * the ring never overwrites while they matter (it keeps one slot free). So a producer killed at any instruction has
 * either published a parcel or not, and its successor goes on from the last published one; a consumer killed at any
 * instruction is replaced by one that reads the unreleased parcels again.
 *
 * A parcel that a client of the producer waits for can be refused where it stands, also behind others that cannot: the
 * consumer passes over it, and it is released with its neighbours.
 *
 * Why single-producer: ck_ring's multi-producer commit spins until earlier producers commit, and a process killed
 * between the two would hang every other. Positions are free-running uint32_t counts of parcels; compare them by
 * unsigned difference only.
 */
#ifndef SHM_LANE_H
#define SHM_LANE_H

#include <ck_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane_descriptor {
	uint64_t end; /* free-running byte position after the parcel, which begins where the one before it ends */
	uint32_t events; /* records in it */
	uint32_t flags; /* LANE_... */
};

/* A parcel's flags. The producer sets the first one when it publishes; all others are the consumer's. */
#define LANE_AWAITED 1u /* a client waits to hear what becomes of it, and nobody has acknowledged it */
#define LANE_SPOOLED 2u /* set before it is released: its records went to the spool and not to the store */
#define LANE_IN_DOUBT 4u /* a store that could not say so may have its records, or a part of them */
#define LANE_REFUSED 8u /* its records are discarded, and its client is told so; it may be long before it is released */
#define LANE_DISMISSED 16u /* it was in doubt: its client is told so, and its records wait on */
#define LANE_FLAGS 31u

/* What stands in the segment for a lane. sizeof(ck_ring_t) is 136: padded, so that neighbours share no cache line. */
struct lane_control {
	_Alignas(128) ck_ring_t ring;
	uint64_t events[2]; /* ever published, when p_tail is even, when it is odd */
	char pad[256 - sizeof(ck_ring_t) - 2 * sizeof(uint64_t)];
};

_Static_assert(sizeof(struct lane_control) == 256, "lane control blocks share no cache lines");
_Static_assert(sizeof(struct lane_descriptor) == 16, "four descriptors a cache line");

/* One process's view of a lane: addresses in its own address space. Plain value, copy freely. */
struct lane {
	struct lane_control *control;
	struct lane_descriptor *slots; /* ring.size of them, a power of two */
	char *arena; /* arena_bytes, mapped twice in a row */
	uint64_t arena_bytes; /* a multiple of the page size */
};

/*
 * Makes the lane empty with slot_count slots (a power of two, at least 2; slot_count - 1 parcels fit), counting from
 * first_position and first_byte: tests start just below the wrap-around. Only while nobody else uses the lane.
 */
void lane_init(struct lane *lane, uint32_t slot_count, uint32_t first_position, uint64_t first_byte);

/* Whether what stands in the segment can be a lane of that shape. For adopting a segment; nobody else may be using it. */
bool lane_valid(const struct lane *lane, uint32_t slot_count);

/* The part of it that holds while others use the lane, too: enough for looking at it without leaving the mapping. */
bool lane_shaped(const struct lane *lane, uint32_t slot_count);

/* ---- producer ---- */

/*
 * Free arena space to write records into, contiguous, 8-byte aligned; *available is 0 (and the result NULL) when no
 * descriptor is free. Nothing written there is visible until lane_publish(); calling again forgets it.
 */
char *lane_reserve(const struct lane *lane, size_t *available);

/*
 * Publishes the first bytes (> 0, a multiple of 8, at most what lane_reserve() gave) of the reserved space as one
 * parcel of events records; flags is LANE_AWAITED or 0. Returns the parcel's position + 1: it is released once
 * lane_released() has reached that.
 */
uint32_t lane_publish(const struct lane *lane, size_t bytes, uint32_t events, uint32_t flags);

/*
 * The flags of the parcel of that position (what lane_publish() returned). LANE_REFUSED and LANE_DISMISSED are for its
 * client at any time, the others once the parcel is released. Only the producer overwrites descriptors, and only released
 * ones: so it can ask for every parcel that lane_released() showed as released until it publishes again, and must ask
 * before.
 */
uint32_t lane_flags(const struct lane *lane, uint32_t position);

/* ---- consumer ---- */

struct parcel {
	const char *bytes;
	size_t length;
	uint32_t events;
	uint32_t flags;
};

/*
 * Peeks at the parcel at that position (start from lane_released(), go up by one). Returns false when it is not
 * published yet. The parcel's bytes stay valid until it is released.
 */
bool lane_peek(const struct lane *lane, uint32_t position, struct parcel *parcel);

/* Sets or clears a flag of the parcels not released below position. */
void lane_mark(const struct lane *lane, uint32_t position, uint32_t flag, bool on);

/*
 * Ends the waiting for parcels not released below position: refuses what is awaited, or, in doubt, dismisses its client
 * only. Returns the position of the first parcel that is not refused, or that position: up to there the lane may be
 * released.
 */
uint32_t lane_refuse(const struct lane *lane, uint32_t position);

/* Releases every parcel below position for good: the producer may overwrite them. */
void lane_release(const struct lane *lane, uint32_t position);

/* ---- anybody ---- */

/* The position of the first parcel not released. */
uint32_t lane_released(const struct lane *lane);

/* Events ever published, in step with p_tail: those of a producer that died before it published are not among them. */
uint64_t lane_events(const struct lane *lane);

/* How much waits in the lane: parcels, bytes. A snapshot; the two may differ by what happens in between. */
uint32_t lane_depth(const struct lane *lane);
uint64_t lane_bytes_used(const struct lane *lane);

#endif
