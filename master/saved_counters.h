/*
 * The counters of earlier runs, in DATA_DIR/counters, one "name value" a line. A run that leaves a ring file leaves
 * them there; one that removes it writes them to this file. Master only.
 */
#ifndef MASTER_SAVED_COUNTERS_H
#define MASTER_SAVED_COUNTERS_H

#include "shm/segment.h"

#define SAVED_COUNTERS "counters" /* in DATA_DIR */

/* Makes a fresh segment continue the saved counters. A file that cannot be read is logged: it counts from zero then. */
void saved_counters_load(const char *data_dir, const struct segment *segment);

/* Replaces the file, with the segment's sums or with those numbers. Returns whether it did; a failure is logged. */
bool saved_counters_save(const char *data_dir, const struct segment *segment);
bool saved_counters_write(const char *data_dir, const uint64_t counters[COUNTERS]);

#endif
