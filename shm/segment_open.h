/* Opening the segment for a run. Master only. */
#ifndef SHM_SEGMENT_OPEN_H
#define SHM_SEGMENT_OPEN_H

#include "base/error.h"
#include "config/config.h"
#include "shm/segment.h"

/*
 * Makes the segment at config->ring_path or adopts the one that stands there. As long as events or a ledger in it are
 * needed, its shape (numbers of processes, sizes) is kept; otherwise it is made anew and only its counters continue. A
 * file that is no readable segment is renamed, with a message. Returns 0, or <0 when another master uses the file, or
 * the segment cannot be made or would be too small.
 */
int segment_open(struct segment *segment, const struct config *config, struct error *err);

/*
 * Identifies the machine's start; "" when that is not known. A segment on a disk that outlived a power cut is a mixture
 * of moments: its ledger may call an append uncommitted that was committed and followed by others.
 */
void segment_boot_id(char out[BOOT_ID_BYTES]);

#endif
