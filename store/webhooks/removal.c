/*
 * The marked row is locked while a slice is removed, so a node that finds a table empty knows that no other node is
 * removing its last rows.
 *
 * A publisher or a courier may have looked before the mark was committed, and add a row after its table was found
 * empty. So there are two passes over the tables. After the first one the marked row becomes ERASED. The second one
 * begins after all transactions have ended that had an id before that; if it finds nothing, the row is removed. SQLite
 * has only one writer at a time.
 *
 * In SQLite nobody else writes while a slice is removed, and removing a large row takes long. So a slice there is
 * several statements of a few rows, which return the rows' sizes.
 */
#include "store/webhooks/removal.h"

#include <string.h>

#include "store/webhooks/job_outcomes.h"

#define ERASED "erased"

/* Whether all transactions with an older id than the row's last writer have ended. */
#define SETTLED "age(xmin) > age(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS xid))"

/* ---- of an endpoint: attempts and events go by their retention ---- */

static const struct db_statement find_endpoint = {
    "SELECT tenant_id, endpoint_id, state FROM endpoints WHERE deleted_at IS NOT NULL AND (state <> '" ERASED
    "' OR " SETTLED ") LIMIT 1",
    "SELECT tenant_id, endpoint_id, state FROM endpoints WHERE deleted_at IS NOT NULL LIMIT 1"};

static const struct db_statement lock_endpoint = {
    "SELECT 1 FROM endpoints WHERE tenant_id = $1 AND endpoint_id = $2 AND state = $3 AND deleted_at IS NOT NULL "
    "FOR UPDATE",
    "SELECT 1 FROM endpoints WHERE tenant_id = $1 AND endpoint_id = $2 AND state = $3 AND deleted_at IS NOT NULL"};

/*
 * A statement that has removed rows returns one row in PostgreSQL, and in SQLite one for each, with its size in bytes.
 * PostgreSQL finds the rows again by ctid, whatever its planner assumes about a table that was never analyzed; SQLite
 * by the whole key. If two partitions have rows with the same ctid and one was found, the other is removed too; it
 * belongs to the same tenant.
 */
#define SLICE(table, key, size, condition, limit)                                                                      \
	{                                                                                                              \
		"WITH found AS MATERIALIZED (SELECT ctid FROM " table " WHERE " condition " LIMIT " limit "), "        \
		"gone AS (DELETE FROM " table " WHERE tenant_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM found)) "  \
		"RETURNING 1) SELECT 1 FROM found LIMIT 1",                                                            \
		    "DELETE FROM " table " WHERE tenant_id = $1 AND (" key ") IN (SELECT " key " FROM " table          \
		    " WHERE " condition " LIMIT " limit ") RETURNING " size                                            \
	}
#define OF_ENDPOINT(table, key, size) SLICE(table, key, size, "tenant_id = $1 AND endpoint_id = $2", "$3")
#define OF_TENANT(table, key, size) SLICE(table, key, size, "tenant_id = $1", "$2")

/* The size of columns that may be large. */
#define BYTES(column) "COALESCE(length(CAST(" column " AS blob)), 0)"
#define BYTES_OF(one, other) BYTES(one) " + " BYTES(other)
#define SMALL "0"
#define EVENT BYTES_OF("payload", "extra")
#define DOCUMENT BYTES_OF("metadata", "extra")

static const struct db_statement endpoint_slices[] = {
    OF_ENDPOINT("subscriptions", "subscription_id", DOCUMENT " + " BYTES("filter")),
    OF_ENDPOINT("jobs", "endpoint_id, job_id", SMALL),
    OF_ENDPOINT("dlq_events", "event_id, job_id", EVENT),
    OF_ENDPOINT("fifo_heads", "endpoint_id, ordering_key", SMALL),
};

static const struct db_statement note_endpoint = {
    "UPDATE endpoints SET state = '" ERASED "' WHERE tenant_id = $1 AND endpoint_id = $2", NULL};

static const struct db_statement remove_endpoint = {
    "DELETE FROM endpoints WHERE tenant_id = $1 AND endpoint_id = $2 AND deleted_at IS NOT NULL", NULL};

/* ---- of a tenant: everything ---- */

