/*
 * What is in the store, over all tenants, for a person who looks at the installation (hooksctl doctor). Each statement
 * reads a bounded number of rows, or a small table. The functions return what db_query() does (store/db.h), and need no
 * transaction.
 */
#ifndef STORE_WEBHOOKS_OVERVIEW_H
#define STORE_WEBHOOKS_OVERVIEW_H

#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* Endpoints that are not deleted. */
struct overview_endpoints {
	int64_t all;
	int64_t disabled; /* by the service */
	int64_t failing; /* active ones whose last attempts have all failed */
	int64_t failing_since_ms; /* the first of them; 0: there is none */
	int64_t open_breakers;
};
int overview_endpoints(struct db *db, struct overview_endpoints *endpoints, struct error *err);

/* Jobs, or dead letters, of which at most OVERVIEW_ROWS are looked at; one of their times, 0: there is none. */
#define OVERVIEW_ROWS 100000
struct overview_rows {
	int64_t count;
	int64_t ms;
};

/* ms: when the first is, or was, due that is not held. */
int overview_jobs(struct db *db, struct overview_rows *jobs, struct error *err);

/* ms: when the newest died. */
int overview_dead_letters(struct db *db, struct overview_rows *letters, struct error *err);

/* Keys that end before then, the next ones first, at most 10. Columns: tenant_id, prefix, when (ms). */
int overview_expiring_keys(struct db *db, int64_t before_ms, struct db_rows **rows, struct error *err);

/* Nodes that deliver, or should: node_id, name, how long they have been silent (ms), and how long they may be. */
int overview_nodes(struct db *db, struct db_rows **rows, struct error *err);

/* The URL of an endpoint that is sent to; no row: there is none. URLs are credentials. */
int overview_target(struct db *db, struct db_rows **rows, struct error *err);

#endif
