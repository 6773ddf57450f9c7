/*
 * Finds changed endpoints: couriers follow the changes made by control on any node. The functions return what
 * db_query() does, in a transaction or without.
 */
#ifndef STORE_WEBHOOKS_ENDPOINT_CHANGES_H
#define STORE_WEBHOOKS_ENDPOINT_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/* Tenants by their last version of changes, then by id, behind that place: tenant_id and the version. */
int routing_moved_after(struct db *db, int64_t version, const char *tenant_id, uint32_t limit, struct db_rows **rows,
    struct error *err); /* six: the place, and what comes back */

/* Tenants that have a routing version, in order, behind that one ("": from the first). */
int routed_tenants_after(
    struct db *db, const char *tenant_id, uint32_t limit, struct db_rows **rows, struct error *err);

/*
 * The endpoints of a tenant without deleted ones, none if the tenant is deleted: endpoint_id, version, and whether it
 * has changed in the last recent_ms.
 */
int endpoint_versions(
    struct db *db, const char *tenant_id, int64_t recent_ms, struct db_rows **rows, struct error *err);

/* Whether the tenant exists and is not deleted. */
int endpoint_tenant_exists(struct db *db, const char *tenant_id, bool *exists, struct error *err);

#endif
