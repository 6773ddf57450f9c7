/*
 * Replays the spool's records, oldest first, and removes stored files. The caller's sequence is spool_next(), storing
 * the records, spool_draft_replayed(), ledger_commit(), spool_replay_committed().
 */
#ifndef WRITER_SPOOL_REPLAY_H
#define WRITER_SPOOL_REPLAY_H

#include "writer/spool_parts.h"

/* Whether there is a file to replay. */
bool spool_waiting(const struct spool *spool);

/*
 * Reads the oldest records, a few MiB, into spool->reader, valid until the next call; count is 0 if there are none.
 * Sets damage aside and skips it. Returns the same records again until spool_replay_committed(). Returns 0 or <0.
 */
int spool_next(struct spool *spool, struct error *err);

/* Writes into the draft that the records of spool_next() are stored. The caller sets the draft's counters. */
void spool_draft_replayed(const struct spool *spool, struct ledger_page *draft);

/* After committing that draft: records it in the file's header, and removes a completely stored file. */
void spool_replay_committed(struct spool *spool);

#endif
