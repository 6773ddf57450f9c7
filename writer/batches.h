/*
 * What becomes of batches: each of these commits to the ledger what it has done, and releases the lanes by it. What
 * fails is logged, and comes again.
 */
#ifndef WRITER_BATCHES_H
#define WRITER_BATCHES_H

#include <stdbool.h>

struct writer;

/*
 * Stores the gathered batch, which has no record when all of it is damaged. A sink of published events may store a part
 * of it, and the rest is gathered again.
 */
void batches_store(struct writer *w);

/* Stores a batch of the spool, or a part of it. */
void batches_replay(struct writer *w);

/* Spools the gathered batch, which has no record when all of it is damaged. Returns whether it could. */
bool batches_spool(struct writer *w);

/*
 * Published events whose order another session has kept locked for SPOOL_AFTER_MS make way for others: they are
 * spooled, in their order. What the spool does not take is refused after STORE_TIMEOUT_MS. After batches_store().
 */
void batches_make_way(struct writer *w);

/* Refuses the requests whose clients wait: all on the ring, or those in the gathered batch. */
void batches_refuse(struct writer *w, bool all);

#endif
