/* One row a tenant, made when it is first raised. */
#include "store/webhooks/routing.h"

static const struct db_statement raise_version = {
    "INSERT INTO routing_versions (tenant_id, version) VALUES ($1, 1)"
    " ON CONFLICT (tenant_id) DO UPDATE SET version = routing_versions.version + 1",
    NULL};

int
routing_raise(struct db *db, const char *tenant_id, struct error *err)
{
	const struct db_param params[] = {db_string(tenant_id)};

	return db_query(db, &raise_version, params, 1, NULL, err);
}
