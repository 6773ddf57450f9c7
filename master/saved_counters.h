/*
 * The counters of earlier runs, in DATA_DIR/counters, one "name value" per line. A run that keeps its ring file keeps
 * them there; a run that removes it writes them to this file. Master only.
 */
#ifndef MASTER_SAVED_COUNTERS_H
#define MASTER_SAVED_COUNTERS_H

#include "shm/segment.h"

#define SAVED_COUNTERS "counters" /* in DATA_DIR */

/* Makes a fresh segment continue the saved counters. If the file cannot be read, logs that and counts from zero. */
void saved_counters_load(const char *data_dir, const struct segment *segment);

/* Replace the file by the segment's sums, or by those numbers. Return whether they could; log a failure. */
bool saved_counters_save(const char *data_dir, const struct segment *segment);
bool saved_counters_write(const char *data_dir, const uint64_t counters[COUNTERS]);

#endif
