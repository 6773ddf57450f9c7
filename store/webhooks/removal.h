/*
 * What follows a DELETE of an endpoint or a tenant: the row is only marked, and here everything that belongs to it
 * goes, in slices, and the row last. Each slice is a transaction, so a process that dies half-way has removed whole
 * slices and the next one goes on; any number of nodes may be at it at the same time. The row goes when nothing is left
 * of what was written for it before it was marked; an id is free again then.
 */
#ifndef STORE_WEBHOOKS_REMOVAL_H
#define STORE_WEBHOOKS_REMOVAL_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"
#include "store/db.h"

/* A slice has at most so many rows, and in SQLite ends with the statement that has removed so many bytes. */
#define REMOVAL_SLICE_ROWS 1000
#define REMOVAL_SLICE_BYTES (8 << 20)

/*
 * Removes one slice, of an endpoint if one is marked, else of a tenant. *more: there may be another now. Costs two
 * short reads when nothing is marked. In no transaction of the caller. Returns as db_query().
 */
int removal_step(struct db *db, const struct config *config, bool *more, struct error *err);

#endif
