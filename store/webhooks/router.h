/*
 * The routes of the tenants whose events a publisher has met: read from the store when they are first needed, kept
 * until their version is found to be old, or until others need the room. For one thread.
 */
#ifndef STORE_WEBHOOKS_ROUTER_H
#define STORE_WEBHOOKS_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "config/config.h"
#include "store/db.h"
#include "store/webhooks/routes.h"

/* What router_trim() leaves. */
#define ROUTER_BYTES (64u << 20)

/* One tenant's. Valid until router_trim() or a router_refresh() of that tenant. */
struct tenant_routes {
	int64_t version; /* of routing_versions, when they were read */
	int64_t events_from_ms; /* older events are of an earlier tenant of this id; 0: there was none */
	struct routes *routes;
};

struct router;

/* config is borrowed. Never NULL. */
struct router *router_new(const struct config *config);
void router_free(struct router *router);

/*
 * The tenant's routes. NULL in *found: the tenant is deleted, or there was none. In no transaction of the caller, like
 * router_refresh(). Returns as db_query().
 */
int router_find(
    struct router *router, struct db *db, struct span tenant_id, const struct tenant_routes **found, struct error *err);

/* As router_find(), but reads again what is old by now. */
int router_refresh(
    struct router *router, struct db *db, struct span tenant_id, const struct tenant_routes **found, struct error *err);

/*
 * As router_find() in a transaction that db_begin() began: the routes are those that hold until it ends, because nobody
 * changes them before.
 */
int router_hold(
    struct router *router, struct db *db, struct span tenant_id, const struct tenant_routes **found, struct error *err);

/* The memory that all routes take. */
size_t router_bytes(const struct router *router);

/* Drops the routes of those tenants that were asked for least recently, until ROUTER_BYTES suffice. */
void router_trim(struct router *router);

#endif
