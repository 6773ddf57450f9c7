/* Jobs have one index, their key. The ids of an event's jobs at an endpoint differ in the last 16 bits alone. */
#include "store/webhooks/replay_events.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "event/handover.h"
#include "store/webhooks/job_outcomes.h"

#define EVENT                                                                                                          \
	"SELECT event_id, hl_ms(created_at), hl_ms(occurred_at), topic, payload, idempotency_key, ordering_key, "      \
	"target_user_id, extra, trace, job_count FROM events WHERE tenant_id = $1 "
#define CREATED "AND created_at >= hl_time($2) AND created_at < hl_time($3) "

/* ---- events ---- */

int
replay_events_range(struct db *db, const struct replay_range *range, const uint8_t after[16], uint32_t limit,
    struct db_rows **rows, struct error *err) /* six: as in the header */
{
	static const struct db_statement read = {
	    EVENT CREATED "AND topic LIKE $4 ESCAPE '\\' AND event_id > $5 ORDER BY event_id LIMIT $6", NULL};
	const struct db_param params[] = {
	    db_string(range->tenant_id),
	    db_int(range->created.from_ms),
	    db_int(range->created.to_ms),
	    list_like(range->topic_like),
	    db_uuid(after),
	    db_int(limit),
	};

	return db_query(db, &read, params, 6, rows, err);
}

int
replay_events_named(
    struct db *db, const char *tenant_id, const uint8_t event_id[16], struct db_rows **rows, struct error *err)
{
	static const struct db_statement read = {EVENT CREATED "AND event_id = $4", NULL};
	int64_t made_ms = job_event_ms(event_id);
	const struct db_param params[] = {
	    db_string(tenant_id), db_int(made_ms), db_int(made_ms + 1), db_uuid(event_id)};

	/* Times that no calendar of the store has are of no event. */
	if (made_ms >= TIME_RANGE_LAST_MS)
		return db_query(db, &(const struct db_statement){EVENT "AND 1 = 0", NULL}, params, 1, rows, err);
	return db_query(db, &read, params, 4, rows, err);
}

int
replay_events_count(
    struct db *db, const struct replay_range *range, int64_t most, struct db_rows **rows, struct error *err)
{
	static const struct db_statement count = {
	    "SELECT topic, COUNT(*) FROM (SELECT topic FROM events WHERE tenant_id = $1 " CREATED
	    "AND topic LIKE $4 ESCAPE '\\' LIMIT $5) AS matched GROUP BY topic",
	    NULL};
	const struct db_param params[] = {
	    db_string(range->tenant_id),
	    db_int(range->created.from_ms),
	    db_int(range->created.to_ms),
	    list_like(range->topic_like),
	    db_int(most),
	};

	return db_query(db, &count, params, 5, rows, err);
}

static const enum db_type count_types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_INT8, DB_TYPE_INT4};
static const struct db_each set_count = {
    {"UPDATE events SET job_count = given.jobs FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::int[])"
     " AS given (tenant_id, event_id, made, jobs) WHERE events.tenant_id = given.tenant_id"
     " AND events.event_id = given.event_id AND events.created_at >= hl_time(given.made)"
     " AND events.created_at < hl_time(given.made + 1)",
	"UPDATE events SET job_count = $4 WHERE tenant_id = $1 AND event_id = $2 AND created_at >= hl_time($3)"
	" AND created_at < hl_time($3 + 1)"},
    count_types, 4};

int
replay_events_have(
    struct db *db, const char *tenant_id, const struct replay_count *counts, uint32_t count, struct error *err)
{
	struct db_param *values = mem_new((size_t)count * 4 + 1, sizeof *values), *value = values;
	int rc = 0;

	for (uint32_t i = 0; i < count; i++, value += 4) {
		value[0] = db_string(tenant_id);
		value[1] = db_uuid(counts[i].event_id);
		value[2] = db_int(job_event_ms(counts[i].event_id));
		value[3] = db_int(counts[i].jobs);
	}
	if (count > 0)
		rc = db_each(db, &set_count, values, count, NULL, err);
	free(values);
	return rc;
}

/* ---- earlier jobs ---- */

#define ASKED 7
static const enum db_type asked_types[ASKED] = {
    DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_INT4, DB_TYPE_INT8};

#define WANTED "SELECT wanted.number FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int[]"
#define ITS_JOBS(table)                                                                                                \
	"(SELECT true FROM " table " WHERE " table ".tenant_id = wanted.tenant_id"                                     \
	" AND " table ".endpoint_id = wanted.endpoint_id AND " table ".job_id BETWEEN wanted.event_id AND wanted.last" \
	" AND " table ".transform_id IS NOT DISTINCT FROM wanted.transform_id LIMIT 1)"
#define SQLITE_JOBS(table)                                                                                             \
	"(SELECT 1 FROM " table " WHERE tenant_id = $1 AND endpoint_id = $2 AND job_id BETWEEN $3 AND $4"              \
	" AND transform_id IS $5)"

/* Subqueries: each goes by an index, whatever the planner believes of a table whose rows come and go. */
static const struct db_each find_waiting = {
    {WANTED ") AS wanted (tenant_id, endpoint_id, event_id, last, transform_id, number) WHERE " ITS_JOBS("jobs"),
	"SELECT $6 WHERE EXISTS " SQLITE_JOBS("jobs")},
    asked_types, ASKED - 1};

