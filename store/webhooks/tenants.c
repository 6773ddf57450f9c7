/* The table `tenants`. */
#include "store/webhooks/tenants.h"

/* Keys that can still be used. */
#define VALID_KEYS                                                                                                     \
	"(SELECT count(*) FROM api_keys k WHERE k.tenant_id = t.tenant_id AND k.revoked_at IS NULL"                    \
	" AND (k.expires_at IS NULL OR k.expires_at > hl_now()))"

#define SELECT_TENANT                                                                                                  \
	"SELECT t.tenant_id, t.name, t.status, t.metadata, hl_ms(t.created_at), hl_ms(t.updated_at), " VALID_KEYS      \
	" FROM tenants t"

int
tenants_insert(struct db *db, const char *tenant_id, struct span name, struct span metadata, struct error *err)
{
	static const struct db_statement insert = {
	    "INSERT INTO tenants (tenant_id, name, metadata, created_at, updated_at)"
	    " VALUES ($1, $2, $3, hl_now(), hl_now())",
	    NULL};
	static const struct db_statement find_earlier = {
	    "SELECT 1 FROM audit_log WHERE action = 'tenant.delete' AND object_id = $1 LIMIT 1", NULL};
	static const struct db_statement set_earlier = {
	    "UPDATE tenants SET events_from = created_at WHERE tenant_id = $1", NULL};
	const struct db_param params[] = {db_string(tenant_id), db_text(name), db_text(metadata)};
	bool earlier = false;
	int rc = db_query(db, &insert, params, 3, NULL, err);

	/* Clocks differ, so a tenant with a never used id accepts events that seem older than itself. */
	if (rc == 0)
		rc = db_finds(db, &find_earlier, params, 1, &earlier, err);
	return rc == 0 && earlier ? db_query(db, &set_earlier, params, 1, NULL, err) : rc;
}

int
tenants_get(struct db *db, const char *tenant_id, bool for_update, struct db_rows **rows, struct error *err)
{
	static const struct db_statement get = {SELECT_TENANT " WHERE t.tenant_id = $1 AND t.deleted_at IS NULL", NULL};
	static const struct db_statement get_for_update = {SELECT_TENANT
	    " WHERE t.tenant_id = $1 AND t.deleted_at IS NULL FOR UPDATE OF t",
	    SELECT_TENANT " WHERE t.tenant_id = $1 AND t.deleted_at IS NULL"};
	const struct db_param params[] = {db_string(tenant_id)};

	return db_query(db, for_update ? &get_for_update : &get, params, 1, rows, err);
}

#define THERE "SELECT 1 FROM tenants WHERE tenant_id = $1 AND deleted_at IS NULL"

int
tenants_hold(struct db *db, const char *tenant_id, bool *exists, struct error *err)
{
	static const struct db_statement hold = {THERE " FOR KEY SHARE", THERE, .citus = THERE " FOR NO KEY UPDATE"};
	const struct db_param params[] = {db_string(tenant_id)};

	return db_finds(db, &hold, params, 1, exists, err);
}

int
tenants_update(struct db *db, const char *tenant_id, struct span name, struct span metadata, struct error *err)
{
	static const struct db_statement update = {"UPDATE tenants SET name = $2, metadata = $3, updated_at = hl_now()"
						   " WHERE tenant_id = $1 AND deleted_at IS NULL",
	    NULL};
	const struct db_param params[] = {db_string(tenant_id), db_text(name), db_text(metadata)};

	return db_query(db, &update, params, 3, NULL, err);
}

int
tenants_delete(struct db *db, const char *tenant_id, struct error *err)
{
	static const struct db_statement mark = {
	    "UPDATE tenants SET status = 'deleted', deleted_at = hl_now() WHERE tenant_id = $1 AND deleted_at IS NULL",
	    NULL};
	const struct db_param params[] = {db_string(tenant_id)};

	return db_query(db, &mark, params, 1, NULL, err);
}

int
tenants_list(struct db *db, const struct list_slice *slice, struct db_rows **rows, struct error *err)
{
	static const struct db_statement list = {SELECT_TENANT
	    " WHERE t.deleted_at IS NULL AND (CAST($1 AS text) IS NULL OR t.tenant_id > $1)"
	    " ORDER BY t.tenant_id LIMIT $2",
	    NULL};
	static const struct db_statement list_descending = {SELECT_TENANT
	    " WHERE t.deleted_at IS NULL AND (CAST($1 AS text) IS NULL OR t.tenant_id < $1)"
	    " ORDER BY t.tenant_id DESC LIMIT $2",
	    NULL};
	/* "~" sorts behind every id, because no id contains it. */
	const char *before_all = slice->descending ? "~" : "";
	const struct db_param params[] = {
	    db_string(slice->after != NULL ? slice->after : before_all), db_int(slice->limit)};

	return db_query(db, slice->descending ? &list_descending : &list, params, 2, rows, err);
}

int
tenants_count(struct db *db, int64_t *count, struct error *err)
{
	static const struct db_statement statement = {
	    "SELECT count(tenant_id) FROM tenants WHERE deleted_at IS NULL", NULL};
	struct db_rows *rows;
	int rc = db_query(db, &statement, NULL, 0, &rows, err);

	if (rc == 0) {
		*count = db_rows_int(rows, 0, 0);
		db_rows_free(rows);
	}
	return rc;
}

int
tenants_waiting(struct db *db, const char *tenant_id, int64_t *waiting, struct error *err)
{
	static const struct db_statement of_one = {
	    "SELECT CAST(coalesce(sum(queue_depth), 0) AS bigint) FROM tenant_stats WHERE tenant_id = $1", NULL};
	static const struct db_statement of_all = {
	    "SELECT CAST(coalesce(sum(queue_depth), 0) AS bigint) FROM tenant_stats", NULL};
	const struct db_param params[] = {db_string(tenant_id)};
	struct db_rows *rows;
	int rc = tenant_id != NULL ? db_query(db, &of_one, params, 1, &rows, err)
				   : db_query(db, &of_all, NULL, 0, &rows, err);

	if (rc == 0) {
		*waiting = db_rows_int(rows, 0, 0);
		db_rows_free(rows);
	}
	return rc;
}

int
tenants_stats(struct db *db, const char *tenant_id, struct db_rows **rows, struct error *err)
{
	static const struct db_statement stats = {
	    "SELECT coalesce(s.queue_depth, 0), coalesce(s.dlq_count, 0), " VALID_KEYS ","
	    " coalesce(s.event_count, 0),"
	    " (SELECT count(*) FROM endpoints e WHERE e.tenant_id = $1 AND e.deleted_at IS NULL),"
	    " (SELECT count(*) FROM subscriptions c JOIN endpoints e"
	    " ON e.tenant_id = c.tenant_id AND e.endpoint_id = c.endpoint_id"
	    " WHERE c.tenant_id = $1 AND c.deleted_at IS NULL AND e.deleted_at IS NULL),"
	    " coalesce(s.delivery_count, 0)"
	    " FROM tenants t LEFT JOIN tenant_stats s ON s.tenant_id = t.tenant_id"
	    " WHERE t.tenant_id = $1 AND t.deleted_at IS NULL",
	    NULL};
	const struct db_param params[] = {db_string(tenant_id)};

	return db_query(db, &stats, params, 1, rows, err);
}
