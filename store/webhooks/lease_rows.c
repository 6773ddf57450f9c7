/* Attempts of a node that has left end within LAST_MS: courier/loop.c gives them less time. */
#include "store/webhooks/lease_rows.h"

#define LAST_MS "9000"
#define OF_ENDPOINT " WHERE tenant_id = $1 AND endpoint_id = $2 AND "

#define TAKE "UPDATE endpoints SET lease_epoch = $3, lease_until = hl_time(hl_ms(hl_now()) + $4)" OF_ENDPOINT
#define FREE                                                                                                           \
	"(lease_epoch IS NULL OR lease_epoch = $3 OR hl_ms(lease_until) <= hl_ms(hl_now())"                            \
	" OR NOT EXISTS (SELECT 1 FROM delivery_nodes WHERE delivery_nodes.epoch = endpoints.lease_epoch"              \
	" AND (left_at IS NULL OR hl_ms(left_at) > hl_ms(hl_now()) - " LAST_MS ")))"

#define GIVE "UPDATE endpoints SET lease_epoch = NULL, lease_until = NULL" OF_ENDPOINT
#define HAS "lease_epoch = $3"

/* Skips a locked row, because the store thread's other work would wait too. */
#define UNLOCKED(condition)                                                                                            \
	"endpoint_id IN (SELECT endpoint_id FROM endpoints" OF_ENDPOINT condition " FOR NO KEY UPDATE SKIP LOCKED)"

static const struct db_statement take = {TAKE UNLOCKED(FREE) " RETURNING 1", TAKE FREE " RETURNING 1"};
static const struct db_statement give = {GIVE UNLOCKED(HAS), GIVE HAS};

int
lease_take(struct db *db, const struct lease_of *lease, uint32_t for_ms, bool *given, struct error *err)
{
	const struct db_param params[] = {
	    db_string(lease->tenant_id), db_uuid(lease->endpoint_id), db_int(lease->epoch), db_int(for_ms)};
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = db_finds(db, &take, params, 4, given, err);
	return db_end(db, rc, err);
}

int
lease_give(struct db *db, const struct lease_of *lease, struct error *err)
{
	const struct db_param params[] = {
	    db_string(lease->tenant_id), db_uuid(lease->endpoint_id), db_int(lease->epoch)};
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = db_query(db, &give, params, 3, NULL, err);
	return db_end(db, rc, err);
}
