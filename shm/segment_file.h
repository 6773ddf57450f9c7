/* The segment's file by its name, which somebody may take from it while its processes go on. For the master. */
#ifndef SHM_SEGMENT_FILE_H
#define SHM_SEGMENT_FILE_H

#include "shm/segment.h"

/* Whether the segment's file is the one that stands at path. */
bool segment_in_place(const struct segment *segment, const char *path);

/* Removes the file if it stands there: for a master that is done with it. */
void segment_unlink(const struct segment *segment, const char *path);

/*
 * Makes a file with that path, where none stands and in a directory that does, from the segment, whose own has lost its
 * name: for a master without children. What is there when it returns 0 is whole and on the disk; <0: nothing.
 */
int segment_copy(const struct segment *segment, const char *path, struct error *err);

#endif
