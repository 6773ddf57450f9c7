/*
 * The name of the segment's file, which a person or a cleanup job may remove while the processes run. For the master,
 * and for hooksctl, which copies the segment.
 */
#ifndef SHM_SEGMENT_FILE_H
#define SHM_SEGMENT_FILE_H

#include "shm/segment.h"

/* Whether path names the segment's file. */
bool segment_in_place(const struct segment *segment, const char *path);

/* Removes path if it names the segment's file. */
void segment_unlink(const struct segment *segment, const char *path);

/*
 * Copies the segment to a new file at path, in an existing directory. While processes use the segment, the copy mixes
 * several instants. Returns 0 when the copy is durable, or <0 with nothing at path.
 */
int segment_copy(const struct segment *segment, const char *path, struct error *err);

#endif
