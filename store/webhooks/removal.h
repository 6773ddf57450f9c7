/*
 * Removes endpoints and tenants that a DELETE has only marked: everything that belongs to them, in slices, and their
 * rows last. Each slice is a transaction, so after a death the next process continues; any number of nodes may work at
 * the same time. The row is removed when nothing is left that was written for it before the mark; then its id is free
 * again.
 */
#ifndef STORE_WEBHOOKS_REMOVAL_H
#define STORE_WEBHOOKS_REMOVAL_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"
#include "store/db.h"

/* The most rows of a slice. In SQLite a slice also ends after the statement that reaches this many bytes. */
#define REMOVAL_SLICE_ROWS 1000
#define REMOVAL_SLICE_BYTES (8 << 20)

/*
 * Removes one slice of a marked endpoint, or else of a marked tenant. *more: there may be another. Costs two short
 * reads if nothing is marked. The caller has no transaction open. Returns as db_query().
 */
int removal_step(struct db *db, const struct config *config, bool *more, struct error *err);

#endif
