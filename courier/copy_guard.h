/*
 * A copy of a store must not send to customers: yesterday's backup on another machine, a database cloned for tests. Its
 * jobs wait until a person confirms that this store delivers. Courier 0 checks when it claims the node's row.
 */
#ifndef COURIER_COPY_GUARD_H
#define COURIER_COPY_GUARD_H

#include "base/error.h"
#include "config/config.h"
#include "store/db.h"

/* In DATA_DIR, over SQLite: the id of the store that this directory belongs to. */
#define STORE_FILE "hl-store"

/*
 * Compares the identity that the store records with the identity found here: the PostgreSQL server's system identifier,
 * or over SQLite the id in STORE_FILE; and HL_DEPLOYMENT. If the store records none, it gets this one. If it records
 * another one and has waiting jobs, deliveries of all tenants are paused, and the same transaction records this
 * identity: the pause happens once, however many nodes start. A process that reads changes.version after this, and then
 * the pauses, sees the pause. As db_commit(), or <0: DATA_DIR cannot be read or written, or a move has the store. Call
 * it again after any result but 0.
 */
int copy_guard_check(const struct config *config, struct db *db, struct error *err);

#endif
