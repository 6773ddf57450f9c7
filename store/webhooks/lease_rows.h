/*
 * The lease of an endpoint, in its row: the one node that sends to it, for a time by the database's clock. A node is
 * named by the epoch of its row in delivery_nodes, so a lease ends also when that is there no more, or when the node
 * has left so long ago that its last attempts have ended. For couriers.
 */
#ifndef STORE_WEBHOOKS_LEASE_ROWS_H
#define STORE_WEBHOOKS_LEASE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* Of which endpoint, by whom. */
struct lease_of {
	const char *tenant_id;
	const uint8_t *endpoint_id; /* 16 bytes */
	int64_t epoch;
};

/*
 * *given: whether the node has the lease from now on, for so long; not, when another one has it, the endpoint is not
 * there, or somebody has locked its row. In a transaction of its own. As db_commit().
 */
int lease_take(struct db *db, const struct lease_of *lease, uint32_t for_ms, bool *given, struct error *err);

/*
 * Gives it back, if the node has it. It ends by itself where somebody has locked the endpoint's row. In a transaction
 * of its own. As db_commit().
 */
int lease_give(struct db *db, const struct lease_of *lease, struct error *err);

#endif
