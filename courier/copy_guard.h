/*
 * A copy of a store must not send to customers: yesterday's backup on another machine, a database that was cloned for
 * tests. Its jobs wait until a person says that it is the one that delivers. Courier 0, in its claim of the node's row.
 */
#ifndef COURIER_COPY_GUARD_H
#define COURIER_COPY_GUARD_H

#include "base/error.h"
#include "config/config.h"
#include "store/db.h"

/* In DATA_DIR, over SQLite: the id of the store that this directory belongs to. */
#define STORE_FILE "hl-store"

/*
 * Compares what the store says of itself with what is here: the number of its PostgreSQL server, or over SQLite the id
 * in STORE_FILE; and HL_DEPLOYMENT. A store that says nothing gets what is here. If it says something else and jobs
 * wait in it, deliveries of all tenants are paused; in the same transaction it gets what is here, so it is asked once
 * whatever number of nodes starts. Who reads changes.version after this, and the pauses after that, knows the pause.
 * As db_commit(), or <0: DATA_DIR cannot be read or written. After any result but 0 it is to be called again.
 */
int copy_guard_check(const struct config *config, struct db *db, struct error *err);

#endif
