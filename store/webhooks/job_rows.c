/* Every statement uses the key of jobs, or for places the partial index of rows that have one. */
#include "store/webhooks/job_rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/list_sql.h"

#define COLUMNS                                                                                                        \
	"job_id, event_id, transform_id, attempt_count, attempt_base, "                                                \
	"hl_ms(next_attempt_at) - (SELECT hl_ms(hl_now())), hl_ms(expires_at) - (SELECT hl_ms(hl_now())), "            \
	"status = 'held', replay_id IS NOT NULL"

int
job_rows_page(struct db *db, const struct job_range *range, struct db_rows **rows, struct error *err)
{
	static const struct db_statement page = {
	    "SELECT " COLUMNS " FROM jobs WHERE tenant_id = $1 AND endpoint_id = $2 AND job_id > $3 AND node_id = $4 "
	    "ORDER BY job_id LIMIT $5"};
	const struct db_param params[] = {db_string(range->tenant_id), db_uuid(range->endpoint_id),
	    db_uuid(range->after), db_int(range->node_id), db_int(range->limit)};

	return db_query(db, &page, params, 5, rows, err);
}

/* ---- places ---- */

int
job_rows_fifo_page(
    struct db *db, const struct job_range *range, int64_t after_seq, struct db_rows **rows, struct error *err)
{
	static const struct db_statement page = {
	    "SELECT " COLUMNS ", fifo_seq FROM jobs WHERE tenant_id = $1 AND endpoint_id = $2 "
	    "AND fifo_seq IS NOT NULL AND (fifo_seq, job_id) > ($4, $3) AND node_id = $6 "
	    "ORDER BY fifo_seq, job_id LIMIT $5"};
	const struct db_param params[] = {db_string(range->tenant_id), db_uuid(range->endpoint_id),
	    db_uuid(range->after), db_int(after_seq), db_int(range->limit), db_int(range->node_id)};

	return db_query(db, &page, params, 6, rows, err);
}

int
job_rows_unplaced(struct db *db, const struct job_range *range, struct db_rows **rows, struct error *err)
{
	static const struct db_statement find = {
	    "SELECT job_id FROM jobs WHERE tenant_id = $1 AND endpoint_id = $2 AND job_id > $3 AND node_id = $4 "
	    "AND fifo_seq IS NULL ORDER BY job_id LIMIT $5"};
	const struct db_param params[] = {db_string(range->tenant_id), db_uuid(range->endpoint_id),
	    db_uuid(range->after), db_int(range->node_id), db_int(range->limit)};

	return db_query(db, &find, params, 5, rows, err);
}

int
job_rows_place(struct db *db, const struct job_range *range, const uint8_t last[16], int64_t sender, struct error *err)
{
	static const struct db_statement place = {
	    "UPDATE jobs SET fifo_seq = 0, node_id = $6, expires_at = NULL WHERE tenant_id = $1 AND endpoint_id = $2 "
	    "AND job_id > $3 AND job_id <= $4 AND node_id = $5 AND fifo_seq IS NULL"};
	const struct db_param params[] = {db_string(range->tenant_id), db_uuid(range->endpoint_id),
	    db_uuid(range->after), db_uuid(last), db_int(range->node_id), db_int(sender)};

	return db_query(db, &place, params, 6, NULL, err);
}

/* ---- events ---- */

static const enum db_type event_types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_INT8};

#define EVENT                                                                                                          \
	"SELECT given.job_id, given.made, hl_ms(COALESCE(events.occurred_at, dlq_events.occurred_at)), "               \
	"COALESCE(events.topic, dlq_events.topic), "                                                                   \
	"CASE WHEN events.event_id IS NULL THEN dlq_events.payload ELSE events.payload END, "                          \
	"CASE WHEN events.event_id IS NULL THEN dlq_events.idempotency_key ELSE events.idempotency_key END, "          \
	"CASE WHEN events.event_id IS NULL THEN dlq_events.ordering_key ELSE events.ordering_key END, "                \
	"CASE WHEN events.event_id IS NULL THEN dlq_events.target_user_id ELSE events.target_user_id END, "            \
	"CASE WHEN events.event_id IS NULL THEN dlq_events.extra ELSE events.extra END, "                              \
	"CASE WHEN events.event_id IS NULL THEN dlq_events.trace ELSE events.trace END FROM "
#define EVENT_OF_JOB                                                                                                   \
	" LEFT JOIN events ON events.event_id = given.event_id "                                                       \
	"AND events.created_at >= hl_time(given.made) AND events.created_at < hl_time(given.made + 1) "                \
	"AND events.tenant_id = "
#define ONE_EVENT_OF_JOB                                                                                               \
	" LEFT JOIN LATERAL (SELECT * FROM events WHERE events.tenant_id = given.tenant_id AND " ONE_BY(               \
	    "events.event_id", "given.event_id",                                                                       \
	    "AND events.created_at >= hl_time(given.made) AND events.created_at < hl_time(given.made + 1)") ") AS "    \
													    "events "  \
													    "ON true"