static const struct db_statement find_tenant = {
    "SELECT tenant_id, status FROM tenants WHERE deleted_at IS NOT NULL AND (status <> '" ERASED "' OR " SETTLED
    ") LIMIT 1",
    "SELECT tenant_id, status FROM tenants WHERE deleted_at IS NOT NULL LIMIT 1"};

static const struct db_statement lock_tenant = {
    "SELECT 1 FROM tenants WHERE tenant_id = $1 AND status = $2 AND deleted_at IS NOT NULL FOR UPDATE",
    "SELECT 1 FROM tenants WHERE tenant_id = $1 AND status = $2 AND deleted_at IS NOT NULL"};

static const struct db_statement tenant_slices[] = {
    OF_TENANT("subscriptions", "subscription_id", DOCUMENT " + " BYTES("filter")),
    OF_TENANT("jobs", "endpoint_id, job_id", SMALL),
    OF_TENANT("fifo_heads", "endpoint_id, ordering_key", SMALL),
    OF_TENANT("endpoints", "endpoint_id", DOCUMENT),
    OF_TENANT("transforms", "transform_id", BYTES("steps")),
    /* Before the attempts, because a test without a row adds no attempt. */
    OF_TENANT("endpoint_tests", "attempt_id", BYTES("payload")),
    OF_TENANT("attempts", "attempt_id, started_at", BYTES("response_body")),
    OF_TENANT("dlq", "job_id", EVENT),
    OF_TENANT("dlq_events", "event_id, job_id", EVENT),
    OF_TENANT("notices", "notice_id", SMALL),
    OF_TENANT("events", "event_id, created_at", EVENT),
    OF_TENANT("cancelled_jobs", "version, job_id", SMALL),
    OF_TENANT("replays", "replay_id", BYTES_OF("request", "results")),
    OF_TENANT("inbox_messages", "token, message_id", BYTES_OF("headers", "body")),
    OF_TENANT("idempotency_keys", "route, key", SMALL),
    OF_TENANT("audit_log", "audit_id", BYTES_OF("before", "after")),
    /*
     * Revoked keys are kept without an owner until they are old (store/webhooks/key_rows.h): a node that has not read
     * for a while must still learn of the revocation, and a new tenant with this id must not see the keys.
     */
    {"WITH found AS MATERIALIZED (SELECT key_id FROM api_keys WHERE tenant_id = $1 LIMIT $2)"
     " UPDATE api_keys SET tenant_id = '', name = NULL WHERE tenant_id = $1 AND key_id IN"
     " (SELECT key_id FROM found) RETURNING " SMALL,
	NULL},
};

static const struct db_statement note_tenant = {"UPDATE tenants SET status = '" ERASED "' WHERE tenant_id = $1", NULL};

