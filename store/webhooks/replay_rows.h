/*
 * The table `replays`: requests to send events again, and their progress. The functions return what db_query() does
 * (store/db.h). For one thread.
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
	REPLAY_COLUMN_PLACE, /* the last event processed; null: none yet */
	REPLAY_COLUMN_MATCHED,
	REPLAY_COLUMN_MATCHED_EXACT,
	REPLAY_COLUMN_TAKEN,
	REPLAY_COLUMN_REPLAYED,
	REPLAY_COLUMN_SCHEDULED,
	REPLAY_COLUMN_SKIPPED,
	REPLAY_COLUMN_RESULTS, /* a JSON array; null: none yet */
	REPLAY_COLUMN_ERROR, /* why it failed; null: it did not */
	REPLAY_COLUMN_CREATED_MS,
	REPLAY_COLUMN_UPDATED_MS,
	REPLAY_COLUMN_NEXT_MS, /* when it may go on */
	REPLAY_COLUMN_FINISHED_MS, /* null: not ended */
	REPLAY_COLUMN_NOW_MS, /* by the store's clock */
};

/* How many events a replay names. */
struct replay_matched {
	int64_t events;
	bool exact; /* false: counting stopped before the end of the range, so there may be more */
};

/* Adds a pending replay. request: JSON. In a transaction. */
int replay_rows_add(struct db *db, const char *tenant_id, const char *id, struct span request,
    const struct replay_matched *matched, struct error *err); /* six: whose, what, and the error */

/* One row, or none: the tenant has no such replay. for_update: in a transaction; locks the row until its end. */
int replay_rows_get(struct db *db, const char *tenant_id, const char *id, bool for_update, struct db_rows **rows,
    struct error *err); /* six: what to read, and what comes back */

/* A slice of a tenant's replays, in the order of ids. */
int replay_rows_list(
    struct db *db, const char *tenant_id, const struct list_slice *slice, struct db_rows **rows, struct error *err);

/* Tenant and id of the replay that has waited longest to go on; no row: none may go on now. */
int replay_rows_find(struct db *db, struct db_rows **rows, struct error *err);

/*
 * Locks the replay found, in a transaction: no other node works on it until its end. If the node dies, the others
 * continue. No row: it may not go on now, or another node works on it.
 */
int replay_rows_lock(struct db *db, const struct db_rows *found, struct db_rows **rows, struct error *err);

/* The progress of a replay. */
struct replay_progress {
	uint8_t place[16]; /* all zero: no event processed */
	int64_t matched; /* events named by the request, as far as counted */
	int64_t taken; /* events with new jobs, or whose jobs still waited */
	int64_t replayed; /* events with new jobs */
	int64_t scheduled, skipped; /* jobs made; jobs that still waited */
	int64_t next_ms; /* store's clock */
	bool finished;
};

/*
 * Stores the progress, as done or running. results: a JSON array. node_id: the node that worked on it. In a
 * transaction.
 */
int replay_rows_save(struct db *db, struct db_rows *of, const struct replay_progress *progress, const char *results,
    int64_t node_id, struct error *err); /* six: whose, what, and the error */

/* Postpones a replay found by replay_rows_find(), so that others have their turn. Returns as db_query(). */
int replay_rows_postpone(struct db *db, const struct db_rows *found, int64_t ms, struct error *err);

/*
 * Ends an unfinished replay as 'cancelled' or 'failed'; error: why, or NULL. In a transaction. *ended: false: there was
 * none.
 */
int replay_rows_end(struct db *db, const char *tenant_id, const char *id, const char *status, const char *error,
    bool *ended, struct error *err); /* seven: which, how, and what comes back */

/* How long lists show an ended replay. */
#define REPLAYS_KEPT_MS (30 * INT64_C(86400000))

/*
 * Removes up to limit replays of all tenants that ended before that, in a transaction of its own. *removed: how many.
 */
int replay_rows_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err);

#endif
