/*
 * An overview of the store over all tenants, for hooksctl doctor. Each statement reads a bounded number of rows, or a
 * small table. The functions return what db_query() does (store/db.h), and need no transaction.
 */
#ifndef STORE_WEBHOOKS_OVERVIEW_H
#define STORE_WEBHOOKS_OVERVIEW_H

#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* Endpoints that are not deleted. */
struct overview_endpoints {
	int64_t all;
	int64_t disabled; /* disabled by the service */
	int64_t failing; /* active endpoints whose last attempts have all failed */
	int64_t failing_since_ms; /* since when the first of them has failed; 0: none */
	int64_t open_breakers;
};
int overview_endpoints(struct db *db, struct overview_endpoints *endpoints, struct error *err);

/* A count of jobs or dead letters, which ends at OVERVIEW_ROWS + 1; and one of their times, 0: none. */
#define OVERVIEW_ROWS INT64_C(100000)
struct overview_rows {
	int64_t count;
	int64_t ms;
};

/* ms: the earliest due time of a job that is not held, among those counted. */
int overview_jobs(struct db *db, struct overview_rows *jobs, struct error *err);

/* ms: the time of the newest dead letter of all. */
int overview_dead_letters(struct db *db, struct overview_rows *letters, struct error *err);

/* Keys that expire before before_ms, the earliest first, at most 10. Columns: tenant_id, prefix, expiry (ms). */
int overview_expiring_keys(struct db *db, int64_t before_ms, struct db_rows **rows, struct error *err);

/* Nodes that deliver, or should. Columns: node_id, name, silence (ms), timeout (ms). */
int overview_nodes(struct db *db, struct db_rows **rows, struct error *err);

/* The URL of an active endpoint; no row: none. URLs are credentials. */
int overview_target(struct db *db, struct db_rows **rows, struct error *err);

#endif
