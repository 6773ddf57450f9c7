/*
 * The counters of earlier runs, in DATA_DIR/counters: one "name value" a line. While a ring stands, they are in it; the
 * file takes them over from the last run that left no ring. For the master.
 */
#ifndef MASTER_SAVED_COUNTERS_H
#define MASTER_SAVED_COUNTERS_H

#include "shm/segment.h"

/* Makes a fresh segment go on from what the last run has saved; from zero, with a warning unless it saved nothing ever. */
void saved_counters_load(const char *data_dir, const struct segment *segment);

/* Replaces the file, with the segment's sums or with those numbers. Returns whether it did; a failure is logged. */
bool saved_counters_save(const char *data_dir, const struct segment *segment);
bool saved_counters_write(const char *data_dir, const uint64_t counters[COUNTERS]);

#endif