#define KEPT_OF_JOB                                                                                                    \
	" LEFT JOIN dlq_events ON dlq_events.event_id = given.event_id AND dlq_events.job_id = given.job_id "          \
	"AND dlq_events.tenant_id = "
#define IS_THERE " WHERE events.event_id IS NOT NULL OR dlq_events.event_id IS NOT NULL"

/*
 * Citus would fetch a whole distributed table behind LEFT JOIN. And in a part that it runs by itself an unnest() of
 * several arrays fails: it takes all columns for the first one.
 */
#define KEPT_EVENT(table)                                                                                              \
	"SELECT given.job_id, given.made, hl_ms(" table ".occurred_at), " table ".topic, " table ".payload, " table    \
	".idempotency_key, " table ".ordering_key, " table ".target_user_id, " table ".extra, " table ".trace FROM "   \
	"(SELECT unnest($1::text[]), unnest($2::uuid[]), unnest($3::uuid[]), unnest($4::bigint[])) AS given "          \
	"(tenant_id, job_id, event_id, made) JOIN " table " ON " table ".tenant_id = given.tenant_id AND " table       \
	".event_id = given.event_id "

static const struct db_each read_events = {
    .statement = {EVENT "unnest($1::text[], $2::uuid[], $3::uuid[], $4::bigint[]) "
			"AS given (tenant_id, job_id, event_id, made)" ONE_EVENT_OF_JOB KEPT_OF_JOB
			"ANY (ARRAY[given.tenant_id])" IS_THERE,
	EVENT "(SELECT $1 AS tenant_id, $2 AS job_id, $3 AS event_id, $4 AS made) AS given" EVENT_OF_JOB
	      "given.tenant_id" KEPT_OF_JOB "given.tenant_id" IS_THERE,
	.citus = KEPT_EVENT("events") "AND events.created_at >= hl_time(given.made) "
				      "AND events.created_at < hl_time(given.made + 1) UNION ALL " KEPT_EVENT(
					  "dlq_events") "AND dlq_events.job_id = given.job_id"},
    .types = event_types,
    .count = 4};

int
job_rows_events(struct db *db, const char *tenant_id, const struct job_name *jobs, uint32_t count,
    struct db_rows **rows, struct error *err)
{
	struct db_param *values = mem_new((size_t)count * 4, sizeof *values);

	assert(count > 0);
	for (uint32_t i = 0; i < count; i++) {
		values[4 * i] = db_string(tenant_id);
		values[4 * i + 1] = db_uuid(jobs[i].job_id);
		values[4 * i + 2] = db_uuid(jobs[i].event_id);
		values[4 * i + 3] = db_int(job_event_ms(jobs[i].event_id));
	}
	int rc = db_each(db, &read_events, values, count, rows, err);
	free(values);
	return rc;
}

/* ---- the scan ---- */

#define FIRST_PLACE                                                                                                    \
	"WITH RECURSIVE places (tenant_id, endpoint_id, n) AS (SELECT * FROM (SELECT tenant_id, endpoint_id, 1 "       \
	"FROM jobs WHERE (tenant_id, endpoint_id) > ($1, $2) ORDER BY tenant_id, endpoint_id LIMIT 1) AS first "       \
	"UNION ALL SELECT "
#define NEXT_PLACE                                                                                                     \
	"FROM jobs WHERE (jobs.tenant_id, jobs.endpoint_id) > (places.tenant_id, places.endpoint_id) "                 \
	"ORDER BY jobs.tenant_id, jobs.endpoint_id LIMIT 1) "
#define ALL_PLACES " SELECT tenant_id, endpoint_id FROM places WHERE tenant_id IS NOT NULL ORDER BY n"

/*
 * Each step jumps to the next endpoint in the key; in PostgreSQL by one lookup, because dead rows kept by an old
 * snapshot are skipped one by one.
 */
#define SCAN                                                                                                           \
	FIRST_PLACE "behind.tenant_id, behind.endpoint_id, n + 1 FROM places CROSS JOIN LATERAL "                      \
		    "(SELECT jobs.tenant_id, jobs.endpoint_id " NEXT_PLACE "AS behind WHERE n < $3)" ALL_PLACES
#define SQLITE_SCAN                                                                                                    \
	FIRST_PLACE "(SELECT jobs.tenant_id " NEXT_PLACE ", (SELECT jobs.endpoint_id " NEXT_PLACE                      \
		    ", n + 1 FROM places WHERE tenant_id IS NOT NULL AND n < $3)" ALL_PLACES

/*
 * Citus allows no recursion over tenants. A deleted endpoint's jobs are removed before the endpoint, so none is
 * missed.
 */
#define CITUS_SCAN(behind)                                                                                             \
	"SELECT e.tenant_id, e.endpoint_id FROM endpoints e WHERE " behind " AND (SELECT 1 FROM jobs "                 \
	"WHERE jobs.tenant_id = e.tenant_id AND jobs.endpoint_id = e.endpoint_id LIMIT 1) = 1 "                        \
	"ORDER BY e.tenant_id, e.endpoint_id LIMIT $3"

