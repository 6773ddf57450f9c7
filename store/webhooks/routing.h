/* How publishers learn of changed subscriptions and endpoints: a version of each tenant, and its routes. */
#ifndef STORE_WEBHOOKS_ROUTING_H
#define STORE_WEBHOOKS_ROUTING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "config/config.h"
#include "store/db.h"
#include "store/webhooks/routes.h"

/*
 * Raises the tenant's version, in the transaction of the change: a publisher that has read the tenant's routes before
 * reads them again. Couriers look at the tenant where changes_raise() follows in the same transaction. Returns as
 * db_query().
 */
int routing_raise(struct db *db, const char *tenant_id, struct error *err);

/* routing_raise() for a change that couriers need not look at: no changes_raise() follows. */
int routing_raise_for_publishers(struct db *db, const char *tenant_id, struct error *err);

/*
 * routing_raise() for a change of jobs alone: changes_raise() follows, and publishers keep the routes that they have,
 * so that no batch of theirs has to go again. Until the transaction ends nobody else raises a version of the tenant.
 */
int routing_raise_for_couriers(struct db *db, const char *tenant_id, struct error *err);

/* routing_raise() for all tenants: whether all deliveries are paused is a part of the routes of each. */
int routing_raise_all(struct db *db, struct error *err);

/*
 * Makes the version of a tenant that is there and has none, in a transaction that db_begin() began, and keeps others
 * from raising it until that ends. A new tenant gets one at once: publishers then notice when the tenant is removed. As
 * db_query().
 */
int routing_lock(struct db *db, struct span tenant_id, struct error *err);

struct tenant_version {
	bool there; /* the tenant; else the rest is 0 */
	int64_t version; /* or 0: it has none */
	int64_t events_from_ms; /* older events are of an earlier tenant of this id; 0: there was none */
};

/* A tenant's version, in *found: routes that are read then are not older. Returns as db_query(). */
int routing_version(struct db *db, struct span tenant_id, struct tenant_version *found, struct error *err);

/*
 * As routing_version(), in a transaction that db_begin() began: until it ends nobody raises the version. Returns as
 * db_query().
 */
int routing_hold(struct db *db, struct span tenant_id, struct tenant_version *found, struct error *err);

/*
 * Reads a tenant's routes: subscriptions that are enabled, of endpoints that are there. They are never older than a
 * version that was read before. A subscription that cannot be read is left out, with a warning. 0 with *routes, which
 * the caller frees, or as db_query().
 */
int routing_read(
    struct db *db, const struct config *config, struct span tenant_id, struct routes **routes, struct error *err);

#endif
