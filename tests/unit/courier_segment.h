/*
 * A segment of a courier's own for tests: one publisher, so many couriers, which run, and their lanes. Include after
 * cmocka.h.
 */
#ifndef TESTS_COURIER_SEGMENT_H
#define TESTS_COURIER_SEGMENT_H

#include "shm/segment.h"

/* In a file without a name; nobody else uses it. */
struct segment courier_segment_open(uint32_t couriers);
void courier_segment_close(struct segment *segment);

/* The lane OUTCOMES of a courier, mapped for its producer until the segment is closed. */
struct lane courier_segment_outcomes(const struct segment *segment, uint32_t courier);

#endif
