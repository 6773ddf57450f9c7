/*
 * The numbers every process keeps in its own slot of the segment, so that any acceptor can answer for all of them, and
 * a process that dies takes nothing with it: counters, levels and histograms, which are summed, and gauges, of which the
 * newest counts. shm/series.h lists them.
 */
#ifndef SHM_COUNTERS_H
#define SHM_COUNTERS_H

#include <stdint.h>

#include "shm/series.h"

struct process_slot;
struct segment;
struct segment_header;

/*
 * The first ones are exact across any death. In a writer's ledger all of them; accepted events are counted by their lane.
 * RECEIVED there: found in the spool, and of no run that is remembered.
 */
#define LEDGER_COUNTERS (COUNTER_SPOOLED + 1)

/* The counter of a role's processes that were started again after that death. */
enum counter counter_of_restarts(enum role role, enum death death);

#define HISTOGRAM_BUCKETS_MAX 20 /* with the one for what is over the last bound */

/* Not cumulative. Their sum is the count of observations. */
struct histogram_numbers {
	uint64_t buckets[HISTOGRAM_BUCKETS_MAX];
	uint64_t sum; /* of what was observed */
};

/* Adds to a counter of this process's slot: single writer, so no locked instruction. Any process reads it, and the sums. */
void counter_add(struct process_slot *slot, enum counter counter, uint64_t n);
uint64_t counter_read(const struct process_slot *slot, enum counter counter);
uint64_t segment_counter_sum(const struct segment *segment, enum counter counter);

/*
 * Makes header go on from counters that an earlier run has left. All it ever received is in them, but for what stands in
 * the spool, which its writers find and count again. For a master without children.
 */
void segment_count_from(struct segment_header *header, const uint64_t counters[COUNTERS]);

/* Adds an observation, in microseconds or pieces, to a histogram of this process's slot; the sums over all. */
void histogram_add(struct process_slot *slot, enum histogram histogram, uint64_t value);
struct histogram_numbers segment_histogram_sum(const struct segment *segment, enum histogram histogram);

/* Sets a level of this process's slot; the sum over all. */
void level_set(struct process_slot *slot, enum level level, uint64_t value);
uint64_t segment_level_sum(const struct segment *segment, enum level level);

/* Sets all gauges of this process's slot. segment_gauges() finds the ones that were set last; NULL: none ever were. */
void gauges_set(struct process_slot *slot, const uint64_t values[GAUGES]);
const uint64_t *segment_gauges(const struct segment *segment);

#endif
