/* The two locks of a segment's file: which master owns it, and which writer may append. */
#ifndef SHM_SEGMENT_LOCK_H
#define SHM_SEGMENT_LOCK_H

#include <stdbool.h>

#include "base/error.h"
#include "shm/segment.h"

/*
 * Opens the file at path, or makes an empty one, and takes its lock, which the descriptor holds until it is closed.
 * Waits up to five seconds for the children of a dead master. Returns the descriptor, or <0 when another hooksd uses
 * the file.
 */
int segment_lock_file(const char *path, struct error *err);

/*
 * The lock of the file that writers share, and of what their ledgers say about appends to it. It ends when its holder
 * dies. The second does not wait: it returns false when another process has the lock, or the lock cannot be had now.
 * Not for the master: such locks belong to one process and are not inherited.
 */
void segment_append_lock(const struct segment *segment);
bool segment_append_try_lock(const struct segment *segment);
void segment_append_unlock(const struct segment *segment);

#endif
