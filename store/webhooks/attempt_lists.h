/*
 * Attempts at delivery, as the API reads them. The functions return what db_query() does (store/db.h); *rows has the
 * columns of enum attempt_column. For one thread, in no transaction.
 */
#ifndef STORE_WEBHOOKS_ATTEMPT_LISTS_H
#define STORE_WEBHOOKS_ATTEMPT_LISTS_H

#include "store/webhooks/list_sql.h"

enum attempt_column {
	ATTEMPT_COLUMN_ID,
	ATTEMPT_COLUMN_ENDPOINT,
	ATTEMPT_COLUMN_NUMBER,
	ATTEMPT_COLUMN_STATUS, /* "success", "failure" */
	ATTEMPT_COLUMN_STARTED_MS,
	ATTEMPT_COLUMN_DURATION_MS,
	ATTEMPT_COLUMN_TEST,
	ATTEMPT_COLUMN_JOB, /* null for a test, as EVENT; what follows may be null also */
	ATTEMPT_COLUMN_EVENT,
	ATTEMPT_COLUMN_HTTP_STATUS,
	ATTEMPT_COLUMN_ERROR,
	ATTEMPT_COLUMN_DNS_MS,
	ATTEMPT_COLUMN_CONNECT_MS,
	ATTEMPT_COLUMN_TLS_MS,
	ATTEMPT_COLUMN_FIRST_BYTE_MS,
	ATTEMPT_COLUMN_PEER,
	ATTEMPT_COLUMN_CERTIFICATE_ERROR,
	ATTEMPT_COLUMN_RESPONSE,
};

/* Which attempts; NULL leaves nothing out. */
struct attempt_filter {
	const char *event_id; /* required with a job_id: only event_id has an index */
	const char *job_id, *endpoint_id;
	const char *status;
	struct time_range started;
};

/* One row, or none: the tenant has no such attempt. started: a range that holds the time in the id. */
int attempt_lists_get(struct db *db, const char *tenant_id, const char *attempt_id, struct time_range started,
    struct db_rows **rows, struct error *err); /* six: what to read, and what comes back */

/* In the order of ids, which is that of the starts. */
int attempt_lists_list(struct db *db, const char *tenant_id, const struct attempt_filter *filter,
    const struct list_slice *slice, struct db_rows **rows, struct error *err); /* six: as above */

#endif