/* One row each. */
static const struct db_statement tenant_rows[] = {
    {"DELETE FROM tenant_stats WHERE tenant_id = $1", NULL},
    {"DELETE FROM pauses WHERE tenant_id = $1", NULL},
    {"DELETE FROM routing_versions WHERE tenant_id = $1", NULL},
    /* Raises removed_version, because a courier that has not read for a while finds no row of the tenant. */
    {"UPDATE changes SET version = version + 1, removed_version = version + 1"
     " WHERE EXISTS (SELECT 1 FROM tenants WHERE tenant_id = $1)",
	NULL},
    {"DELETE FROM tenants WHERE tenant_id = $1 AND deleted_at IS NOT NULL", NULL},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Rows per statement in SQLite. */
#define ROWS_AT_ONCE 16

/* What is being removed: its keys as parameters, and room for one more behind them. */
struct marked {
	struct db_param params[3];
	size_t keys;
	uint32_t at_once; /* rows per statement */
	const struct db_statement *find; /* returns the keys and the state of a marked row */
	const struct db_statement *lock; /* takes the keys and that state */
	const struct db_statement *slices; /* one per table; each takes the keys and a number of rows */
	size_t slices_count;
	const struct db_statement *note; /* takes the keys: sets the marked row's state to ERASED */
	const struct db_statement *rows; /* each takes the keys; the last one removes the marked row */
	size_t rows_count;
};

/* The number of rows that make up REMOVAL_SLICE_BYTES if each has the largest size. */
static uint32_t
rows_at_once(const struct config *config)
{
	uint64_t rows = REMOVAL_SLICE_BYTES / config->hl_max_payload_bytes;

	if (config->hl_store == HL_STORE_POSTGRES)
		return REMOVAL_SLICE_ROWS;
	return rows > ROWS_AT_ONCE ? ROWS_AT_ONCE : rows > 0 ? (uint32_t)rows : 1;
}

/* Removes a slice of one table. *any: it had rows. */
static int
remove_rows(struct db *db, struct marked *marked, const struct db_statement *statement, bool *any, struct error *err)
{
	uint32_t count, rows = 0;
	int64_t bytes = 0;

	marked->params[marked->keys] = db_int(marked->at_once);
	do {
		struct db_rows *removed;
		int rc = db_query(db, statement, marked->params, marked->keys + 1, &removed, err);

		if (rc != 0)
			return rc;
		count = db_rows_count(removed);
		for (uint32_t row = 0; row < count; row++)
			bytes += db_rows_int(removed, row, 0);
		db_rows_free(removed);
		rows += count;
	} while (count == marked->at_once && rows + count <= REMOVAL_SLICE_ROWS && bytes < REMOVAL_SLICE_BYTES);
	*any = rows > 0;
	return 0;
}

/*
 * Removes one slice of the first table that has rows, in a transaction. If no table has any, marks the row as ERASED;
 * if it is ERASED already, removes it and the remaining single rows.
 */
static int
remove_slice(struct db *db, struct marked *marked, struct span word, struct error *err)
{
	bool any, erased = word.len == strlen(ERASED) && memcmp(word.base, ERASED, word.len) == 0;
	int rc;

	marked->params[marked->keys] = db_text(word);
	rc = db_finds(db, marked->lock, marked->params, marked->keys + 1, &any, err);
	if (rc != 0 || !any)
		return rc; /* another node was faster */
	for (size_t i = 0; i < marked->slices_count; i++) {
		rc = remove_rows(db, marked, &marked->slices[i], &any, err);
		if (rc != 0 || any)
			return rc;
	}
	if (!erased)
		return db_query(db, marked->note, marked->params, marked->keys, NULL, err);
	for (size_t i = 0; rc == 0 && i < marked->rows_count; i++)
		rc = db_query(db, &marked->rows[i], marked->params, marked->keys, NULL, err);
	return rc;
}

static int
remove_marked(struct db *db, struct marked *marked, struct span word, struct error *err)
{
	int rc = jobs_begin(db, err);

	if (rc == 0)
		rc = remove_slice(db, marked, word, err);
	rc = db_end(db, rc, err);
	return rc == DB_BUSY ? 0 : rc; /* another node is working on it: the next step tries again */
}

/* Removes a slice of a marked endpoint or tenant. *any: there was one. */
static int
step(struct db *db, struct marked *marked, bool *any, struct error *err)
{
	struct db_rows *rows;
	int rc = db_query(db, marked->find, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	*any = db_rows_count(rows) > 0;
	if (*any) {
		for (uint32_t i = 0; i < marked->keys; i++)
			marked->params[i] = db_text(db_rows_text(rows, 0, i));
		rc = remove_marked(db, marked, db_rows_text(rows, 0, (uint32_t)marked->keys), err);
	}
	db_rows_free(rows);
	return rc;
}

int
removal_step(struct db *db, const struct config *config, bool *more, struct error *err)
{
	struct marked endpoint = {.keys = 2,
	    .at_once = rows_at_once(config),
	    .find = &find_endpoint,
	    .lock = &lock_endpoint,
	    .slices = endpoint_slices,
	    .slices_count = COUNT(endpoint_slices),
	    .note = &note_endpoint,
	    .rows = &remove_endpoint,
	    .rows_count = 1};
	struct marked tenant = {.keys = 1,
	    .at_once = rows_at_once(config),
	    .find = &find_tenant,
	    .lock = &lock_tenant,
	    .slices = tenant_slices,
	    .slices_count = COUNT(tenant_slices),
	    .note = &note_tenant,
	    .rows = tenant_rows,
	    .rows_count = COUNT(tenant_rows)};
	int rc = step(db, &endpoint, more, err);

	return rc != 0 || *more ? rc : step(db, &tenant, more, err);
}
