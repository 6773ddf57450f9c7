/* Finding a spool's files at the start: how much of them is stored, and what the writer's ledger knows of them. */
#ifndef WRITER_SPOOL_SCAN_H
#define WRITER_SPOOL_SCAN_H

#include "writer/spool_parts.h"

/*
 * Fills the empty list with the files whose writer's number modulo writers is this one's, oldest first, and examines
 * them; sets next_sequence and found_any. Brings the ledger into line with what it found. A file that cannot be read
 * now is logged and stays on the list unexamined. Returns 0, or <0 when the directory cannot be read.
 */
int spool_scan(struct spool *spool, uint32_t writers, struct error *err);

/*
 * Reads the header of a part of which only the name is known, and the records behind the last append that the header
 * records. Returns 0, or <0 when the file cannot be read now; the part is unchanged then.
 */
int spool_examine(struct spool *spool, struct spool_part *part, struct error *err);

/*
 * Once all parts are examined, commits to the ledger how many events they hold. Events that are found but unknown to
 * the ledger count as RECEIVED: no other run remembers them. Events that the ledger expects and that are not found
 * count as DAMAGED: somebody has removed them, or they are damaged.
 */
void spool_reconcile(const struct spool *spool);

#endif
