/* A partial index has only the letters that stop orders. */
#include "store/webhooks/fifo_stops.h"

int
fifo_stops_read(struct db *db, const char *tenant_id, const uint8_t endpoint_id[16], uint32_t limit,
    struct db_rows **rows, struct error *err)
{
	static const struct db_statement read = {"SELECT DISTINCT COALESCE(ordering_key, '') FROM dlq "
						 "WHERE tenant_id = $1 AND endpoint_id = $2 AND blocks LIMIT $3"};
	const struct db_param params[] = {db_string(tenant_id), db_uuid(endpoint_id), db_int(limit)};

	return db_query(db, &read, params, 3, rows, err);
}

int
fifo_stops_has(struct db *db, const char *tenant_id, const char *job_id, bool *stops, struct error *err)
{
	static const struct db_statement find = {"SELECT 1 FROM dlq WHERE tenant_id = $1 AND job_id = $2 AND blocks"};
	const struct db_param params[] = {db_string(tenant_id), db_string(job_id)};

	return db_finds(db, &find, params, 2, stops, err);
}
