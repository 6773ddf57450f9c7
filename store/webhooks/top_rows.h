/*
 * The tenants and endpoints with the most waiting jobs, and endpoints with the most failures. Metrics do not name them,
 * because their number is unbounded. The functions return as db_query(); the caller has no transaction open.
 */
#ifndef STORE_WEBHOOKS_TOP_ROWS_H
#define STORE_WEBHOOKS_TOP_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* The most rows read, whichever the database gives first. */
#define TOP_JOBS_MOST 1000000
#define TOP_ATTEMPTS_MOST 200000

/* Failures of attempts that began within this time. */
#define TOP_WINDOW_MS (5 * 60 * 1000)

struct top_question {
	const char *tenant_id; /* NULL: all tenants */
	uint32_t most; /* rows of the answer */
	bool postgres; /* the database is PostgreSQL, otherwise SQLite */
};

/* Most first, by upkeep's last count: tenant_id, jobs. No row for a tenant without jobs. */
int top_tenants(struct db *db, const struct top_question *question, struct db_rows **rows, struct error *err);

/* Most first: tenant_id, endpoint_id, waiting jobs, jobs read for all rows. */
int top_waiting(struct db *db, const struct top_question *question, struct db_rows **rows, struct error *err);

/*
 * Most first: tenant_id, endpoint_id, failures, attempts, attempts read for all rows. Endpoints without a failure come
 * last. Tests do not count.
 */
int top_failing(struct db *db, const struct top_question *question, struct db_rows **rows, struct error *err);

#endif
