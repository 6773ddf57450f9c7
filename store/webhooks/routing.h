/* The version of a tenant's routing: which of its events go where. */
#ifndef STORE_WEBHOOKS_ROUTING_H
#define STORE_WEBHOOKS_ROUTING_H

#include "base/error.h"
#include "store/db.h"

/*
 * Raises the version in the transaction that db_begin() began: publishers read the tenant's endpoints and subscriptions
 * again before they route an event. Other transactions that raise the same tenant's wait until this one has ended, so
 * call it late, and before changes_raise(). Returns as db_query().
 */
int routing_raise(struct db *db, const char *tenant_id, struct error *err);

#endif
