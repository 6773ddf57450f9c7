/*
 * The table `replays`: what somebody asked to be sent again, and how far that is. The functions return what db_query()
 * does (store/db.h). For one thread.
 */
#ifndef STORE_WEBHOOKS_REPLAY_ROWS_H
#define STORE_WEBHOOKS_REPLAY_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"
#include "store/webhooks/list_sql.h"

enum replay_column {
	REPLAY_COLUMN_ID,
	REPLAY_COLUMN_TENANT,
	REPLAY_COLUMN_STATUS,
	REPLAY_COLUMN_REQUEST, /* JSON, as sent */
	REPLAY_COLUMN_PLACE, /* the last event that was looked at; null: none yet */
	REPLAY_COLUMN_MATCHED,
	REPLAY_COLUMN_MATCHED_EXACT,
	REPLAY_COLUMN_TAKEN,
	REPLAY_COLUMN_REPLAYED,
	REPLAY_COLUMN_SCHEDULED,
	REPLAY_COLUMN_SKIPPED,
	REPLAY_COLUMN_RESULTS, /* a JSON array; null: none yet */
	REPLAY_COLUMN_ERROR, /* why it failed; null */
	REPLAY_COLUMN_CREATED_MS,
	REPLAY_COLUMN_UPDATED_MS,
	REPLAY_COLUMN_NEXT_MS, /* when it may go on */
	REPLAY_COLUMN_FINISHED_MS, /* null: it goes on */
	REPLAY_COLUMN_NOW_MS, /* by the store's clock */
};

/* How many events a replay names. */
struct replay_matched {
	int64_t events;
	bool exact; /* false: the range has more events than were counted, and may have more of them */
};

/* Adds one that waits to begin. request: JSON. In a transaction. */
int replay_rows_add(struct db *db, const char *tenant_id, const char *id, struct span request,
    const struct replay_matched *matched, struct error *err); /* six: whose, what, and the error */

/* One row, or none: the tenant has no such replay. for_update: in a transaction, which then alone may change it. */
int replay_rows_get(struct db *db, const char *tenant_id, const char *id, bool for_update, struct db_rows **rows,
    struct error *err); /* six: what to read, and what comes back */

/* A part of a tenant's list, in the order of ids. */
int replay_rows_list(
    struct db *db, const char *tenant_id, const struct list_slice *slice, struct db_rows **rows, struct error *err);

/* The tenant and the id of the replay that has waited longest to go on; no row: none may go on now. */
int replay_rows_find(struct db *db, struct db_rows **rows, struct error *err);

/*
 * Locks the one that was found, in a transaction, which then is the only one of all nodes that works on it: a node that
 * dies leaves it to the others. No row: it may not go on any more, or another node works on it.
 */
int replay_rows_lock(struct db *db, const struct db_rows *found, struct db_rows **rows, struct error *err);

/* How far a replay is. */
struct replay_progress {
	uint8_t place[16]; /* all zero: no event was looked at */
	int64_t matched; /* events that the request names, as far as they were counted */
	int64_t taken; /* events of which jobs were made, or would have been made had they not waited still */
	int64_t replayed; /* events of which jobs were made */
	int64_t scheduled, skipped; /* jobs that were made; that waited still */
	int64_t next_ms; /* store's clock */
	bool finished;
};

/* Stores it, as done or running. results: a JSON array. node_id: the node that has worked on it. In a transaction. */
int replay_rows_save(struct db *db, struct db_rows *of, const struct replay_progress *progress, const char *results,
    int64_t node_id, struct error *err); /* six: whose, what, and the error */

/*
 * Has one that replay_rows_find() has found wait for so long, so that others have their turn. Returns as db_query().
 */
int replay_rows_postpone(struct db *db, const struct db_rows *found, int64_t ms, struct error *err);

/*
 * Ends one that has not ended, as 'cancelled' or 'failed'; error: why, or NULL. In a transaction. *ended: whether it
 * was there and went on until now.
 */
int replay_rows_end(struct db *db, const char *tenant_id, const char *id, const char *status, const char *error,
    bool *ended, struct error *err); /* seven: which, how, and what comes back */

/* How long lists show a replay that has ended. */
#define REPLAYS_KEPT_MS (30 * INT64_C(86400000))

/*
 * Removes up to limit of all tenants' replays that ended longer ago, in a transaction of its own. *removed: how many.
 */
int replay_rows_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err);

#endif
