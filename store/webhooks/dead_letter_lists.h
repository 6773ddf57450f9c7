/*
 * Dead letters, the rows of dlq, as the API reads and removes them. The functions return what db_query() does
 * (store/db.h); *rows has the columns of enum dead_letter_column. For one thread.
 */
#ifndef STORE_WEBHOOKS_DEAD_LETTER_LISTS_H
#define STORE_WEBHOOKS_DEAD_LETTER_LISTS_H

#include "store/webhooks/list_sql.h"

enum dead_letter_column {
	DEAD_LETTER_COLUMN_JOB,
	DEAD_LETTER_COLUMN_ENDPOINT,
	DEAD_LETTER_COLUMN_REASON,
	DEAD_LETTER_COLUMN_ATTEMPTS,
	DEAD_LETTER_COLUMN_CREATED_MS,
	DEAD_LETTER_COLUMN_CREATED_US, /* its place in the list */
	DEAD_LETTER_COLUMN_HTTP_STATUS, /* may be null, like the following */
	DEAD_LETTER_COLUMN_ERROR,
	DEAD_LETTER_COLUMN_TRANSFORM,
	DEAD_LETTER_COLUMN_REPLAY,
	DEAD_LETTER_COLUMN_EVENT, /* the first of stored_event_of_row() */
};

/* Filters; NULL: none. */
struct dead_letter_filter {
	const char *endpoint_id, *reason;
	struct span topic_like; /* of LIKE; base NULL: every topic */
	struct time_range created;
};

/* One row, or none: the tenant has no such dead letter. */
int dead_letter_lists_get(
    struct db *db, const char *tenant_id, const char *job_id, struct db_rows **rows, struct error *err);

/* Removes the row in a transaction, and returns it as above. */
int dead_letter_lists_take(
    struct db *db, const char *tenant_id, const char *job_id, struct db_rows **rows, struct error *err);

/* In the order of their deaths, then of ids. */
int dead_letter_lists_list(struct db *db, const char *tenant_id, const struct dead_letter_filter *filter,
    const struct list_slice *slice, struct db_rows **rows, struct error *err); /* six: as above */

#endif
