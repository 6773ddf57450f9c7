/*
 * Hook events in the order in which they were stored, for streams (control/stream_feed.h). PostgreSQL has the batches
 * of them in hook_event_log, if they were stored while EVENT_STREAM_SECONDS was set. SQLite takes one transaction at a
 * time and numbers its rows, so their numbers are the order: where a time in microseconds is meant below, SQLite has
 * twice the number of a row.
 *
 * The functions return what db_query() does (store/db.h), on a connection of store_open_events(), in no transaction.
 */
#ifndef STORE_EVENT_LOG_H
#define STORE_EVENT_LOG_H

#include <stdint.h>

#include "store/db.h"

/*
 * Of SQLite, where somebody has removed the newest rows, or has put another file in the place of the database: others
 * get the numbers, so reading begins again that many rows earlier.
 */
#define EVENT_LOG_ROWS_AGAIN 1000

/* The present time, which no event has. */
int event_log_now(struct db *db, int64_t *now_us, struct error *err);

/*
 * The events of all tenants behind the one that was stored at that time with that id, in order, `limit` at most. An
 * event that the log has and the table has not any more is a row also: its tenant and all that follows is null.
 */
int event_log_read(
    struct db *db, int64_t after_us, const char *after_id, uint32_t limit, struct db_rows **rows, struct error *err);

enum event_log_column {
	EVENT_LOG_US, /* when it was stored */
	EVENT_LOG_ID,
	EVENT_LOG_TENANT,
	EVENT_LOG_TYPE,
	EVENT_LOG_SESSION,
	EVENT_LOG_CLIENT_ID, /* null: it was a UUID, or there was none */
	EVENT_LOG_WORKFLOW,
	EVENT_LOG_PHASE,
	EVENT_LOG_MILESTONE,
	EVENT_LOG_TIMESTAMP, /* 2026-11-22T03:54:40.123456Z, as the next */
	EVENT_LOG_RECEIVED,
	EVENT_LOG_DATA, /* JSON */
	EVENT_LOG_BATCH, /* PostgreSQL: an id of the batch that it was stored in, all at one time */
	EVENT_LOG_COLUMNS
};

/*
 * Ids and times of the events stored at from_us or later, up to and including that one, in order. In PostgreSQL ids and
 * times of their batches.
 */
int event_log_places(struct db *db, int64_t from_us, int64_t last_us, const char *last_id, struct db_rows **rows,
    struct error *err); /* six: the same as the others, and a range */

/* Of PostgreSQL: *unavailable says why the database has no log that this role writes and reads; NULL: it has. */
int event_log_check(struct db *db, const char **unavailable, struct error *err);

/* Of PostgreSQL: when the newest batch was stored of those that are older than so many seconds. 0: there is none. */
int event_log_old(struct db *db, uint64_t seconds, int64_t *old_us, struct error *err);

/*
 * Removes batches that are older than so many seconds from the log of PostgreSQL, a part at a time. Keeps the newest of
 * them, so that event_log_old() knows of those that are gone. *more: there is more.
 */
int event_log_tidy(struct db *db, uint64_t seconds, bool *more, struct error *err);

#endif
