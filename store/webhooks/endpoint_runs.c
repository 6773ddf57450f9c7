/* Columns of `endpoints` that the service writes. */
#include "store/webhooks/endpoint_runs.h"

#include <stdlib.h>

#include "base/mem.h"

static const enum db_type types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_TEXT};

enum { COLUMN_COUNT = sizeof types / sizeof *types };

static const struct db_each write_runs = {
    .statement = {"UPDATE endpoints SET "
		  "last_success_at = COALESCE(hl_time(hl_ms(hl_now()) - given.succeeded), endpoints.last_success_at), "
		  "breaker = COALESCE(given.breaker, endpoints.breaker), "
		  "failing_since = CASE WHEN given.succeeded IS NULL AND given.failing IS NULL "
		  "THEN endpoints.failing_since WHEN given.failing IS NULL THEN NULL "
		  "WHEN given.succeeded IS NOT NULL OR endpoints.failing_since IS NULL "
		  "THEN hl_time(hl_ms(hl_now()) - given.failing) ELSE endpoints.failing_since END "
		  "FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[]) "
		  "AS given (tenant_id, endpoint_id, succeeded, failing, breaker) "
		  "WHERE endpoints.tenant_id = given.tenant_id AND endpoints.endpoint_id = given.endpoint_id",
	"UPDATE endpoints SET last_success_at = COALESCE(hl_now() - $3, last_success_at), "
	"breaker = COALESCE($5, breaker), failing_since = CASE WHEN $3 IS NULL AND $4 IS NULL THEN failing_since "
	"WHEN $4 IS NULL THEN NULL WHEN $3 IS NOT NULL OR failing_since IS NULL "
	"THEN hl_now() - $4 ELSE failing_since END WHERE tenant_id = $1 AND endpoint_id = $2"},
    .types = types,
    .count = COLUMN_COUNT};

int
endpoint_runs_write(struct db *db, const struct endpoint_run *runs, uint32_t count, struct error *err)
{
	if (count == 0)
		return 0;

	struct db_param *values = mem_new((size_t)count * COLUMN_COUNT, sizeof *values);

	for (uint32_t i = 0; i < count; i++) {
		struct db_param *row = values + (size_t)i * COLUMN_COUNT;

		row[0] = db_text(runs[i].tenant_id);
		row[1] = db_uuid(runs[i].endpoint_id);
		row[2] = runs[i].succeeded ? db_int(runs[i].succeeded_ago_ms) : db_null();
		row[3] = runs[i].failing ? db_int(runs[i].failing_ago_ms) : db_null();
		row[4] = runs[i].breaker != NULL ? db_string(runs[i].breaker) : db_null();
	}
	int rc = db_each(db, &write_runs, values, count, NULL, err);
	free(values);
	return rc;
}

int
endpoint_disable(struct db *db, struct span tenant_id, const uint8_t endpoint_id[16], const char *reason,
    bool *disabled, struct error *err)
{
	static const struct db_statement disable = {
	    "UPDATE endpoints SET state = 'disabled', disabled_reason = $3, version = version + 1, "
	    "updated_at = hl_now() WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'active' "
	    "AND deleted_at IS NULL RETURNING 1"};
	const struct db_param params[] = {db_text(tenant_id), db_uuid(endpoint_id), db_string(reason)};

	return db_finds(db, &disable, params, 3, disabled, err);
}
