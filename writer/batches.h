/*
 * Stores, spools or refuses batches. Each function commits its outcome to the ledger and releases the lanes
 * accordingly. Failures are logged; the batch comes again.
 */
#ifndef WRITER_BATCHES_H
#define WRITER_BATCHES_H

#include <stdbool.h>

struct writer;

/*
 * Stores the gathered batch; it is empty if all its records are damaged. A sink of published events may store only a
 * part; the rest is gathered again.
 */
void batches_store(struct writer *w);

/* Stores a batch of the spool, or a part of it. */
void batches_replay(struct writer *w);

/* Spools the gathered batch; it is empty if all its records are damaged. Returns whether it could. */
bool batches_spool(struct writer *w);

/*
 * Spools, in order, published events whose order another session has kept locked for SPOOL_AFTER_MS, so that others can
 * pass. Refuses those that the spool does not take after STORE_TIMEOUT_MS. Call it after batches_store().
 */
void batches_spool_waiting(struct writer *w);

/* Refuses waiting clients' requests: all on the ring, or those in the gathered batch. */
void batches_refuse(struct writer *w, bool all);

#endif