static const struct db_each find_failed = {
    {WANTED ", $7::bigint[]) AS wanted (tenant_id, endpoint_id, event_id, last, transform_id, number, made)"
	    " WHERE " ITS_JOBS("dlq") " OR (SELECT true FROM attempts WHERE attempts.tenant_id = wanted.tenant_id"
				      " AND attempts.event_id = wanted.event_id"
				      " AND attempts.endpoint_id = wanted.endpoint_id"
				      " AND attempts.status = 'success'"
				      " AND attempts.started_at >= hl_time(wanted.made - 86400000)"
				      " LIMIT 1) IS NULL",
	"SELECT $6 WHERE EXISTS " SQLITE_JOBS("dlq") " OR NOT EXISTS (SELECT 1 FROM attempts WHERE tenant_id = $1"
						     " AND event_id = $3 AND endpoint_id = $2 AND status = 'success'"
						     " AND started_at >= hl_time($7 - 86400000))"},
    asked_types, ASKED};

static bool
is_none(const uint8_t id[16])
{
	static const uint8_t none[16];

	return memcmp(id, none, sizeof none) == 0;
}

/* The numbers of those jobs that the statement finds. */
static int
find(struct db *db, const struct db_each *each, const char *tenant_id, const struct replay_job *jobs, uint32_t count,
    struct db_rows **rows, struct error *err) /* seven: a statement, its parameters, and the result */
{
	struct db_param *values = mem_new((size_t)count * each->count + 1, sizeof *values), *value = values;
	uint8_t(*last)[16] = mem_new(count + 1, sizeof *last);
	int rc = 0;

	*rows = NULL;
	for (uint32_t i = 0; i < count; i++, value += each->count) {
		const struct route_job *route = jobs[i].route;

		memcpy(last[i], jobs[i].event_id, sizeof last[i]);
		last[i][14] = last[i][15] = 0xff;
		value[0] = db_string(tenant_id);
		value[1] = db_uuid(route->endpoint_id);
		value[2] = db_uuid(jobs[i].event_id);
		value[3] = db_uuid(last[i]);
		value[4] = is_none(route->transform_id) ? db_null() : db_uuid(route->transform_id);
		value[5] = db_int(i);
		if (each->count == ASKED)
			value[6] = db_int(job_event_ms(jobs[i].event_id));
	}
	if (count > 0)
		rc = db_each(db, each, values, count, rows, err);
	free(values);
	free(last);
	return rc;
}

int
replay_jobs_waiting(struct db *db, const char *tenant_id, struct replay_job *jobs, uint32_t count, struct error *err)
{
	struct db_rows *rows;
	int rc = find(db, &find_waiting, tenant_id, jobs, count, &rows, err);

	if (rc != 0)
		return rc;
	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		jobs[db_rows_int(rows, row, 0)].waits = true;
	db_rows_free(rows);
	return 0;
}

int
replay_jobs_failed(struct db *db, const char *tenant_id, struct replay_job *jobs, uint32_t count, struct error *err)
{
	struct db_rows *rows;
	int rc = find(db, &find_failed, tenant_id, jobs, count, &rows, err);

	if (rc != 0)
		return rc;
	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		jobs[db_rows_int(rows, row, 0)].failed = true;
	db_rows_free(rows);
	return 0;
}

/* ---- new jobs ---- */

static const enum db_type job_types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_INT4,
    DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_TIME, DB_TYPE_UUID, DB_TYPE_UUID_ARRAY};

#define JOB_COLUMNS (sizeof job_types / sizeof *job_types)

static const struct db_table jobs_table = {"jobs",
    "tenant_id, endpoint_id, job_id, event_id, node_id, status, transform_id, expires_at, replay_id, subscription_ids",
    job_types, JOB_COLUMNS};

static void
job_values(
    const struct replay_maker *maker, const struct replay_job *job, uint8_t id[16], struct db_param value[JOB_COLUMNS])
{
	const struct route_job *route = job->route;

	handover_job_id(job->event_id, job->number, id);
	value[0] = db_string(maker->tenant_id);
	value[1] = db_uuid(route->endpoint_id);
	value[2] = db_uuid(id);
	value[3] = db_uuid(job->event_id);
	value[4] = db_int(maker->node_id);
	value[5] = db_string(route->held ? "held" : "pending");
	value[6] = is_none(route->transform_id) ? db_null() : db_uuid(route->transform_id);
	value[7] = route->held ? db_null() : db_int((maker->now_ms + route->lifetime_ms) * 1000);
	value[8] = db_uuid(maker->replay_id);
	value[9] = db_uuids(&maker->subscription_ids[route->first], route->count);
}

int
replay_jobs_add(
    struct db *db, const struct replay_maker *maker, const struct replay_job *jobs, uint32_t count, struct error *err)
{
	struct db_param *values = mem_new((size_t)count * JOB_COLUMNS + 1, sizeof *values);
	uint8_t(*ids)[16] = mem_new(count + 1, sizeof *ids);
	uint32_t rows = 0;
	int rc = 0;

	for (uint32_t i = 0; i < count; i++)
		if (!jobs[i].waits && jobs[i].number > 0) {
			job_values(maker, &jobs[i], ids[rows], &values[rows * JOB_COLUMNS]);
			rows++;
		}
	if (rows > 0)
		rc = db_load(db, &jobs_table, values, rows, err);
	free(values);
	free(ids);
	return rc;
}

int
replay_node_is_there(struct db *db, int64_t node_id, int64_t epoch, bool *there, struct error *err)
{
	static const struct db_statement look = {
	    "SELECT 1 FROM delivery_nodes WHERE node_id = $1 AND epoch = $2 AND adopted_by IS NULL FOR SHARE",
	    "SELECT 1 FROM delivery_nodes WHERE node_id = $1 AND epoch = $2 AND adopted_by IS NULL"};
	const struct db_param params[] = {db_int(node_id), db_int(epoch)};

	return db_finds(db, &look, params, 2, there, err);
}
