/*
 * Figures of tenants are sums of the table tenant_stats. There are few nodes. Held jobs are counted only up to a
 * limit.
 */
#include "store/webhooks/figures.h"

#include "store/webhooks/job_outcomes.h"

#define COUNT_OF(condition) "COALESCE(sum(CASE WHEN " condition " THEN 1 ELSE 0 END), 0)"

int
figures_of_tenants(struct db *db, struct tenant_figures *figures, struct error *err)
{
	static const struct db_statement sums = {
	    "SELECT CAST(COALESCE(sum(queue_depth), 0) AS bigint), COALESCE(max(queue_depth), 0),"
	    " CAST(COALESCE(sum(dlq_count), 0) AS bigint) FROM tenant_stats",
	    NULL};
	struct db_rows *rows;
	int rc = db_query(db, &sums, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	*figures = (struct tenant_figures){.waiting = db_rows_int(rows, 0, 0),
	    .deepest = db_rows_int(rows, 0, 1),
	    .dead_letters = db_rows_int(rows, 0, 2)};
	db_rows_free(rows);
	return 0;
}

/* May be negative: the database's clock may have been set back since a heartbeat. */
#define SILENCE "hl_ms(hl_now()) - hl_ms(alive_at)"

int
figures_of_nodes(struct db *db, struct node_figures *figures, struct error *err)
{
	static const struct db_statement nodes = {
	    "SELECT " COUNT_OF("left_at IS NULL AND " SILENCE " < timeout_ms") ", " COUNT_OF(
		"left_at IS NULL AND " SILENCE
		" >= timeout_ms") ", " COUNT_OF("left_at IS NOT NULL") ", "
								       "COALESCE(max(CASE WHEN left_at IS NULL "
								       "AND " SILENCE " > 0 THEN " SILENCE " END), 0)"
								       " FROM delivery_nodes WHERE adopted_by IS NULL",
	    NULL};
	struct db_rows *rows;
	int rc = db_query(db, &nodes, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	*figures = (struct node_figures){.alive = db_rows_int(rows, 0, 0),
	    .silent = db_rows_int(rows, 0, 1),
	    .left = db_rows_int(rows, 0, 2),
	    .silence_ms = db_rows_int(rows, 0, 3)};
	db_rows_free(rows);
	return 0;
}

/* CROSS JOIN keeps the order in SQLite: first the endpoints, then their jobs by key. */
static int
count_held(struct db *db, int64_t *held, struct error *err)
{
	static const struct db_statement count = {
	    "SELECT count(*) FROM (SELECT 1 AS one FROM endpoints CROSS JOIN jobs"
	    " WHERE jobs.tenant_id = endpoints.tenant_id AND jobs.endpoint_id = endpoints.endpoint_id"
	    " AND endpoints.deleted_at IS NULL AND (NOT endpoints.enabled OR endpoints.paused) LIMIT $1) AS found",
	    NULL};
	const struct db_param params[] = {db_int(FIGURES_HELD_MOST)};
	struct db_rows *rows;
	int rc = db_query(db, &count, params, 1, &rows, err);

	if (rc == 0) {
		*held = db_rows_int(rows, 0, 0);
		db_rows_free(rows);
	}
	return rc;
}

int
figures_of_endpoints(struct db *db, bool postgres, struct endpoint_figures *figures, struct error *err)
{
	static const struct db_statement states = {
	    "SELECT " COUNT_OF("enabled AND NOT paused") ", " COUNT_OF("enabled AND paused") ", " COUNT_OF(
		"NOT enabled") " FROM endpoints WHERE deleted_at IS NULL",
	    NULL};
	struct db_rows *rows;
	int rc = db_query(db, &states, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	figures->enabled = db_rows_int(rows, 0, 0);
	figures->paused = db_rows_int(rows, 0, 1);
	figures->disabled = db_rows_int(rows, 0, 2);
	figures->held_jobs = 0;
	db_rows_free(rows);
	if (figures->paused + figures->disabled == 0)
		return 0;
	if (!postgres)
		return count_held(db, &figures->held_jobs, err);
	rc = jobs_begin(db, err);
	if (rc == 0)
		rc = count_held(db, &figures->held_jobs, err);
	return db_end(db, rc, err);
}
