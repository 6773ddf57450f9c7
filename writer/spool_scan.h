/*
 * Finds a spool's files at the start, determines how much of them is stored, and reconciles them with the writer's
 * ledger.
 */
#ifndef WRITER_SPOOL_SCAN_H
#define WRITER_SPOOL_SCAN_H

#include "writer/spool_parts.h"

/*
 * Fills the empty list with the files whose writer number modulo writers is this writer's, oldest first, and examines
 * them. Sets next_sequence and found_any. Reconciles the ledger. A file that cannot be read now is logged and stays on
 * the list unexamined. Returns 0, or <0 if the directory cannot be read.
 */
int spool_scan(struct spool *spool, uint32_t writers, struct error *err);

/*
 * Reads the header of an unexamined part, and the records after its recorded end. Returns 0, or <0 with the part
 * unchanged if the file cannot be read now.
 */
int spool_examine(struct spool *spool, struct spool_part *part, struct error *err);

/*
 * Once all parts are examined, commits their number of events to the ledger. Events found but unknown to the ledger are
 * added to RECEIVED, because no other run has counted them. Events that the ledger expects but cannot be found are
 * added to DAMAGED.
 */
void spool_reconcile(const struct spool *spool);

#endif
