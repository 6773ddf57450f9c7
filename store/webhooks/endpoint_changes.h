/*
 * Which endpoints have changed: couriers follow what control of any node does. The functions return what db_query()
 * does, in a transaction or without.
 */
#ifndef STORE_WEBHOOKS_ENDPOINT_CHANGES_H
#define STORE_WEBHOOKS_ENDPOINT_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/*
 * Tenants that were changed by a version of changes, in the order of these versions, then of ids, behind that place:
 * tenant_id and the version.
 */
int routing_moved_after(struct db *db, int64_t version, const char *tenant_id, uint32_t limit, struct db_rows **rows,
    struct error *err); /* six: the place, and what comes back */

/* Tenants that have a routing version, behind that one ("": from the first on), in their order. */
int routed_tenants_after(
    struct db *db, const char *tenant_id, uint32_t limit, struct db_rows **rows, struct error *err);

/*
 * The endpoints of a tenant, those that are deleted left out, and none when the tenant is deleted: endpoint_id,
 * version, and whether a change was made in the last recent_ms.
 */
int endpoint_versions(
    struct db *db, const char *tenant_id, int64_t recent_ms, struct db_rows **rows, struct error *err);

/* Whether there is such a tenant, and it is not deleted. */
int endpoint_tenant_is_there(struct db *db, const char *tenant_id, bool *there, struct error *err);

#endif
