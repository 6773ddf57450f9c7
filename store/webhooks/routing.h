/*
 * The version of each tenant's routes, by which publishers learn of changed subscriptions and endpoints; and the
 * routes.
 */
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
 * Raises the tenant's version in the transaction of a change: publishers read the tenant's routes again. Call
 * changes_raise() later in the same transaction to make couriers look at the tenant. Returns as db_query().
 */
int routing_raise(struct db *db, const char *tenant_id, struct error *err);

/* routing_raise() for a change that does not concern couriers: no changes_raise() follows. */
int routing_raise_for_publishers(struct db *db, const char *tenant_id, struct error *err);

/*
 * routing_raise() for a change of jobs only: changes_raise() follows, but publishers keep their routes, so that they
 * need not repeat a batch. Locks the tenant's version until the transaction ends.
 */
int routing_raise_for_couriers(struct db *db, const char *tenant_id, struct error *err);

/* routing_raise() for all tenants: a pause of all deliveries is part of every tenant's routes. */
int routing_raise_all(struct db *db, struct error *err);

/*
 * Locks the version of an existing tenant until the open transaction ends, after making it if there is none. A new
 * tenant gets one at once, so that publishers notice its removal. As db_query().
 */
int routing_lock(struct db *db, struct span tenant_id, struct error *err);

struct tenant_version {
	bool exists; /* the tenant exists; otherwise the rest is 0 */
	int64_t version; /* 0: none */
	int64_t events_from_ms; /* older events are of an earlier tenant of this id; 0: there was none */
};

/* Reads a tenant's version: routes that are read afterwards are not older. Returns as db_query(). */
int routing_version(struct db *db, struct span tenant_id, struct tenant_version *found, struct error *err);

/* As routing_version(), but locks the version until the open transaction ends. Returns as db_query(). */
int routing_hold(struct db *db, struct span tenant_id, struct tenant_version *found, struct error *err);

/*
 * Reads a tenant's routes: enabled subscriptions of existing endpoints. They are never older than a version read
 * before. Leaves out a subscription that cannot be read, with a warning. 0 with *routes, which the caller frees, or as
 * db_query().
 */
int routing_read(
    struct db *db, const struct config *config, struct span tenant_id, struct routes **routes, struct error *err);

#endif