static int
scan(struct db *db, const struct db_statement *statement, const struct job_place *place, struct db_rows **rows,
    struct error *err)
{
	const struct db_param params[] = {
	    db_string(place->tenant_id), db_uuid(place->endpoint_id), db_int(place->limit)};

	return db_query(db, statement, params, 3, rows, err);
}

int
job_rows_scan(struct db *db, const struct job_place *place, struct db_rows **rows, struct error *err)
{
	static const struct db_statement scan_all = {
	    SCAN, SQLITE_SCAN, .citus = CITUS_SCAN("(e.tenant_id, e.endpoint_id) > ($1, $2)")};

	return scan(db, &scan_all, place, rows, err);
}

int
job_rows_scan_tenant(struct db *db, const struct job_place *place, struct db_rows **rows, struct error *err)
{
	static const struct db_statement of_tenant = {
	    SCAN, SQLITE_SCAN, .citus = CITUS_SCAN("e.tenant_id = $1 AND e.endpoint_id > $2")};

	return scan(db, &of_tenant, place, rows, err);
}

int
job_rows_scan_endpoints(struct db *db, const struct job_place *place, struct db_rows **rows, struct error *err)
{
	static const struct db_statement scan_endpoints = {
	    "SELECT tenant_id, endpoint_id FROM endpoints WHERE (tenant_id, endpoint_id) > ($1, $2) "
	    "AND deleted_at IS NULL ORDER BY tenant_id, endpoint_id LIMIT $3"};

	return scan(db, &scan_endpoints, place, rows, err);
}

/* ---- held ---- */

/* The key of the slice's last row; *ends: the greatest key, because no row follows. */
static int
find_last(struct db *db, const struct job_range *range, uint8_t last[16], bool *ends, struct error *err)
{
	static const struct db_statement find = {
	    "SELECT job_id FROM jobs WHERE tenant_id = $1 AND endpoint_id = $2 AND job_id > $3 "
	    "ORDER BY job_id LIMIT 1 OFFSET $4"};
	const struct db_param params[] = {db_string(range->tenant_id), db_uuid(range->endpoint_id),
	    db_uuid(range->after), db_int((int64_t)range->limit - 1)};
	struct db_rows *rows;
	int rc = db_query(db, &find, params, 4, &rows, err);

	if (rc != 0)
		return rc;
	memset(last, 0xff, 16);
	*ends = db_rows_count(rows) == 0;
	if (!*ends) {
		struct span id = db_rows_text(rows, 0, 0);

		*ends = !uuid_parse(id.base, id.len, last);
	}
	db_rows_free(rows);
	return 0;
}

/* Runs a statement whose first parameters are those of the range. */
static int
mark(struct db *db, const struct db_statement *statement, const struct job_range *range, const int64_t *lifetime_ms,
    uint8_t last[16], struct error *err) /* six: a statement and its parameters, and the result */
{
	static const struct db_statement limit_waits = {"SELECT set_config('lock_timeout', '1s', true)", "SELECT 1"};
	struct db_param params[6];
	size_t count = 0;
	bool ends;
	int rc = db_query(db, &limit_waits, NULL, 0, NULL, err);

	if (rc == 0)
		rc = find_last(db, range, last, &ends, err);
	if (rc != 0)
		return rc;
	params[count++] = db_string(range->tenant_id);
	params[count++] = db_uuid(range->endpoint_id);
	params[count++] = db_uuid(range->after);
	params[count++] = db_uuid(last);
	params[count++] = db_int(range->node_id);
	if (lifetime_ms != NULL)
		params[count++] = db_int(*lifetime_ms);
	rc = db_query(db, statement, params, count, NULL, err);
	if (ends)
		memset(last, 0, 16);
	return rc;
}

int
job_rows_hold(struct db *db, const struct job_range *range, uint8_t last[16], struct error *err)
{
	static const struct db_statement hold = {
	    "UPDATE jobs SET status = 'held', expires_at = NULL WHERE tenant_id = $1 AND endpoint_id = $2 "
	    "AND job_id > $3 AND job_id <= $4 AND node_id = $5 AND status <> 'held'"};

	return mark(db, &hold, range, NULL, last, err);
}

int
job_rows_release(struct db *db, const struct job_range *range, int64_t lifetime_ms, uint8_t last[16], struct error *err)
{
	static const struct db_statement release = {
	    "UPDATE jobs SET status = 'pending', expires_at = CASE WHEN fifo_seq IS NULL THEN "
	    "(SELECT hl_time(hl_ms(hl_now()) + $6)) END WHERE tenant_id = $1 AND endpoint_id = $2 AND job_id > $3 AND "
	    "job_id <= $4 AND node_id = $5 AND status <> 'pending'"};

	return mark(db, &release, range, &lifetime_ms, last, err);
}
