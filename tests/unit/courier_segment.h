/*
 * A segment for tests of a courier: one publisher, `couriers` couriers, which run, and their lanes. Include after
 * cmocka.h.
 */
#ifndef TESTS_COURIER_SEGMENT_H
#define TESTS_COURIER_SEGMENT_H

#include "shm/segment.h"

/* The segment's file has no name, so that no other process uses it. */
struct segment courier_segment_open(uint32_t couriers);
void courier_segment_close(struct segment *segment);

/* The OUTCOMES lane of a courier, mapped for its producer until the segment is closed. */
struct lane courier_segment_outcomes(const struct segment *segment, uint32_t courier);

#endif
