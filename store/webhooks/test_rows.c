/* A table of a few rows, which live for seconds. */
#include "store/webhooks/test_rows.h"

#include "store/webhooks/old_rows.h"

int
test_rows_add(struct db *db, const struct test_row *row, struct error *err)
{
	static const struct db_statement add = {
	    "INSERT INTO endpoint_tests (tenant_id, attempt_id, endpoint_id, node_id, topic, payload, requested_at, "
	    "expires_at)"
	    " VALUES ($1, $2, $3, $4, $5, $6, hl_now(), hl_time(hl_ms(hl_now()) + $7))",
	    NULL};
	const struct db_param params[] = {db_string(row->tenant_id), db_string(row->attempt_id),
	    db_text(row->endpoint_id), db_int(row->node_id), db_text(row->topic), db_text(row->payload),
	    db_int(row->lasts_ms)};

	return db_query(db, &add, params, 7, NULL, err);
}

int
test_rows_list(struct db *db, int64_t node_id, struct db_rows **rows, struct error *err)
{
	static const struct db_statement list = {
	    "SELECT tenant_id, attempt_id, endpoint_id, expires_at > hl_now() FROM endpoint_tests"
	    " WHERE node_id = $1 AND expires_at > hl_time(hl_ms(hl_now()) - 60000) ORDER BY requested_at DESC LIMIT $2",
	    NULL};
	const struct db_param params[] = {db_int(node_id), db_int(TEST_ROWS_MAX)};

	return db_query(db, &list, params, 2, rows, err);
}

int
test_rows_event(
    struct db *db, const char *tenant_id, const uint8_t attempt_id[16], struct db_rows **rows, struct error *err)
{
	static const struct db_statement get = {
	    "SELECT attempt_id, hl_ms(requested_at), hl_ms(requested_at), topic, payload, NULL, NULL, NULL, NULL, NULL"
	    " FROM endpoint_tests WHERE tenant_id = $1 AND attempt_id = $2",
	    NULL};
	const struct db_param params[] = {db_string(tenant_id), db_uuid(attempt_id)};

	return db_query(db, &get, params, 2, rows, err);
}

int
test_rows_end(struct db *db, const char *tenant_id, const uint8_t attempt_id[16], bool *exists, struct error *err)
{
	static const struct db_statement end = {
	    "DELETE FROM endpoint_tests WHERE tenant_id = $1 AND attempt_id = $2 RETURNING 1", NULL};
	const struct db_param params[] = {db_string(tenant_id), db_uuid(attempt_id)};

	return db_finds(db, &end, params, 2, exists, err);
}

int
test_rows_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err)
{
	static const struct db_statement remove_old = {
	    "WITH old AS MATERIALIZED (SELECT tenant_id, attempt_id"
	    " FROM endpoint_tests WHERE expires_at <= hl_time(hl_ms(hl_now()) - 360000) LIMIT $1)"
	    " DELETE FROM endpoint_tests WHERE (tenant_id, attempt_id) IN (SELECT tenant_id, attempt_id FROM old)"
	    " RETURNING attempt_id",
	    NULL};
	const struct db_param params[] = {db_int(limit)};

	return old_rows_remove(db, &remove_old, params, 1, removed, err);
}
