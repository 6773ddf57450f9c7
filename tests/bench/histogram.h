/*
 * Counts of durations by value, as exact as 1/64 of it whatever its size: powers of two, each cut into 64 equal parts.
 * 20 kB, no allocation, a handful of instructions to add one.
 */
#ifndef TESTS_BENCH_HISTOGRAM_H
#define TESTS_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_PART_BITS 6
#define HISTOGRAM_POWERS 40 /* of two; in nanoseconds some ten hours, the last part takes what is longer */

struct histogram {
	uint64_t counts[HISTOGRAM_POWERS << HISTOGRAM_PART_BITS];
	uint64_t total;
	uint64_t max;
};

/* All zero is an empty one. */
void histogram_add(struct histogram *h, uint64_t value);

/* The value that this share of all (0 to 1) does not exceed, rounded up to the end of its part; 0 of none. */
uint64_t histogram_quantile(const struct histogram *h, double share);

#endif
