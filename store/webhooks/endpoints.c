/* The table `endpoints`. */
#include "store/webhooks/endpoints.h"

#include <string.h>

#define ACTIVE "active"

/* In the order in which endpoint_of_row() reads them. */
#define COLUMNS                                                                                                        \
	"endpoint_id, version, url, secret, old_secret, hl_ms(old_secret_until), headers, name, description, "         \
	"metadata, "                                                                                                   \
	"extra, retry_schedule, max_attempts, state, disabled_reason, hl_ms(failing_since), hl_ms(last_success_at), "  \
	"hl_ms(created_at), hl_ms(updated_at), breaker, breaker_version, enabled, paused, timeout_ms, max_in_flight, " \
	"rate_limit_rps, "                                                                                             \
	"exact_limits, "                                                                                               \
	"fifo, ordering, on_dead, fail_fast, keep_response, body, legacy_headers"

struct endpoint
endpoint_of_row(const struct db_rows *rows, uint32_t row)
{
	struct endpoint endpoint;
	uint32_t column = 0;

	endpoint.id = db_rows_text(rows, row, column++);
	endpoint.version = db_rows_int(rows, row, column++);
	endpoint.url = db_rows_text(rows, row, column++);
	endpoint.secret = db_rows_text(rows, row, column++);
	endpoint.old_secret = db_rows_text(rows, row, column++);
	endpoint.old_secret_until = db_rows_int(rows, row, column++);
	endpoint.headers = db_rows_text(rows, row, column++);
	endpoint.name = db_rows_text(rows, row, column++);
	endpoint.description = db_rows_text(rows, row, column++);
	endpoint.metadata = db_rows_text(rows, row, column++);
	endpoint.extra = db_rows_text(rows, row, column++);
	endpoint.retry_schedule = db_rows_text(rows, row, column++);
	endpoint.max_attempts = db_rows_int(rows, row, column++);
	endpoint.state = db_rows_text(rows, row, column++);
	endpoint.disabled_reason = db_rows_text(rows, row, column++);
	endpoint.failing_since = db_rows_int(rows, row, column++);
	endpoint.last_success_at = db_rows_int(rows, row, column++);
	endpoint.created_at = db_rows_int(rows, row, column++);
	endpoint.updated_at = db_rows_int(rows, row, column++);
	endpoint.breaker = db_rows_text(rows, row, column++);
	endpoint.breaker_version = db_rows_int(rows, row, column++);
#define ENDPOINT_BOOL(name, ...) endpoint.name = db_rows_bool(rows, row, column++);
#define ENDPOINT_INT(name, ...) endpoint.name = db_rows_int(rows, row, column++);
#define ENDPOINT_CHOICE(name, ...) endpoint.name = db_rows_text(rows, row, column++);
#include "store/webhooks/endpoint_fields.def"
	endpoint.enabled &=
	    endpoint.state.len == strlen(ACTIVE) && memcmp(endpoint.state.base, ACTIVE, strlen(ACTIVE)) == 0;
	return endpoint;
}

int
endpoints_get(
    struct db *db, const char *tenant_id, struct span id, bool for_update, struct db_rows **rows, struct error *err)
{
	static const struct db_statement get = {
	    "SELECT " COLUMNS " FROM endpoints WHERE tenant_id = $1 AND endpoint_id = $2 AND deleted_at IS NULL"};
	static const struct db_statement get_for_update = {
	    "SELECT " COLUMNS
	    " FROM endpoints WHERE tenant_id = $1 AND endpoint_id = $2 AND deleted_at IS NULL FOR UPDATE",
	    "SELECT " COLUMNS " FROM endpoints WHERE tenant_id = $1 AND endpoint_id = $2 AND deleted_at IS NULL"};
	const struct db_param params[] = {db_string(tenant_id), db_text(id)};

	return db_query(db, for_update ? &get_for_update : &get, params, 2, rows, err);
}

/* Fills in the parameters common to both writing statements: the key, and the client's fields. Returns their number. */
static size_t
put_params(struct db_param params[DB_PARAMS_MAX], const char *tenant_id, const struct endpoint *endpoint)
{
	size_t n = 0;

	params[n++] = db_string(tenant_id);
	params[n++] = db_text(endpoint->id);
	params[n++] = db_text(endpoint->url);
	params[n++] = db_text(endpoint->secret);
	params[n++] = db_text(endpoint->headers);
	params[n++] = db_text(endpoint->name);
	params[n++] = db_text(endpoint->description);
	params[n++] = db_text(endpoint->metadata);
	params[n++] = db_text(endpoint->extra);
	params[n++] = db_text(endpoint->retry_schedule);
	params[n++] = endpoint->max_attempts > 0 ? db_int(endpoint->max_attempts) : db_null();
#define ENDPOINT_BOOL(name, ...) params[n++] = db_bool(endpoint->name);
#define ENDPOINT_INT(name, ...) params[n++] = db_int(endpoint->name);
#define ENDPOINT_CHOICE(name, ...) params[n++] = db_text(endpoint->name);
#include "store/webhooks/endpoint_fields.def"
	return n;
}

