/* The segment that an earlier run has left. For segment_open(). */
#ifndef SHM_SEGMENT_ADOPT_H
#define SHM_SEGMENT_ADOPT_H

#include "base/error.h"
#include "shm/segment.h"

enum adopt_condition {
	ADOPT_NOTHING = 1, /* a new segment is to be made in the file; planned continues its counters, if it had any */
	ADOPT_UNREADABLE = 2, /* no segment, a damaged one, or one of another version: the file must be set aside */
};

/*
 * Adopts the segment in the locked file fd: maps it, releases what was committed, and keeps its shape while it holds
 * events or an open append. planned is the header of the segment that would be made otherwise. Returns 0, one of the
 * conditions, or <0 when the file cannot be read now; segment is mapped only with 0, and owns fd then.
 */
int segment_adopt(struct segment *segment, int fd, struct segment_header *planned, struct error *err);

#endif
