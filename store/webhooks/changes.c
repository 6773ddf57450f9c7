/* The table `changes` has one row; its lock orders the transactions that raise it. */
#include "store/webhooks/changes.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/webhooks/routing.h"

static const struct db_statement read_version = {"SELECT version FROM changes WHERE id = 1", NULL};

static const struct db_statement raise_version = {
    "UPDATE changes SET version = version + 1 WHERE id = 1 RETURNING version", NULL};

#define CHANGES "SELECT version, removed_version FROM changes WHERE id = 1"
static const struct db_statement read_changes = {CHANGES, NULL};

/* Locking the row waits for a two-phase commit: the lock lasts until all nodes have committed. */
static const struct db_statement read_settled = {CHANGES, NULL, .citus = CHANGES " FOR NO KEY UPDATE"};

/*
 * routing_raise() and routing_raise_for_couriers() set change_version to null. Rows locked by others belong to
 * those.
 */
#define RAISED "SELECT tenant_id FROM routing_versions WHERE change_version IS NULL"
static const struct db_statement find_raised = {RAISED " FOR UPDATE SKIP LOCKED", RAISED};

static const enum db_type stamp_types[] = {DB_TYPE_TEXT, DB_TYPE_INT8};
static const struct db_each stamp = {
    {"UPDATE routing_versions SET change_version = given.version FROM unnest($1::text[], $2::bigint[])"
     " AS given (tenant_id, version) WHERE routing_versions.tenant_id = given.tenant_id",
	"UPDATE routing_versions SET change_version = $2 WHERE tenant_id = $1"},
    stamp_types, 2};

static const struct db_statement unseen = {
    "SELECT name FROM delivery_nodes WHERE left_at IS NULL AND adopted_by IS NULL"
    " AND hl_ms(alive_at) > hl_ms(hl_now()) - timeout_ms AND seen_version < $1 AND node_id <> $2 ORDER BY node_id",
    NULL};

/* Reads `count` numbers of the one row. */
static int
ask(struct db *db, const struct db_statement *statement, int64_t *numbers, uint32_t count, struct error *err)
{
	struct db_rows *rows;
	int rc = db_query(db, statement, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	if (db_rows_count(rows) != 1)
		rc = error_set(err, "the table changes has no row: the webhooks' store is damaged");
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		numbers[i] = db_rows_int(rows, 0, i);
	db_rows_free(rows);
	return rc;
}

int
changes_version(struct db *db, int64_t *version, struct error *err)
{
	return ask(db, &read_version, version, 1, err);
}

static int
read_by(struct db *db, const struct db_statement *statement, struct changes *changes, struct error *err)
{
	int64_t values[2];
	int rc = ask(db, statement, values, 2, err);

	if (rc == 0)
		*changes = (struct changes){values[0], values[1]};
	return rc;
}

int
changes_read(struct db *db, struct changes *changes, struct error *err)
{
	return read_by(db, &read_changes, changes, err);
}

int
changes_settle(struct db *db, struct changes *changes, struct error *err)
{
	return db_distributed(db) ? read_by(db, &read_settled, changes, err) : 0;
}

/* Stamps the tenants that this transaction has changed with the version. */
static int
stamp_raised(struct db *db, int64_t version, struct error *err)
{
	struct db_rows *rows;
	struct db_param *values;
	int rc = db_query(db, &find_raised, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	values = mem_new(2 * (size_t)db_rows_count(rows) + 1, sizeof *values);
	for (uint32_t row = 0; row < db_rows_count(rows); row++) {
		values[2 * row] = db_text(db_rows_text(rows, row, 0));
		values[2 * row + 1] = db_int(version);
	}
	rc = db_each(db, &stamp, values, db_rows_count(rows), NULL, err);
	free(values);
	db_rows_free(rows);
	return rc;
}

int
changes_raise(struct db *db, int64_t *version, struct error *err)
{
	int rc = ask(db, &raise_version, version, 1, err);

	return rc == 0 ? stamp_raised(db, *version, err) : rc;
}

int
changes_raise_of(struct db *db, const char *tenant_id, int64_t *version, struct error *err)
{
	int rc = routing_raise_for_couriers(db, tenant_id, err);

	return rc == 0 ? changes_raise(db, version, err) : rc;
}

int
changes_unseen(struct db *db, int64_t version, int64_t node_id, struct db_rows **rows, struct error *err)
{
	const struct db_param params[] = {db_int(version), db_int(node_id)};

	return db_query(db, &unseen, params, 2, rows, err);
}
