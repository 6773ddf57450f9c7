/*
 * The row that is marked is locked while a slice goes: a node that finds a table empty knows that no other node is just
 * about to remove the last rows of it.
 */
#include "store/webhooks/removal.h"

#include <string.h>

/* ---- of an endpoint: attempts and events go by their retention ---- */

static const struct db_statement find_endpoint = {
    "SELECT tenant_id, endpoint_id FROM endpoints WHERE deleted_at IS NOT NULL LIMIT 1", NULL};

static const struct db_statement lock_endpoint = {
    "SELECT 1 FROM endpoints WHERE tenant_id = $1 AND endpoint_id = $2 AND deleted_at IS NOT NULL FOR UPDATE",
    "SELECT 1 FROM endpoints WHERE tenant_id = $1 AND endpoint_id = $2 AND deleted_at IS NOT NULL"};

/* The keys of the rows that go are named in full, so that each is found by the primary key. */
static const struct db_statement endpoint_slices[] = {
    {"DELETE FROM subscriptions WHERE tenant_id = $1 AND subscription_id IN"
     " (SELECT subscription_id FROM subscriptions WHERE tenant_id = $1 AND endpoint_id = $2 LIMIT $3) RETURNING 1",
	NULL},
    {"DELETE FROM jobs WHERE tenant_id = $1 AND endpoint_id = $2 AND job_id IN"
     " (SELECT job_id FROM jobs WHERE tenant_id = $1 AND endpoint_id = $2 LIMIT $3) RETURNING 1",
	NULL},
    {"DELETE FROM dlq_events WHERE tenant_id = $1 AND (event_id, job_id) IN"
     " (SELECT event_id, job_id FROM dlq_events WHERE tenant_id = $1 AND endpoint_id = $2 LIMIT $3) RETURNING 1",
	NULL},
    {"DELETE FROM fifo_heads WHERE tenant_id = $1 AND endpoint_id = $2 AND ordering_key IN"
     " (SELECT ordering_key FROM fifo_heads WHERE tenant_id = $1 AND endpoint_id = $2 LIMIT $3) RETURNING 1",
	NULL},
};

static const struct db_statement remove_endpoint = {
    "DELETE FROM endpoints WHERE tenant_id = $1 AND endpoint_id = $2 AND deleted_at IS NOT NULL", NULL};

/* ---- of a tenant: everything ---- */

static const struct db_statement find_tenant = {
    "SELECT tenant_id FROM tenants WHERE deleted_at IS NOT NULL LIMIT 1", NULL};

static const struct db_statement lock_tenant = {
    "SELECT 1 FROM tenants WHERE tenant_id = $1 AND deleted_at IS NOT NULL FOR UPDATE",
    "SELECT 1 FROM tenants WHERE tenant_id = $1 AND deleted_at IS NOT NULL"};

