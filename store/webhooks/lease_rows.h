/*
 * The lease of an endpoint, in its row: the one node that sends to it, for a time by the database's clock. A node is
 * named by the epoch of its row in delivery_nodes. So a lease also ends when that row is gone, or when the node left
 * long enough ago for its last attempts to have ended. For couriers.
 */
#ifndef STORE_WEBHOOKS_LEASE_ROWS_H
#define STORE_WEBHOOKS_LEASE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* The endpoint, and the node. */
struct lease_of {
	const char *tenant_id;
	const uint8_t *endpoint_id; /* 16 bytes */
	int64_t epoch;
};

/*
 * Takes the lease for for_ms. *given: whether the node has it now; false: another node has it, the endpoint does not
 * exist, or its row is locked. In a transaction of its own. As db_commit().
 */
int lease_take(struct db *db, const struct lease_of *lease, uint32_t for_ms, bool *given, struct error *err);

/*
 * Gives the lease back, if the node has it and the endpoint's row is not locked; otherwise it ends by itself. In a
 * transaction of its own. As db_commit().
 */
int lease_give(struct db *db, const struct lease_of *lease, struct error *err);

#endif
