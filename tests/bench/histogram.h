/*
 * Counts durations by value, as exact as 1/64 of the value: powers of two, each cut into 64 equal parts. A histogram
 * takes 20 kB, and needs no allocation and a handful of instructions to add a value.
 */
#ifndef TESTS_BENCH_HISTOGRAM_H
#define TESTS_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_PART_BITS 6
#define HISTOGRAM_POWERS 40 /* of two; in nanoseconds some ten hours. The last part also counts longer times */

struct histogram {
	uint64_t counts[HISTOGRAM_POWERS << HISTOGRAM_PART_BITS];
	uint64_t total;
	uint64_t max;
};

/* A histogram with all bytes zero is empty. */
void histogram_add(struct histogram *h, uint64_t value);

/*
 * The value that this share (0 to 1) of all values does not exceed, rounded up to the end of its part; 0 if there are
 * none.
 */
uint64_t histogram_quantile(const struct histogram *h, double share);

#endif
