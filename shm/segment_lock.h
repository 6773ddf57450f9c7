/* The two locks of a segment's file: the master's ownership, and the writers' turn to append. */
#ifndef SHM_SEGMENT_LOCK_H
#define SHM_SEGMENT_LOCK_H

#include <stdbool.h>

#include "base/error.h"
#include "shm/segment.h"

/*
 * Opens the file at path, or makes an empty one, and takes its lock, which ends when the descriptor is closed. Waits up
 * to five seconds for the children of a dead master. Returns the descriptor, or <0 if another hooksd uses the file.
 */
int segment_lock_file(const char *path, struct error *err);

/*
 * The lock for the file that writers share, and for the ledgers' records of appends to it. It ends with its holder.
 * segment_append_try_lock() does not wait: it returns false if another process has the lock or locking fails. Not for
 * the master: record locks belong to one process and are not inherited.
 */
void segment_append_lock(const struct segment *segment);
bool segment_append_try_lock(const struct segment *segment);
void segment_append_unlock(const struct segment *segment);

#endif
