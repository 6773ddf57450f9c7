/* One row, whose lock orders the transactions that change it. */
#include "store/webhooks/changes.h"

static const struct db_statement read_version = {"SELECT version FROM changes WHERE id = 1", NULL};

static const struct db_statement raise_version = {
    "UPDATE changes SET version = version + 1 WHERE id = 1 RETURNING version", NULL};

static const struct db_statement unseen = {
    "SELECT name FROM delivery_nodes WHERE left_at IS NULL AND hl_ms(alive_at) > hl_ms(hl_now()) - 10000"
    " AND seen_version < $1 AND node_id <> $2 ORDER BY node_id",
    NULL};

/* Runs a statement that gives the one row's version. */
static int
ask(struct db *db, const struct db_statement *statement, int64_t *version, struct error *err)
{
	struct db_rows *rows;
	int rc = db_query(db, statement, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	if (db_rows_count(rows) == 1)
		*version = db_rows_int(rows, 0, 0);
	else
		rc = error_set(err, "the table changes has no row: the webhooks' store is damaged");
	db_rows_free(rows);
	return rc;
}

int
changes_version(struct db *db, int64_t *version, struct error *err)
{
	return ask(db, &read_version, version, err);
}

int
changes_raise(struct db *db, int64_t *version, struct error *err)
{
	return ask(db, &raise_version, version, err);
}

int
changes_unseen(struct db *db, int64_t version, int64_t node_id, struct db_rows **rows, struct error *err)
{
	const struct db_param params[] = {db_int(version), db_int(node_id)};

	return db_query(db, &unseen, params, 2, rows, err);
}
