/* Adopts the segment of an earlier run. For segment_open(). */
#ifndef SHM_SEGMENT_ADOPT_H
#define SHM_SEGMENT_ADOPT_H

#include "base/error.h"
#include "shm/segment.h"

enum adopt_condition {
	ADOPT_NOTHING = 1, /* the caller makes a new segment in the file; planned has got the old counters, if any */
	ADOPT_UNREADABLE = 2, /* not a segment, damaged, or of another version: the caller must set the file aside */
};

/*
 * Adopts the segment in the locked file fd: maps it and releases committed parcels. Keeps its shape while it holds
 * events or an open append. planned is the header for a new segment. Returns 0, one of the conditions, or <0 if the
 * file cannot be read now. Only with 0 segment is mapped, and then owns fd.
 */
int segment_adopt(struct segment *segment, int fd, struct segment_header *planned, struct error *err);

#endif