int
endpoints_insert(
    struct db *db, const char *tenant_id, const struct endpoint *endpoint, struct db_rows **rows, struct error *err)
{
	static const struct db_statement insert = {
	    "INSERT INTO endpoints (tenant_id, endpoint_id, url, secret, headers, name, description, metadata, extra, "
	    "retry_schedule, max_attempts, enabled, paused, timeout_ms, max_in_flight, rate_limit_rps, exact_limits, "
	    "fifo, "
	    "ordering, on_dead, fail_fast, keep_response, body, legacy_headers, version, created_at, updated_at) "
	    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, "
	    "$22, "
	    "$23, $24, 1, hl_now(), hl_now()) RETURNING " COLUMNS};
	struct db_param params[DB_PARAMS_MAX];
	size_t count = put_params(params, tenant_id, endpoint);

	return db_query(db, &insert, params, count, rows, err);
}

int
endpoints_update(struct db *db, const char *tenant_id, const struct endpoint *endpoint, bool reset_state,
    struct db_rows **rows, struct error *err)
{
#define IS_NEW "$27 = 1 OR secret <> $4"
	static const struct db_statement update = {
	    "UPDATE endpoints SET url = $3, secret = $4, headers = $5, name = $6, description = $7, metadata = $8, "
	    "extra = $9, retry_schedule = $10, max_attempts = $11, enabled = $12, paused = $13, timeout_ms = $14, "
	    "max_in_flight = $15, rate_limit_rps = $16, exact_limits = $17, fifo = $18, ordering = $19, on_dead = $20, "
	    "fail_fast = $21, keep_response = $22, body = $23, legacy_headers = $24, old_secret = $25, "
	    "old_secret_until = hl_time($26), "
	    "state = CASE WHEN $27 = 1 THEN '" ACTIVE "' ELSE state END, "
	    "disabled_reason = CASE WHEN $27 = 1 THEN NULL ELSE disabled_reason END, "
	    "failing_since = CASE WHEN $27 = 1 OR (paused AND NOT $13) THEN NULL ELSE failing_since END, "
	    "breaker = CASE WHEN " IS_NEW " THEN 'closed' ELSE breaker END, "
	    "breaker_version = CASE WHEN " IS_NEW " THEN version + 1 ELSE breaker_version END, "
	    "version = version + 1, updated_at = hl_now() "
	    "WHERE tenant_id = $1 AND endpoint_id = $2 AND deleted_at IS NULL RETURNING " COLUMNS};
	struct db_param params[DB_PARAMS_MAX];
	size_t count = put_params(params, tenant_id, endpoint);

	params[count++] = db_text(endpoint->old_secret);
	params[count++] = endpoint->old_secret.base != NULL ? db_int(endpoint->old_secret_until) : db_null();
	params[count++] = db_int(reset_state ? 1 : 0);
	return db_query(db, &update, params, count, rows, err);
}

int
endpoints_delete(struct db *db, const char *tenant_id, struct span id, struct error *err)
{
	static const struct db_statement delete = {
	    "UPDATE endpoints SET deleted_at = hl_now(), updated_at = hl_now(), version = version + 1 "
	    "WHERE tenant_id = $1 AND endpoint_id = $2 AND deleted_at IS NULL"};
	const struct db_param params[] = {db_string(tenant_id), db_text(id)};

	return db_query(db, &delete, params, 2, NULL, err);
}

/* An endpoint that the service disabled counts as not enabled. */
#define IS_ENABLED "(CASE WHEN enabled AND state = '" ACTIVE "' THEN 1 ELSE 0 END)"

int
endpoints_list(struct db *db, const char *tenant_id, int enabled, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	static const struct db_statement ascending = {
	    "SELECT " COLUMNS " FROM endpoints WHERE tenant_id = $1 AND endpoint_id > $2 AND deleted_at IS NULL "
	    "AND (CAST($3 AS int) < 0 OR " IS_ENABLED " = CAST($3 AS int)) ORDER BY endpoint_id LIMIT $4"};
	static const struct db_statement descending = {
	    "SELECT " COLUMNS " FROM endpoints WHERE tenant_id = $1 AND endpoint_id < $2 AND deleted_at IS NULL "
	    "AND (CAST($3 AS int) < 0 OR " IS_ENABLED " = CAST($3 AS int)) ORDER BY endpoint_id DESC LIMIT $4"};
	const struct db_param params[] = {
	    db_string(tenant_id), list_after_id(slice), db_int(enabled), db_int(slice->limit)};

	return db_query(db, slice->descending ? &descending : &ascending, params, 4, rows, err);
}
