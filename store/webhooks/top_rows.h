/*
 * Who has most: tenants and endpoints with most jobs that wait, endpoints with most failures. Metrics have no names of
 * them, whose number is not bounded. The functions return as db_query(), and are for no transaction of the caller.
 */
#ifndef STORE_WEBHOOKS_TOP_ROWS_H
#define STORE_WEBHOOKS_TOP_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* No more rows are looked at, whichever the database gives first. */
#define TOP_JOBS_MOST 1000000
#define TOP_ATTEMPTS_MOST 200000

/* Failures are those of attempts that began so long ago at most. */
#define TOP_WINDOW_MS (5 * 60 * 1000)

struct top_question {
	const char *tenant_id; /* NULL: all tenants */
	uint32_t most; /* rows of the answer */
	bool postgres; /* which of the two databases it is asked of */
};

/* Most first, as upkeep has counted them last: tenant_id, jobs. None of a tenant that has no job. */
int top_tenants(struct db *db, const struct top_question *question, struct db_rows **rows, struct error *err);

/* Most first: tenant_id, endpoint_id, jobs that wait, jobs that were looked at for all rows. */
int top_waiting(struct db *db, const struct top_question *question, struct db_rows **rows, struct error *err);

/*
 * Most first: tenant_id, endpoint_id, failures, attempts, attempts that were looked at for all rows. Rows of endpoints
 * without a failure come last. Tests that somebody asked for do not count.
 */
int top_failing(struct db *db, const struct top_question *question, struct db_rows **rows, struct error *err);

#endif
