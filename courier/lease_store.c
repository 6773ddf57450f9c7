/* Takes leases in the store. */
#include "courier/lease_store.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/webhooks/lease_rows.h"

static int
log_refused(struct lease_store *leases, int rc, const struct error *err)
{
	uint64_t times = rc == DB_REFUSED ? repeat_met(&leases->refused, clock_steady_us()) : 0;

	if (times > 0)
		log_warning("the store refuses the lease of an endpoint: its jobs wait", LOG_STR("error", err->text),
		    LOG_UINT("times", times));
	return rc == DB_REFUSED ? 0 : rc;
}

int
lease_store_take(
    struct lease_store *leases, struct db *db, const struct store_request *request, int64_t epoch, struct error *err)
{
	const struct lease_of lease = {request->tenant_id, request->id, epoch};
	int64_t begun_us = clock_boot_us();
	bool given = false;
	struct message *message;
	int rc = log_refused(leases, lease_take(db, &lease, request->for_ms, &given, err), err);

	if (rc != 0)
		return rc;
	message = message_new(MESSAGE_LEASE, request->tenant_id, request->id);
	message->begun_us = begun_us;
	message->given = given;
	message_queue_put(leases->messages, message);
	return 0;
}

int
lease_store_give(
    struct lease_store *leases, struct db *db, const struct store_request *request, int64_t epoch, struct error *err)
{
	const struct lease_of lease = {request->tenant_id, request->id, epoch};

	return log_refused(leases, lease_give(db, &lease, err), err);
}
