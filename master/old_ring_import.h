/*
 * Imports the ring file that hooksd 0.1.0 left at RING_PATH. Its layout differs from today's, so its events go to the
 * spool, from which the writers store them. To be removed with 1.0.
 */
#ifndef MASTER_OLD_RING_IMPORT_H
#define MASTER_OLD_RING_IMPORT_H

#include "base/error.h"
#include "config/config.h"

/*
 * If a ring of 0.1.0 is at config->ring_path: applies its ledgers, as 0.1.0 would at its next start (truncates
 * uncommitted appends, writes the progress to the spool files' headers); appends its waiting events to the spool,
 * regardless of SPOOL_MAX_BYTES; saves its counters in DATA_DIR; and renames the ring. After a master was killed at any
 * instruction, the next call continues the import.
 *
 * Returns 0: there is no ring of 0.1.0, except perhaps a damaged one, which segment_open() sets aside. <0: another
 * hooksd uses it, or its events cannot be written to the spool; then they are still in it. Called with the lock of
 * DATA_DIR held, before segment_open().
 */
int old_ring_import(const struct config *config, struct error *err);

#endif
