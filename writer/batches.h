/*
 * What becomes of batches: each of these commits to the ledger what it has done, and releases the lanes by it. What
 * fails is logged, and comes again.
 */
#ifndef WRITER_BATCHES_H
#define WRITER_BATCHES_H

struct writer;

/*
 * Stores the gathered batch, which has no record when all of it is damaged. A sink of published events may store a part
 * of it, and the rest is gathered again.
 */
void batches_store(struct writer *w);

/* Stores a batch of the spool, or a part of it. */
void batches_replay(struct writer *w);

/* Spools the gathered batch, which has no record when all of it is damaged. */
void batches_spool(struct writer *w);

/* Refuses the requests on the ring whose clients wait. */
void batches_refuse(struct writer *w);

#endif
