/*
 * Replaying the spool: gives its records back, oldest first, and forgets what is stored. The caller's turn is
 * spool_next(), storing what it gave, spool_draft_replayed(), ledger_commit(), spool_replay_committed().
 */
#ifndef WRITER_SPOOL_REPLAY_H
#define WRITER_SPOOL_REPLAY_H

#include "writer/spool_parts.h"

/* Whether there is a file to replay. */
bool spool_waiting(const struct spool *spool);

/*
 * Reads the oldest records, some MiB of them, into spool->reader, valid until the next call; its count is 0 when there
 * are none. Sets damage aside and passes over it. Gives the same again until spool_replay_committed(). Returns 0 or <0.
 */
int spool_next(struct spool *spool, struct error *err);

/* Writes into the draft that what spool_next() gave is stored; the draft's counters are the caller's. */
void spool_draft_replayed(const struct spool *spool, struct ledger_page *draft);

/* That draft is committed: records it in the file's header, and removes a file that is stored whole. */
void spool_replay_committed(struct spool *spool);

#endif
