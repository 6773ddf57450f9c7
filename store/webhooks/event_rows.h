/*
 * Rows of the tables `events` and `jobs`, as publishing adds them. All functions are for a transaction, and return what
 * db_query() does (store/db.h). They pass over publications whose outcome is known.
 */
#ifndef STORE_WEBHOOKS_EVENT_ROWS_H
#define STORE_WEBHOOKS_EVENT_ROWS_H

#include "base/error.h"
#include "store/db.h"
#include "store/webhooks/publication.h"

/*
 * Finds events that are in the store already: they are PUBLISH_STORED, with the jobs that were made of them. Where
 * their transaction began longer ago than slow_ms, it may have committed only now (a COMMIT waits for synchronous
 * standbys without end): stored_at becomes the time of this transaction.
 */
int events_find(struct db *db, const struct publication_group *group, int64_t slow_ms, struct error *err);

/* Adds the events. DB_REFUSED with db_conflict(): one of them is there already; with db_unexplained(): perhaps. */
int events_add(struct db *db, const struct publication_group *group, db_adds *add, struct error *err);

/*
 * Adds their jobs, last in the transaction: those of endpoints with fifo have their places from then on
 * (store/webhooks/fifo_places.h), and others wait for the commit. Jobs of endpoints that hold have no time at which
 * they expire, and neither have those of endpoints with fifo: their time begins when it is their turn. DB_BUSY also
 * when somebody keeps the places of an endpoint from being taken for a second.
 */
int jobs_add(struct db *db, const struct publication_group *group, db_adds *add, struct error *err);

/*
 * Locks the places that jobs_add() is going to take, before anything is added. DB_BUSY: somebody keeps them locked, and
 * has for some milliseconds.
 */
int jobs_try_places(struct db *db, const struct publication_group *group, struct error *err);

#endif
