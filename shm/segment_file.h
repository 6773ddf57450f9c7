/*
 * The segment's file by its name. A person or a cleaner may remove that name while the processes go on. For the master,
 * and for hooksctl, which copies.
 */
#ifndef SHM_SEGMENT_FILE_H
#define SHM_SEGMENT_FILE_H

#include "shm/segment.h"

/* Whether the segment's file is the one that stands at path. */
bool segment_in_place(const struct segment *segment, const char *path);

/* Removes the file if it stands at path: for a master that needs it no more. */
void segment_unlink(const struct segment *segment, const char *path);

/*
 * Copies the segment to a new file at path, in a directory that exists. While processes use the segment, the copy is
 * not one of a single instant. Returns 0 when the copy is whole and on the disk, or <0 with nothing at path.
 */
int segment_copy(const struct segment *segment, const char *path, struct error *err);

#endif
