/*
 * No index has the due times of all tenants' jobs, so the number of rows read is limited. An index has the newest dead
 * letter of each tenant.
 */
#include "store/webhooks/overview.h"

#define COUNT_OF(condition) "COALESCE(sum(CASE WHEN " condition " THEN 1 ELSE 0 END), 0)"
#define IS_FAILING "state = 'active' AND enabled AND failing_since IS NOT NULL"

int
overview_endpoints(struct db *db, struct overview_endpoints *endpoints, struct error *err)
{
	static const struct db_statement of_endpoints = {
	    "SELECT count(*), " COUNT_OF("state = 'disabled'") ", " COUNT_OF(
		IS_FAILING) ", "
			    "COALESCE(hl_ms(min(CASE WHEN " IS_FAILING " THEN failing_since END)), 0), " COUNT_OF(
				"breaker <> 'closed'") " FROM endpoints WHERE deleted_at IS NULL",
	    NULL};
	struct db_rows *rows;
	int rc = db_query(db, &of_endpoints, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	*endpoints = (struct overview_endpoints){
	    .all = db_rows_int(rows, 0, 0),
	    .disabled = db_rows_int(rows, 0, 1),
	    .failing = db_rows_int(rows, 0, 2),
	    .failing_since_ms = db_rows_int(rows, 0, 3),
	    .open_breakers = db_rows_int(rows, 0, 4),
	};
	db_rows_free(rows);
	return 0;
}

static int
read_rows(struct db *db, const struct db_statement *statement, struct overview_rows *found, struct error *err)
{
	struct db_rows *rows;
	const struct db_param params[] = {db_int(OVERVIEW_ROWS + 1)};
	int rc = db_query(db, statement, params, 1, &rows, err);

	if (rc != 0)
		return rc;
	*found = (struct overview_rows){db_rows_int(rows, 0, 0), db_rows_int(rows, 0, 1)};
	db_rows_free(rows);
	return 0;
}

int
overview_jobs(struct db *db, struct overview_rows *jobs, struct error *err)
{
	static const struct db_statement of_jobs = {
	    "SELECT count(*), COALESCE(hl_ms(min(CASE WHEN status = 'pending' THEN next_attempt_at END)), 0)"
	    " FROM (SELECT status, next_attempt_at FROM jobs LIMIT $1) AS some_jobs",
	    NULL};

	return read_rows(db, &of_jobs, jobs, err);
}

#define COUNT_LETTERS "SELECT (SELECT count(*) FROM (SELECT 1 FROM dlq LIMIT $1) AS some_letters), "

int
overview_dead_letters(struct db *db, struct overview_rows *letters, struct error *err)
{
	static const struct db_statement of_letters = {COUNT_LETTERS
	    "hl_ms((SELECT max(newest) FROM (SELECT (SELECT created_at FROM dlq WHERE dlq.tenant_id = "
	    "tenants.tenant_id ORDER BY created_at DESC LIMIT 1) AS newest FROM tenants) AS of_tenants))",
	    NULL, .citus = COUNT_LETTERS "hl_ms((SELECT max(created_at) FROM dlq))"};

	return read_rows(db, &of_letters, letters, err);
}

int
overview_expiring_keys(struct db *db, int64_t before_ms, struct db_rows **rows, struct error *err)
{
	static const struct db_statement expiring = {
	    "SELECT tenant_id, prefix, hl_ms(expires_at) FROM api_keys WHERE revoked_at IS NULL"
	    " AND hl_ms(expires_at) > hl_ms(hl_now()) AND hl_ms(expires_at) < $1 ORDER BY expires_at LIMIT 10",
	    NULL};
	const struct db_param params[] = {db_int(before_ms)};

	return db_query(db, &expiring, params, 1, rows, err);
}

int
overview_nodes(struct db *db, struct db_rows **rows, struct error *err)
{
	static const struct db_statement nodes = {
	    "SELECT node_id, name, hl_ms(hl_now()) - hl_ms(alive_at), timeout_ms FROM delivery_nodes"
	    " WHERE adopted_by IS NULL AND left_at IS NULL ORDER BY node_id",
	    NULL};

	return db_query(db, &nodes, NULL, 0, rows, err);
}

int
overview_target(struct db *db, struct db_rows **rows, struct error *err)
{
	static const struct db_statement target = {
	    "SELECT url FROM endpoints WHERE deleted_at IS NULL AND enabled AND state = 'active'"
	    " ORDER BY tenant_id, endpoint_id LIMIT 1",
	    NULL};

	return db_query(db, &target, NULL, 0, rows, err);
}
