/*
 * Takes over the ring file that hooksd 0.1.0 left at RING_PATH. Today's layout is another one, so the file is not
 * adopted: its events go to the spool, from which the writers store them. To be removed with 1.0.
 */
#ifndef MASTER_OLD_RING_IMPORT_H
#define MASTER_OLD_RING_IMPORT_H

#include "base/error.h"
#include "config/config.h"

/*
 * If a ring of 0.1.0 is at config->ring_path: does what its ledgers say, as 0.1.0 would at its next start (uncommitted
 * appends are truncated, progress goes to the spool files' headers); appends the events that wait in it to the spool,
 * whatever SPOOL_MAX_BYTES is; saves its counters in DATA_DIR; and renames it. A master killed at any instruction
 * leaves a ring with which the next call goes on.
 *
 * Returns 0: no ring of 0.1.0 is there any more, unless segment_open() has to set aside a damaged one. <0: another
 * hooksd uses it, or its events cannot be written to the spool; then they are still in it. Called with the lock of
 * DATA_DIR held, before segment_open().
 */
int old_ring_import(const struct config *config, struct error *err);

#endif