static const struct db_statement tenant_slices[] = {
    {"DELETE FROM subscriptions WHERE tenant_id = $1 AND subscription_id IN"
     " (SELECT subscription_id FROM subscriptions WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    {"DELETE FROM jobs WHERE tenant_id = $1 AND (endpoint_id, job_id) IN"
     " (SELECT endpoint_id, job_id FROM jobs WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    {"DELETE FROM fifo_heads WHERE tenant_id = $1 AND (endpoint_id, ordering_key) IN"
     " (SELECT endpoint_id, ordering_key FROM fifo_heads WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    {"DELETE FROM endpoints WHERE tenant_id = $1 AND endpoint_id IN"
     " (SELECT endpoint_id FROM endpoints WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    {"DELETE FROM transforms WHERE tenant_id = $1 AND transform_id IN"
     " (SELECT transform_id FROM transforms WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    {"DELETE FROM attempts WHERE tenant_id = $1 AND (attempt_id, started_at) IN"
     " (SELECT attempt_id, started_at FROM attempts WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    {"DELETE FROM dlq WHERE tenant_id = $1 AND job_id IN"
     " (SELECT job_id FROM dlq WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    {"DELETE FROM dlq_events WHERE tenant_id = $1 AND (event_id, job_id) IN"
     " (SELECT event_id, job_id FROM dlq_events WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    {"DELETE FROM events WHERE tenant_id = $1 AND (event_id, created_at) IN"
     " (SELECT event_id, created_at FROM events WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    {"DELETE FROM cancelled_jobs WHERE tenant_id = $1 AND (version, job_id) IN"
     " (SELECT version, job_id FROM cancelled_jobs WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    {"DELETE FROM notices WHERE tenant_id = $1 AND notice_id IN"
     " (SELECT notice_id FROM notices WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    {"DELETE FROM replays WHERE tenant_id = $1 AND replay_id IN"
     " (SELECT replay_id FROM replays WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    {"DELETE FROM inbox_messages WHERE tenant_id = $1 AND (token, message_id) IN"
     " (SELECT token, message_id FROM inbox_messages WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    {"DELETE FROM idempotency_keys WHERE tenant_id = $1 AND (route, key) IN"
     " (SELECT route, key FROM idempotency_keys WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    {"DELETE FROM audit_log WHERE tenant_id = $1 AND audit_id IN"
     " (SELECT audit_id FROM audit_log WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
    /*
     * A node that has not read for a while must still find out that these were revoked, and a new tenant of
     * this id must not see them. So they belong to nobody until they are old (store/webhooks/key_rows.h).
     */
    {"UPDATE api_keys SET tenant_id = '', name = NULL WHERE tenant_id = $1 AND key_id IN"
     " (SELECT key_id FROM api_keys WHERE tenant_id = $1 LIMIT $2) RETURNING 1",
	NULL},
};

/* One row each. */
static const struct db_statement tenant_rows[] = {
    {"DELETE FROM tenant_stats WHERE tenant_id = $1", NULL},
    {"DELETE FROM pauses WHERE tenant_id = $1", NULL},
    {"DELETE FROM routing_versions WHERE tenant_id = $1", NULL},
    {"DELETE FROM tenants WHERE tenant_id = $1 AND deleted_at IS NOT NULL", NULL},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What is removed: its keys as parameters, and a place for the number of rows behind them. */
struct marked {
	struct db_param params[3];
	size_t keys;
	const struct db_statement *lock;
	const struct db_statement *slices; /* each takes the keys and a number of rows */
	size_t slices_count;
	const struct db_statement *rows; /* each takes the keys; the last one removes the marked row */
	size_t rows_count;
};

/* In a transaction: one slice of the first table that has rows, or what is left when none has. */
static int
remove_slice(struct db *db, struct marked *marked, struct error *err)
{
	bool any;
	int rc = db_finds(db, marked->lock, marked->params, marked->keys, &any, err);

	if (rc != 0 || !any)
		return rc; /* another node was faster */
	marked->params[marked->keys] = db_int(REMOVAL_SLICE_ROWS);
	for (size_t i = 0; i < marked->slices_count; i++) {
		rc = db_finds(db, &marked->slices[i], marked->params, marked->keys + 1, &any, err);
		if (rc != 0 || any)
			return rc;
	}
	for (size_t i = 0; rc == 0 && i < marked->rows_count; i++)
		rc = db_query(db, &marked->rows[i], marked->params, marked->keys, NULL, err);
	return rc;
}

static int
remove_marked(struct db *db, struct marked *marked, struct error *err)
{
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = remove_slice(db, marked, err);
	rc = db_end(db, rc, err);
	return rc == DB_BUSY ? 0 : rc; /* another node is at it: the next step tries again */
}

int
removal_step(struct db *db, bool *more, struct error *err)
{
	struct marked endpoint = {.keys = 2,
	    .lock = &lock_endpoint,
	    .slices = endpoint_slices,
	    .slices_count = COUNT(endpoint_slices),
	    .rows = &remove_endpoint,
	    .rows_count = 1};
	struct marked tenant = {.keys = 1,
	    .lock = &lock_tenant,
	    .slices = tenant_slices,
	    .slices_count = COUNT(tenant_slices),
	    .rows = tenant_rows,
	    .rows_count = COUNT(tenant_rows)};
	struct marked *marked = &endpoint;
	struct db_rows *rows;
	int rc = db_query(db, &find_endpoint, NULL, 0, &rows, err);

	*more = false;
	if (rc == 0 && db_rows_count(rows) == 0) {
		db_rows_free(rows);
		marked = &tenant;
		rc = db_query(db, &find_tenant, NULL, 0, &rows, err);
	}
	if (rc != 0)
		return rc;
	*more = db_rows_count(rows) > 0;
	if (*more) {
		for (uint32_t i = 0; i < marked->keys; i++)
			marked->params[i] = db_text(db_rows_text(rows, 0, i));
		rc = remove_marked(db, marked, err);
	}
	db_rows_free(rows);
	return rc;
}
