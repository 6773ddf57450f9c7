/* A small table, which is read whole. Ending a pause also resets endpoints' runs of failures. */
#include "store/webhooks/pause_rows.h"

#define COLUMNS "tenant_id, reason, paused_by, hl_ms(paused_at)"

int
pause_rows_list(struct db *db, struct db_rows **rows, struct error *err)
{
	static const struct db_statement list = {"SELECT " COLUMNS " FROM pauses ORDER BY tenant_id", NULL};

	return db_query(db, &list, NULL, 0, rows, err);
}

int
pause_rows_get(struct db *db, const char *tenant_id, struct db_rows **rows, struct error *err)
{
	static const struct db_statement get = {"SELECT " COLUMNS " FROM pauses WHERE tenant_id = $1", NULL};
	const struct db_param params[] = {db_string(tenant_id)};

	return db_query(db, &get, params, 1, rows, err);
}

int
pause_rows_set(struct db *db, const char *tenant_id, struct span reason, const char *paused_by, struct error *err)
{
	static const struct db_statement set = {
	    "INSERT INTO pauses (tenant_id, reason, paused_by, paused_at) VALUES ($1, $2, $3, hl_now())"
	    " ON CONFLICT (tenant_id) DO UPDATE SET reason = excluded.reason, paused_by = excluded.paused_by",
	    NULL};
	const struct db_param params[] = {db_string(tenant_id), db_text(reason),
	    paused_by != NULL ? db_string(paused_by) : db_text((struct span){NULL, 0})};

	return db_query(db, &set, params, 3, NULL, err);
}

static int
end_runs(struct db *db, const char *tenant_id, struct error *err)
{
	static const struct db_statement end = {"UPDATE endpoints SET failing_since = NULL"
						" WHERE failing_since IS NOT NULL AND $1 IN (tenant_id, '" PAUSE_OF_ALL
						"')",
	    NULL};
	const struct db_param params[] = {db_string(tenant_id)};

	return db_query(db, &end, params, 1, NULL, err);
}

int
pause_rows_end(struct db *db, const char *tenant_id, struct error *err)
{
	static const struct db_statement end = {"DELETE FROM pauses WHERE tenant_id = $1 RETURNING 1", NULL};
	const struct db_param params[] = {db_string(tenant_id)};
	bool exists;
	int rc = db_finds(db, &end, params, 1, &exists, err);

	return rc == 0 && exists ? end_runs(db, tenant_id, err) : rc;
}
