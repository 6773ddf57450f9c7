/* Writes the columns of `endpoints` that describe runs. */
#include "store/webhooks/endpoint_runs.h"

#include <stdlib.h>

#include "base/mem.h"

static const enum db_type types[] = {
    DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_TEXT};

enum { COLUMN_COUNT = sizeof types / sizeof *types };

#define OF_GIVEN "endpoints.tenant_id = ANY (ARRAY[given.tenant_id]) AND endpoints.endpoint_id = given.endpoint_id "
#define FREE "given.number IN (SELECT number FROM free) "

/*
 * version is null if nothing has failed. The rows are found like those of jobs (store/webhooks/job_outcomes.h). Locked
 * rows are skipped, because the store thread's other work would wait too; the result has their numbers.
 */
static const struct db_each write_runs = {
    .statement = {"WITH given AS (SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::bigint[], "
		  "$5::bigint[], $6::bigint[], $7::text[]) WITH ORDINALITY AS one "
		  "(tenant_id, endpoint_id, succeeded, failing, failed, version, breaker, number)), "
		  "free AS (SELECT given.number FROM given JOIN endpoints ON " OF_GIVEN
		  "FOR NO KEY UPDATE OF endpoints SKIP LOCKED), written AS (UPDATE endpoints SET "
		  "last_success_at = COALESCE(hl_time(hl_ms(hl_now()) - given.succeeded), endpoints.last_success_at), "
		  "last_failure_at = CASE WHEN given.version = endpoints.breaker_version "
		  "THEN hl_time(hl_ms(hl_now()) - given.failed) ELSE endpoints.last_failure_at END, "
		  "failing_since = CASE WHEN given.version = endpoints.breaker_version "
		  "AND (given.succeeded IS NOT NULL OR endpoints.failing_since IS NULL) "
		  "THEN hl_time(hl_ms(hl_now()) - given.failing) "
		  "WHEN given.version = endpoints.breaker_version OR given.succeeded IS NULL "
		  "THEN endpoints.failing_since END, "
		  "breaker = COALESCE(given.breaker, endpoints.breaker) FROM given WHERE " OF_GIVEN "AND " FREE
		  ") SELECT given.number FROM given WHERE NOT " FREE
		  "AND (SELECT count(*) FROM endpoints WHERE " OF_GIVEN ") > 0",
	"UPDATE endpoints SET last_success_at = COALESCE(hl_now() - $3, last_success_at), "
	"last_failure_at = CASE WHEN $6 = breaker_version THEN hl_now() - $5 ELSE last_failure_at END, "
	"failing_since = CASE WHEN $6 = breaker_version AND ($3 IS NOT NULL OR failing_since IS NULL) "
	"THEN hl_now() - $4 WHEN $6 = breaker_version OR $3 IS NULL THEN failing_since END, "
	"breaker = COALESCE($7, breaker) WHERE tenant_id = $1 AND endpoint_id = $2",
	/* Citus does not allow hl_now() within COALESCE or CASE. */
	.citus = "UPDATE endpoints SET "
		 "last_success_at = COALESCE(hl_time(given.now - given.succeeded), endpoints.last_success_at), "
		 "last_failure_at = CASE WHEN given.version = endpoints.breaker_version "
		 "THEN hl_time(given.now - given.failed) ELSE endpoints.last_failure_at END, "
		 "failing_since = CASE WHEN given.version = endpoints.breaker_version "
		 "AND (given.succeeded IS NOT NULL OR endpoints.failing_since IS NULL) "
		 "THEN hl_time(given.now - given.failing) "
		 "WHEN given.version = endpoints.breaker_version OR given.succeeded IS NULL "
		 "THEN endpoints.failing_since END, "
		 "breaker = COALESCE(given.breaker, endpoints.breaker) "
		 "FROM (SELECT *, hl_ms(hl_now()) FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::bigint[], "
		 "$5::bigint[], $6::bigint[], $7::text[]) OFFSET 0) AS given (tenant_id, endpoint_id, succeeded, "
		 "failing, failed, version, breaker, now) "
		 "WHERE endpoints.tenant_id = given.tenant_id AND endpoints.endpoint_id = given.endpoint_id"},
    .types = types,
    .count = COLUMN_COUNT};

/*
 * Citus refuses to skip the locked rows of many tenants. The nodes that have the rows wait for them by a setting of
 * their own: Citus sends it to them if SET LOCAL sets it, while this setting of Citus is on. Both hold until the
 * transaction ends.
 */
static const struct db_statement propagate = {"SELECT set_config('citus.propagate_set_commands', 'local', true)", NULL};
static const struct db_statement hardly_wait = {"SET LOCAL lock_timeout = '20ms'", NULL};

static int
limit_waits(struct db *db, struct error *err)
{
	int rc = db_query(db, &propagate, NULL, 0, NULL, err);

	return rc == 0 ? db_query(db, &hardly_wait, NULL, 0, NULL, err) : rc;
}

int
endpoint_runs_write(struct db *db, struct endpoint_run *runs, uint32_t count, struct error *err)
{
	struct db_rows *locked = NULL;

	if (count == 0)
		return 0;

	struct db_param *values = mem_new((size_t)count * COLUMN_COUNT, sizeof *values);

	for (uint32_t i = 0; i < count; i++) {
		struct db_param *row = values + (size_t)i * COLUMN_COUNT;

		row[0] = db_text(runs[i].tenant_id);
		row[1] = db_uuid(runs[i].endpoint_id);
		row[2] = runs[i].succeeded ? db_int(runs[i].succeeded_ago_ms) : db_null();
		row[3] = runs[i].failing ? db_int(runs[i].failing_ago_ms) : db_null();
		row[4] = runs[i].failing ? db_int(runs[i].failed_ago_ms) : db_null();
		row[5] = runs[i].failing ? db_int(runs[i].version) : db_null();
		row[6] = runs[i].breaker != NULL ? db_string(runs[i].breaker) : db_null();
		runs[i].locked = false;
	}
	int rc = db_distributed(db) ? limit_waits(db, err) : 0;
	if (rc == 0)
		rc = db_each(db, &write_runs, values, count, &locked, err);
	free(values);
	for (uint32_t i = 0; rc == 0 && i < db_rows_count(locked); i++)
		runs[db_rows_int(locked, i, 0) - 1].locked = true;
	db_rows_free(locked);
	return rc;
}
