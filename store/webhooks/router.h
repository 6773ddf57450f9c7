/*
 * A publisher's cache of tenants' routes. They are read from the store when first needed, and kept until their version
 * turns out to be old or others need the room. For one thread.
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

/* The size to which router_trim() trims. */
#define ROUTER_BYTES (64u << 20)

/* One tenant's routes. Valid until router_trim() or a router_refresh() of that tenant. */
struct tenant_routes {
	int64_t version; /* of routing_versions, as read */
	int64_t events_from_ms; /* older events belong to an earlier tenant with this id; 0: none */
	struct routes *routes;
};

struct router;

/* config is borrowed. Never NULL. */
struct router *router_new(const struct config *config);
void router_free(struct router *router);

/*
 * Finds the tenant's routes. *found NULL: the tenant is deleted or never existed. The caller has no transaction open.
 * Returns as db_query().
 */
int router_find(
    struct router *router, struct db *db, struct span tenant_id, const struct tenant_routes **found, struct error *err);

/* As router_find(), but reads outdated routes again. */
int router_refresh(
    struct router *router, struct db *db, struct span tenant_id, const struct tenant_routes **found, struct error *err);

/* As router_find(), but in an open transaction: locks the tenant's routes until its end. */
int router_hold(
    struct router *router, struct db *db, struct span tenant_id, const struct tenant_routes **found, struct error *err);

/* The memory of all routes. */
size_t router_bytes(const struct router *router);

/* Drops the least recently used routes until the rest fits into ROUTER_BYTES. */
void router_trim(struct router *router);

#endif
