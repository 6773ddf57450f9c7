/*
 * `jobs` as a courier reads it: pages of an endpoint's rows, the events of some, endpoints that have rows, and held
 * rows. All functions are for a transaction of jobs_begin(), and return what db_query() does.
 */
#ifndef STORE_WEBHOOKS_JOB_ROWS_H
#define STORE_WEBHOOKS_JOB_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/* Rows of one endpoint. */
struct job_range {
	const char *tenant_id;
	const uint8_t *endpoint_id; /* 16 bytes */
	int64_t node_id; /* only rows of that node */
	const uint8_t *after; /* behind that job_id; 16 zeros: from the first */
	uint32_t limit;
};

enum job_column {
	JOB_COLUMN_ID,
	JOB_COLUMN_EVENT_ID,
	JOB_COLUMN_TRANSFORM_ID, /* may be null */
	JOB_COLUMN_ATTEMPT_COUNT,
	JOB_COLUMN_ATTEMPT_BASE,
	JOB_COLUMN_DUE_IN_MS, /* from now; negative: it was due */
	JOB_COLUMN_EXPIRES_IN_MS, /* may be null */
	JOB_COLUMN_HELD, /* boolean */
	JOB_COLUMN_REPLAYED, /* boolean: a replay has made it */
	JOB_COLUMN_FIFO_SEQ /* of job_rows_fifo_page() alone */
};

/* The rows in the order of job_id. */
int job_rows_page(struct db *db, const struct job_range *range, struct db_rows **rows, struct error *err);

/*
 * The same for an endpoint with fifo: rows that have a place, by fifo_seq, then by job_id, behind after_seq and
 * range->after. A row that is committed later has a higher place, unless its place is 0.
 */
int job_rows_fifo_page(
    struct db *db, const struct job_range *range, int64_t after_seq, struct db_rows **rows, struct error *err);

/*
 * job_rows_unplaced(): the job_ids of the first limit rows of the range without a place, in order. No courier has them
 * in memory. job_rows_place(): gives those of the range up to `last` the place 0, before all jobs published since the
 * endpoint has fifo, and the sender's node_id (from fifo_heads_claim() in the same transaction). Their lifetime begins
 * again with their turn.
 */
int job_rows_unplaced(struct db *db, const struct job_range *range, struct db_rows **rows, struct error *err);
int job_rows_place(
    struct db *db, const struct job_range *range, const uint8_t last[16], int64_t sender, struct error *err);

/* Names a job, to read its event. */
struct job_name {
	const uint8_t *job_id, *event_id; /* 16 bytes each */
};

enum job_event_column {
	JOB_EVENT_COLUMN_JOB_ID,
	JOB_EVENT_COLUMN_CREATED_MS, /* the time in the event's id */
	JOB_EVENT_COLUMN_OCCURRED_MS,
	JOB_EVENT_COLUMN_TOPIC,
	JOB_EVENT_COLUMN_PAYLOAD, /* may be null, as the following */
	JOB_EVENT_COLUMN_IDEMPOTENCY_KEY,
	JOB_EVENT_COLUMN_ORDERING_KEY,
	JOB_EVENT_COLUMN_TARGET_USER_ID,
	JOB_EVENT_COLUMN_EXTRA,
	JOB_EVENT_COLUMN_TRACE
};

/* Reads the events of count jobs of one tenant, in any order, perhaps one twice; none for a job whose event is gone. */
int job_rows_events(struct db *db, const char *tenant_id, const struct job_name *jobs, uint32_t count,
    struct db_rows **rows, struct error *err); /* six: whose, of which, and what comes back */

/* A place in the order of tenant_id and endpoint_id. */
struct job_place {
	const char *tenant_id; /* "": before all */
	const uint8_t *endpoint_id; /* 16 bytes */
	uint32_t limit; /* the most rows behind it */
};

/*
 * The endpoints of all tenants that have rows of any node, behind that place, in order; columns: tenant_id and
 * endpoint_id. Reads as many places of the key as it returns rows, however many jobs there are; a distributed store
 * reads one for each endpoint.
 */
int job_rows_scan(struct db *db, const struct job_place *place, struct db_rows **rows, struct error *err);

/* The same for a caller that wants only the place's tenant: others may follow. */
int job_rows_scan_tenant(struct db *db, const struct job_place *place, struct db_rows **rows, struct error *err);

/* The same for all endpoints that are not deleted, with or without rows: reads no row of jobs. */
int job_rows_scan_endpoints(struct db *db, const struct job_place *place, struct db_rows **rows, struct error *err);

/*
 * Mark the first limit rows of the range as held, which stops their expiry, or as pending. Rows that become pending
 * expire in lifetime_ms, unless they have a place in an order. *last: the job_id of the last of these rows; all zero:
 * the range has ended. They wait a second for a locked row. As db_query().
 */
int job_rows_hold(struct db *db, const struct job_range *range, uint8_t last[16], struct error *err);
int job_rows_release(
    struct db *db, const struct job_range *range, int64_t lifetime_ms, uint8_t last[16], struct error *err);

#endif
