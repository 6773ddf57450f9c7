/*
 * Notices: events of the service itself that are not published yet. The transaction that causes a notice adds it;
 * upkeep (control/notices.h) publishes it and removes its row in one transaction, so each is published once. All
 * functions return what db_query() does.
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

/* Adds a notice in the open transaction. */
int notice_add(struct db *db, struct uuid_source *ids, const struct notice *notice, struct error *err);

/* Finds the notice that has waited longest: tenant_id, notice_id; or no row. In no transaction. */
int notices_find(struct db *db, struct db_rows **rows, struct error *err);

/*
 * Locks the notice found, in a transaction. Columns of enum job_event_column (store/webhooks/job_rows.h); the first is
 * the notice's id, which is also the event's. No row: another node is working on it, or has published it.
 */
int notice_lock(struct db *db, const struct db_rows *found, struct db_rows **rows, struct error *err);

/* Removes the notice found, in the transaction that locked it. */
int notice_remove(struct db *db, const struct db_rows *found, struct error *err);

/* Postpones the notice found by ms. The caller has no transaction open. */
int notice_postpone(struct db *db, const struct db_rows *found, int64_t ms, struct error *err);

#endif
