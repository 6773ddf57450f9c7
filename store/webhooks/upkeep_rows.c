/* Reads first, so that a task that is not due costs no writing transaction. */
#include "store/webhooks/upkeep_rows.h"

/* A time more than a period ahead was written while the clock was wrong. */
#define NOT_DUE "hl_ms(ran_at) > hl_ms(hl_now()) - $2 AND hl_ms(ran_at) < hl_ms(hl_now()) + $2"

static const struct db_statement look = {"SELECT 1 FROM upkeep WHERE task = $1 AND " NOT_DUE, NULL};

static const struct db_statement add = {"INSERT INTO upkeep (task) VALUES ($1) ON CONFLICT (task) DO NOTHING", NULL};

static const struct db_statement claim = {"UPDATE upkeep SET ran_at = hl_now()"
					  " WHERE task = $1 AND (ran_at IS NULL OR NOT (" NOT_DUE ")) RETURNING task",
    NULL};

static const struct db_statement has_tenant = {"SELECT 1 FROM tenants WHERE tenant_id = $1", NULL};

static const struct db_statement add_tenant = {
    "INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, $1, hl_now(), hl_now())"
    " ON CONFLICT (tenant_id) DO NOTHING",
    NULL};

int
upkeep_claim(struct db *db, const char *task, int64_t period_ms, bool *mine, struct error *err)
{
	const struct db_param params[] = {db_string(task), db_int(period_ms)};
	bool done;
	int rc = db_finds(db, &look, params, 2, &done, err);

	*mine = false;
	if (rc != 0 || done)
		return rc;
	rc = db_begin(db, err);
	if (rc == 0)
		rc = db_query(db, &add, params, 1, NULL, err);
	if (rc == 0)
		rc = db_finds(db, &claim, params, 2, mine, err);
	rc = db_end(db, rc, err);
	*mine = *mine && rc == 0;
	return rc;
}

int
upkeep_ask_removal(struct db *db, struct error *err)
{
	static const struct db_statement ask = {
	    "UPDATE upkeep SET ran_at = NULL WHERE task IN ('cancelled_jobs', 'ended_replays', 'endpoint_tests',"
	    " 'idempotency_keys', 'inbox_messages', 'retention', 'revoked_keys')",
	    NULL};

	return db_query(db, &ask, NULL, 0, NULL, err);
}

int
upkeep_asked(struct db *db, struct db_rows **tasks, struct error *err)
{
	static const struct db_statement list = {"SELECT task FROM upkeep WHERE ran_at IS NULL", NULL};

	return db_query(db, &list, NULL, 0, tasks, err);
}

/* Rows of their own, because a request for the next run clears ran_at of the task itself. */
int
upkeep_write_run(struct db *db, const struct upkeep_run *run, struct error *err)
{
	static const struct db_statement set = {"INSERT INTO upkeep (task, ran_at) VALUES ('retention_began', "
						"hl_time($1)), ('retention_ended', hl_time($2))"
						" ON CONFLICT (task) DO UPDATE SET ran_at = excluded.ran_at",
	    NULL};
	const struct db_param params[] = {db_int(run->began_ms), db_int(run->ended_ms)};
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = db_query(db, &set, params, 2, NULL, err);
	return db_end(db, rc, err);
}

int
upkeep_read_run(struct db *db, struct upkeep_run *run, bool *exists, struct error *err)
{
	static const struct db_statement get = {"SELECT hl_ms(ran_at) FROM upkeep"
						" WHERE task IN ('retention_began', 'retention_ended') ORDER BY task",
	    NULL};
	struct db_rows *rows;
	int rc = db_query(db, &get, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	*exists = db_rows_count(rows) == 2;
	if (*exists)
		*run = (struct upkeep_run){db_rows_int(rows, 0, 0), db_rows_int(rows, 1, 0)};
	db_rows_free(rows);
	return 0;
}

int
upkeep_ensure_tenant(struct db *db, const char *tenant_id, struct error *err)
{
	const struct db_param params[] = {db_string(tenant_id)};
	bool exists;
	int rc = db_finds(db, &has_tenant, params, 1, &exists, err);

	if (rc != 0 || exists)
		return rc;
	rc = db_begin(db, err);
	if (rc == 0)
		rc = db_query(db, &add_tenant, params, 1, NULL, err);
	return db_end(db, rc, err);
}
