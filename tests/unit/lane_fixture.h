/*
 * What the lane tests share: lanes over anonymous shared memory, random numbers from a printed seed, and parcels with
 * known contents. Every byte of a parcel follows from the seed, its number and its author, so that a reader notices a
 * lost, repeated, mixed or damaged parcel.
 */
#ifndef TESTS_LANE_FIXTURE_H
#define TESTS_LANE_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "shm/lane.h"

/*
 * Prints the condition, and ends this process with SIGABRT. It works in threads and forked children, where cmocka's
 * asserts do not.
 */
#define REQUIRE(condition) ((condition) ? (void)0 : require_failed(#condition, __FILE__, __LINE__))
_Noreturn void require_failed(const char *condition, const char *file, int line);

/* Random numbers that the seed repeats. */
struct dice {
	uint64_t state;
};

uint64_t dice_roll(struct dice *dice);
uint32_t dice_below(struct dice *dice, uint32_t bound); /* 0..bound-1; bound > 0 */

/* The seed of this run: TEST_SEED from the environment, or a new one. Prints it, so that a failure can be repeated. */
uint64_t seed_for(const char *test);

/* Returns an empty lane over memory of its own, which children share. It is never released: tests are short. */
struct lane lane_over_memory(uint32_t slot_count, uint64_t arena_bytes, uint32_t first_position, uint64_t first_byte);

#define PARCEL_BYTES_MAX 4096u

/* Writes the parcel with that number and author. Returns its bytes, or 0 when it does not fit into the capacity. */
size_t parcel_build(char *out, size_t capacity, uint64_t seed, uint32_t number, uint32_t author, uint32_t *events);

/* Ends the process unless the parcel has that number, from whichever author, and is whole and undamaged. */
void parcel_require(const struct parcel *parcel, uint64_t seed, uint32_t number);

/* Publishes parcels first..first+count-1. Yields while the lane is full. */
void lane_feed(const struct lane *lane, uint64_t seed, uint32_t author, uint32_t first, uint32_t count);

/*
 * Reads and checks `count` parcels, in batches of random length. Releases a random part of each batch, and reads the
 * rest again. Returns the number of their records, each counted once.
 */
uint64_t lane_eat(const struct lane *lane, uint64_t seed, uint32_t first, uint32_t count);

#endif
