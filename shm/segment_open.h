/* Opens the segment for a run. Master only. */
#ifndef SHM_SEGMENT_OPEN_H
#define SHM_SEGMENT_OPEN_H

#include "base/error.h"
#include "config/config.h"
#include "shm/segment.h"

/*
 * Adopts the segment at config->ring_path or makes a new one. A segment whose events or ledgers are still needed keeps
 * its shape (numbers of processes, sizes); otherwise it is made anew with the old counters. A file that is no readable
 * segment is renamed, with a warning. Returns 0, or <0: another master uses the file, or the segment cannot be made or
 * would be too small.
 */
int segment_open(struct segment *segment, const struct config *config, struct error *err);

/*
 * Identifies the machine's boot; "": unknown. Needed because a segment on a disk is inconsistent after a power cut: its
 * ledger may show an append as uncommitted that was committed and followed by others.
 */
void segment_boot_id(char out[BOOT_ID_BYTES]);

#endif
