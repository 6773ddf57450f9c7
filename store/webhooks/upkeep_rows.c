/* A look comes first: a task that is not due costs no transaction that writes. */
#include "store/webhooks/upkeep_rows.h"

/* A time that is still more than a period ahead was written while the clock was wrong. */
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
upkeep_ensure_tenant(struct db *db, const char *tenant_id, struct error *err)
{
	const struct db_param params[] = {db_string(tenant_id)};
	bool there;
	int rc = db_finds(db, &has_tenant, params, 1, &there, err);

	if (rc != 0 || there)
		return rc;
	rc = db_begin(db, err);
	if (rc == 0)
		rc = db_query(db, &add_tenant, params, 1, NULL, err);
	return db_end(db, rc, err);
}
