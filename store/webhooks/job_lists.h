/*
 * Jobs that wait or are under way, as the API reads them. The functions return what db_query() does (store/db.h); *rows
 * has the columns of enum job_column. For one thread, in no transaction.
 */
#ifndef STORE_WEBHOOKS_JOB_LISTS_H
#define STORE_WEBHOOKS_JOB_LISTS_H

#include "store/webhooks/list_sql.h"

enum job_column {
	JOB_COLUMN_ID,
	JOB_COLUMN_EVENT,
	JOB_COLUMN_ENDPOINT,
	JOB_COLUMN_STATUS, /* "pending", "held" */
	JOB_COLUMN_ATTEMPTS,
	JOB_COLUMN_NEXT_MS,
	JOB_COLUMN_EXPIRES_MS, /* may be null, like the following */
	JOB_COLUMN_TRANSFORM,
	JOB_COLUMN_REPLAY,
	JOB_COLUMN_ERROR,
	JOB_COLUMN_SUBSCRIPTIONS, /* a JSON array of ids */
};

/* Filters; NULL: none. */
struct job_filter {
	const char *endpoint_id, *event_id;
	const char *status;
};

/* One row, or none: the tenant has no such waiting job. */
int job_lists_get(struct db *db, const char *tenant_id, const char *job_id, struct db_rows **rows, struct error *err);

/*
 * In the order of ids, which is that of their events. Without an endpoint, up to slice->limit jobs of each endpoint are
 * read: the table's only index is its key, which begins with tenant and endpoint.
 */
int job_lists_list(struct db *db, const char *tenant_id, const struct job_filter *filter,
    const struct list_slice *slice, struct db_rows **rows,
    struct error *err); /* six: what to read, and what comes back */

#endif
