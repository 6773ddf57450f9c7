/*
 * Rows of the tables `events` and `jobs`, as publishing adds them. All functions are for a transaction, and return what
 * db_query() does (store/db.h). They skip publications that have an outcome.
 */
#ifndef STORE_WEBHOOKS_EVENT_ROWS_H
#define STORE_WEBHOOKS_EVENT_ROWS_H

#include "base/error.h"
#include "store/db.h"
#include "store/webhooks/publication.h"

/*
 * Finds events that are already in the store: they get PUBLISH_STORED and the number of their jobs. If their
 * transaction began more than slow_ms ago, it may have committed only now (a COMMIT may wait for synchronous standbys
 * without limit): stored_at becomes the time of this transaction.
 */
int events_find(struct db *db, const struct publication_group *group, int64_t slow_ms, struct error *err);

/* Adds the events. DB_REFUSED with db_conflict(): one of them exists already; with db_unexplained(): perhaps. */
int events_add(struct db *db, const struct publication_group *group, db_adds *add, struct error *err);

/*
 * Adds their jobs. Call it last in the transaction: jobs of endpoints with fifo get their places
 * (store/webhooks/fifo_places.h), and other transactions wait for the commit. Jobs of endpoints that hold do not
 * expire, nor do those of endpoints with fifo: their lifetime begins with their turn. DB_BUSY also if the places of an
 * endpoint are locked for a second.
 */
int jobs_add(struct db *db, const struct publication_group *group, db_adds *add, struct error *err);

/*
 * Locks the places that jobs_add() will take, before anything is added. DB_BUSY: they stay locked for some
 * milliseconds.
 */
int jobs_try_places(struct db *db, const struct publication_group *group, struct error *err);

#endif
