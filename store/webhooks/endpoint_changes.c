/* Reads the changes that couriers follow. */
#include "store/webhooks/endpoint_changes.h"

int
routing_moved_after(struct db *db, int64_t version, const char *tenant_id, uint32_t limit, struct db_rows **rows,
    struct error *err) /* six: as in the header */
{
	static const struct db_statement after = {"SELECT tenant_id, change_version FROM routing_versions"
						  " WHERE (change_version, tenant_id) > ($1, $2)"
						  " ORDER BY change_version, tenant_id LIMIT $3"};
	const struct db_param params[] = {db_int(version), db_string(tenant_id), db_int(limit)};

	return db_query(db, &after, params, 3, rows, err);
}

int
routed_tenants_after(struct db *db, const char *tenant_id, uint32_t limit, struct db_rows **rows, struct error *err)
{
	static const struct db_statement after = {
	    "SELECT tenant_id FROM routing_versions WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2"};
	const struct db_param params[] = {db_string(tenant_id), db_int(limit)};

	return db_query(db, &after, params, 2, rows, err);
}

int
endpoint_versions(struct db *db, const char *tenant_id, int64_t recent_ms, struct db_rows **rows, struct error *err)
{
	static const struct db_statement versions = {
	    "SELECT endpoint_id, version, updated_at >= hl_time(hl_ms(hl_now()) - $2) FROM endpoints "
	    "WHERE tenant_id = $1 AND deleted_at IS NULL "
	    "AND EXISTS (SELECT 1 FROM tenants WHERE tenants.tenant_id = $1 AND tenants.deleted_at IS NULL)"};
	const struct db_param params[] = {db_string(tenant_id), db_int(recent_ms)};

	return db_query(db, &versions, params, 2, rows, err);
}

int
endpoint_tenant_exists(struct db *db, const char *tenant_id, bool *exists, struct error *err)
{
	static const struct db_statement find = {"SELECT 1 FROM tenants WHERE tenant_id = $1 AND deleted_at IS NULL"};
	const struct db_param params[] = {db_string(tenant_id)};

	return db_finds(db, &find, params, 1, exists, err);
}
