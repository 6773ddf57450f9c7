/*
 * Pieces of SQL common to the lists of events, attempts, jobs and dead letters.
 *
 * One macro makes both texts of a statement: PostgreSQL calls the type of an id uuid, SQLite text. A filter is a
 * parameter that may be null, or a bound that excludes nothing, so no SQL is assembled at run time. Times of rows are
 * always bounded, so that PostgreSQL reads only the partitions of these months.
 */
#ifndef STORE_WEBHOOKS_LIST_SQL_H
#define STORE_WEBHOOKS_LIST_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "store/db.h"
#include "store/webhooks/list_slice.h"

/* from <= time < to, in ms since 1970. */
struct time_range {
	int64_t from_ms, to_ms;
};

#define TIME_RANGE_LAST_MS INT64_C(253402300800000) /* the year 10000 */
#define TIME_RANGE_ALL ((struct time_range){0, TIME_RANGE_LAST_MS})

/*
 * The condition that the row has this id, and more conditions; the last part of a statement or subquery of PostgreSQL.
 * Only the key's index has that order. With a plain equality a planner that takes the table for empty might use any
 * index of the tenant.
 */
#define ONE_BY(column, id, more) column " >= " id " AND " column " <= " id " " more " ORDER BY " column " LIMIT 1"

static inline struct db_param
list_after_time(const struct list_slice *slice)
{
	int64_t first_us = slice->descending ? TIME_RANGE_LAST_MS * 1000 : 0;

	return db_int(slice->after != NULL ? slice->after_us : first_us);
}

/* like: a pattern of LIKE with the backslash as escape; base NULL: every topic. */
static inline struct db_param
list_like(struct span like)
{
	return like.base != NULL ? db_text(like) : db_string("%");
}

/*
 * Reads a slice of a list, as db_query(); the caller has no transaction open. Forces PostgreSQL to use the index that
 * has the order: with few statistics of a month it would read all rows of the tenant and sort them.
 */
int list_query(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count,
    struct db_rows **rows, struct error *err); /* six: as db_query() */

/* The same by db_each(). */
int list_each(struct db *db, const struct db_each *each, const struct db_param *values, uint32_t count,
    struct db_rows **rows, struct error *err); /* six: as db_each() */

/* A time as microseconds since 1970, and back, in each database, so that a place in a list is exact. */
#define PG_MICROSECONDS(column) "CAST(EXTRACT(epoch FROM " column ") * 1000000 AS bigint)"
/* Only immutable operators: Citus accepts no others in RETURNING of a distributed table. */
#define CITUS_MICROSECONDS(column)                                                                                     \
	"CAST(EXTRACT(epoch FROM " column " - TIMESTAMPTZ '1970-01-01 00:00:00+00') * 1000000 AS bigint)"
#define PG_OF_MICROSECONDS(parameter)                                                                                  \
	"(TIMESTAMPTZ '1970-01-01 00:00:00+00' + CAST(" parameter " AS bigint) / 86400000000 * INTERVAL '24 hours'"    \
	" + CAST(" parameter " AS bigint) % 86400000000 * INTERVAL '1 microsecond')"
#define SQLITE_MICROSECONDS(column) column " * 1000"
#define SQLITE_OF_MICROSECONDS(parameter) parameter " / 1000"

/* The columns of an event that the API shows, in the order of struct stored_event; both events and dlq have them. */
#define EVENT_COLUMNS                                                                                                  \
	"event_id, topic, payload, hl_ms(occurred_at), idempotency_key, ordering_key, target_user_id, extra, trace"
#define EVENT_COLUMN_COUNT 9

/* Borrowed from rows. Each but the first two may be null. */
struct stored_event {
	struct span id, topic;
	struct span payload; /* JSON, as stored */
	int64_t occurred_ms;
	struct span idempotency_key, ordering_key, target_user_id;
	struct span extra, trace; /* JSON objects */
};

/* Reads the event whose columns begin at `first`. */
static inline struct stored_event
stored_event_of_row(const struct db_rows *rows, uint32_t row, uint32_t first)
{
	return (struct stored_event){
	    .id = db_rows_text(rows, row, first),
	    .topic = db_rows_text(rows, row, first + 1),
	    .payload = db_rows_text(rows, row, first + 2),
	    .occurred_ms = db_rows_int(rows, row, first + 3),
	    .idempotency_key = db_rows_text(rows, row, first + 4),
	    .ordering_key = db_rows_text(rows, row, first + 5),
	    .target_user_id = db_rows_text(rows, row, first + 6),
	    .extra = db_rows_text(rows, row, first + 7),
	    .trace = db_rows_text(rows, row, first + 8),
	};
}

#endif
