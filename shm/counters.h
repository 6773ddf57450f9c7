/*
 * The metrics of each process, in its slot of the segment: any acceptor can report all of them, and they outlive the
 * process. Counters, levels and histograms are summed over slots; of gauges the newest is used. shm/series.h lists
 * them. Only the slot's process changes its numbers; any process reads them.
 */
#ifndef SHM_COUNTERS_H
#define SHM_COUNTERS_H

#include <stdint.h>

#include "shm/segment.h"
#include "shm/slots.h"

/* The counter of restarts of that role for that cause. */
enum counter counter_of_restarts(enum role role, enum death death);

/* A counter of one slot, and its sum over all slots. */
void counter_add(struct process_slot *slot, enum counter counter, uint64_t n);
uint64_t counter_read(const struct process_slot *slot, enum counter counter);
uint64_t segment_counter_sum(const struct segment *segment, enum counter counter);

/*
 * Makes a segment continue the counters of an earlier run. RECEIVED and MESSAGES_RECEIVED are rebuilt as the sum of all
 * outcomes; spooled events are counted again when writers and publishers find them. For a master without children.
 */
void segment_count_from(struct segment_header *header, const uint64_t counters[COUNTERS]);

/* Adds an observation, in microseconds or pieces, to a histogram of one slot; the sum over all slots. */
void histogram_add(struct process_slot *slot, enum histogram histogram, uint64_t value);
struct histogram_numbers segment_histogram_sum(const struct segment *segment, enum histogram histogram);

/* Counts a failed sync of a file and records its time. For the slot's writer. */
void counter_add_sync_failure(struct writer_slot *slot);

/* A level of one slot, and its sum over all slots. */
void level_set(struct process_slot *slot, enum level level, uint64_t value);
uint64_t segment_level_sum(const struct segment *segment, enum level level);

/* Sets all gauges of one slot. segment_gauges() returns those set last in any slot, or NULL if none ever were. */
void gauges_set(struct process_slot *slot, const uint64_t values[GAUGES]);
const uint64_t *segment_gauges(const struct segment *segment);

#endif
