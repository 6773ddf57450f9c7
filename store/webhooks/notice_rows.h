/*
 * Notices: events of the service itself that are not published yet. The transaction of what is told adds one; upkeep
 * (control/notices.h) publishes it and removes its row in one transaction, so each is published once. All functions
 * return what db_query() does.
 */
#ifndef STORE_WEBHOOKS_NOTICE_ROWS_H
#define STORE_WEBHOOKS_NOTICE_ROWS_H

#include "base/error.h"
#include "base/span.h"
#include "base/uuid.h"
#include "store/db.h"

/* Everything is borrowed. */
struct notice {
	struct span tenant_id;
	struct span topic;
	struct span payload; /* JSON */
};

/* Adds one in the transaction that db_begin() began. */
int notice_add(struct db *db, struct uuid_source *ids, const struct notice *notice, struct error *err);

/* The one that has waited longest: tenant_id, notice_id; or no row. In no transaction. */
int notices_find(struct db *db, struct db_rows **rows, struct error *err);

/*
 * Locks the one that was found, in a transaction: columns of enum job_event_column (store/webhooks/job_rows.h), of
 * which the first is its id, and the event's. No row: somebody else is at it, or has published it.
 */
int notice_lock(struct db *db, const struct db_rows *found, struct db_rows **rows, struct error *err);

/* Removes the one that was found, in the transaction that locked it. */
int notice_remove(struct db *db, const struct db_rows *found, struct error *err);

/* Lets the one that was found wait for so long. In no transaction of the caller. */
int notice_postpone(struct db *db, const struct db_rows *found, int64_t ms, struct error *err);

#endif
