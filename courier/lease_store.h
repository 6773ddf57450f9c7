/* Takes leases of endpoints and gives them back, as the loop has asked (courier/lease.h). For the store thread. */
#ifndef COURIER_LEASE_STORE_H
#define COURIER_LEASE_STORE_H

#include <stdint.h>

#include "base/error.h"
#include "base/repeat.h"
#include "courier/messages.h"
#include "courier/store_requests.h"
#include "store/db.h"

struct lease_store {
	struct message_queue *messages; /* borrowed */
	struct repeat refused;
};

/*
 * Fulfils STORE_REQUEST_TAKE_LEASE, and sends MESSAGE_LEASE; fulfils STORE_REQUEST_GIVE_LEASE. epoch: of this node's
 * row. A refusal is logged: the lease is not given, or ends by itself. As db_commit() without DB_REFUSED.
 */
int lease_store_take(
    struct lease_store *leases, struct db *db, const struct store_request *request, int64_t epoch, struct error *err);
int lease_store_give(
    struct lease_store *leases, struct db *db, const struct store_request *request, int64_t epoch, struct error *err);

#endif
