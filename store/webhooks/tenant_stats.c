/* Counting reads only, and takes no turn to write; what has changed since the last time is written in short slices. */
#include "store/webhooks/tenant_stats.h"

#define FIGURES 7
#define SLICE_ROWS 200

/* A branch for each figure, which counts into its column and leaves the others 0, and one with what is known. */
#define ZEROS                                                                                                          \
	"0 AS known_queue, 0 AS known_dlq, 0 AS known_keys, 0 AS known_events, 0 AS known_endpoints, "                 \
	"0 AS known_subscriptions, 0 AS known_deliveries"

static const struct db_statement count = {
    "SELECT tenant_id, sum(queue), sum(dlq), sum(keys), sum(events), sum(endpoints), sum(subscriptions),"
    " sum(deliveries) FROM ("
    "SELECT tenant_id, count(*) AS queue, 0 AS dlq, 0 AS keys, 0 AS events, 0 AS endpoints, 0 AS subscriptions,"
    " 0 AS deliveries, " ZEROS " FROM jobs GROUP BY tenant_id"
    " UNION ALL SELECT tenant_id, 0, count(*), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM dlq GROUP BY tenant_id"
    " UNION ALL SELECT tenant_id, 0, 0, count(*), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM api_keys"
    " WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > hl_now()) GROUP BY tenant_id"
    " UNION ALL SELECT tenant_id, 0, 0, 0, count(*), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM events GROUP BY tenant_id"
    " UNION ALL SELECT tenant_id, 0, 0, 0, 0, count(*), 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM endpoints"
    " WHERE deleted_at IS NULL GROUP BY tenant_id"
    " UNION ALL SELECT tenant_id, 0, 0, 0, 0, 0, count(*), 0, 0, 0, 0, 0, 0, 0, 0 FROM subscriptions"
    " WHERE deleted_at IS NULL GROUP BY tenant_id"
    " UNION ALL SELECT tenant_id, 0, 0, 0, 0, 0, 0, count(*), 0, 0, 0, 0, 0, 0, 0 FROM attempts GROUP BY tenant_id"
    " UNION ALL SELECT tenant_id, 0, 0, 0, 0, 0, 0, 0, queue_depth, dlq_count, api_keys, event_count, endpoint_count,"
    " subscription_count, delivery_count FROM tenant_stats"
    ") AS figures GROUP BY tenant_id"
    " HAVING sum(queue) <> sum(known_queue) OR sum(dlq) <> sum(known_dlq) OR sum(keys) <> sum(known_keys)"
    " OR sum(events) <> sum(known_events) OR sum(endpoints) <> sum(known_endpoints)"
    " OR sum(subscriptions) <> sum(known_subscriptions) OR sum(deliveries) <> sum(known_deliveries)"};

/*
 * Not for a tenant that was deleted meanwhile: its figures go with all else. in_flight stays 0: what is under way
 * stands in the segments of the nodes alone (shm/attempts.h).
 */
static const struct db_statement put = {
    "INSERT INTO tenant_stats (tenant_id, queue_depth, in_flight, dlq_count, api_keys, event_count, endpoint_count,"
    " subscription_count, delivery_count, counted_at)"
    " SELECT tenant_id, CAST($2 AS bigint), 0, CAST($3 AS bigint), CAST($4 AS bigint), CAST($5 AS bigint),"
    " CAST($6 AS bigint), CAST($7 AS bigint), CAST($8 AS bigint), hl_now()"
    " FROM tenants WHERE tenant_id = $1 AND deleted_at IS NULL"
    " ON CONFLICT (tenant_id) DO UPDATE SET queue_depth = excluded.queue_depth, dlq_count = excluded.dlq_count,"
    " api_keys = excluded.api_keys, event_count = excluded.event_count, endpoint_count = excluded.endpoint_count,"
    " subscription_count = excluded.subscription_count, delivery_count = excluded.delivery_count,"
    " counted_at = excluded.counted_at"};

static int
write_slice(struct db *db, const struct db_rows *rows, uint32_t first, uint32_t end, struct error *err)
{
	int rc = db_begin(db, err);

	for (uint32_t row = first; rc == 0 && row < end; row++) {
		struct db_param params[1 + FIGURES] = {db_text(db_rows_text(rows, row, 0))};

		for (uint32_t i = 1; i <= FIGURES; i++)
			params[i] = db_int(db_rows_int(rows, row, i));
		rc = db_query(db, &put, params, 1 + FIGURES, NULL, err);
	}
	return db_end(db, rc, err);
}

int
tenant_stats_count(struct db *db, struct error *err)
{
	struct db_rows *rows;
	int rc = db_query(db, &count, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	for (uint32_t row = 0, end; rc == 0 && row < db_rows_count(rows); row = end) {
		end = db_rows_count(rows) - row > SLICE_ROWS ? row + SLICE_ROWS : db_rows_count(rows);
		rc = write_slice(db, rows, row, end, err);
	}
	db_rows_free(rows);
	return rc;
}
