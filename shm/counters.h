/*
 * The numbers that every process keeps in its own slot of the segment: any acceptor can report all of them, and a
 * process that dies takes none with it. Counters, levels and histograms are summed; of gauges the newest counts.
 * shm/series.h lists them. Only the slot's process changes its numbers; any process reads them and the sums.
 */
#ifndef SHM_COUNTERS_H
#define SHM_COUNTERS_H

#include <stdint.h>

#include "shm/segment.h"
#include "shm/slots.h"

/* The counter of processes of that role that died so. */
enum counter counter_of_restarts(enum role role, enum death death);

/* A counter of one slot, and its sum over all. */
void counter_add(struct process_slot *slot, enum counter counter, uint64_t n);
uint64_t counter_read(const struct process_slot *slot, enum counter counter);
uint64_t segment_counter_sum(const struct segment *segment, enum counter counter);

/*
 * Makes a segment continue the counters of an earlier run. RECEIVED and MESSAGES_RECEIVED are rebuilt as the sum of all
 * outcomes; what is spooled is counted again when writers and publishers find it. For a master without children.
 */
void segment_count_from(struct segment_header *header, const uint64_t counters[COUNTERS]);

/* Adds an observation, in microseconds or pieces, to a histogram of one slot; the sums over all. */
void histogram_add(struct process_slot *slot, enum histogram histogram, uint64_t value);
struct histogram_numbers segment_histogram_sum(const struct segment *segment, enum histogram histogram);

/* Counts a failed sync of a file, and sets the time of the last one. For the writer of the slot. */
void counter_add_sync_failure(struct writer_slot *slot);

/* A level of one slot, and its sum over all. */
void level_set(struct process_slot *slot, enum level level, uint64_t value);
uint64_t segment_level_sum(const struct segment *segment, enum level level);

/* All gauges of one slot. The second finds those that were set last in any slot; NULL when none ever were. */
void gauges_set(struct process_slot *slot, const uint64_t values[GAUGES]);
const uint64_t *segment_gauges(const struct segment *segment);

#endif
