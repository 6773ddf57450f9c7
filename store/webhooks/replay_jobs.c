/* Jobs have only the index of their key. The ids of an event's jobs differ only in the last 16 bits. */
#include "store/webhooks/replay_jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "event/handover.h"
#include "store/webhooks/fifo_places.h"
#include "store/webhooks/job_outcomes.h"

/* ---- earlier jobs that wait ---- */

static const enum db_type waiting_types[] = {
    DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_INT4};

#define WAITING_COLUMNS (sizeof waiting_types / sizeof *waiting_types)

#define WANTED                                                                                                         \
	"unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int[])"                                \
	" AS wanted (tenant_id, endpoint_id, event_id, last, transform_id, number)"
#define WAITS                                                                                                          \
	"jobs.tenant_id = wanted.tenant_id AND jobs.endpoint_id = wanted.endpoint_id"                                  \
	" AND jobs.job_id BETWEEN wanted.event_id AND wanted.last"                                                     \
	" AND jobs.transform_id IS NOT DISTINCT FROM wanted.transform_id"

/* The subquery uses the key, whatever the planner's statistics of this volatile table. */
static const struct db_each find_waiting = {
    {"SELECT wanted.number FROM " WANTED " WHERE (SELECT true FROM jobs WHERE " WAITS " LIMIT 1)",
	"SELECT $6 WHERE EXISTS (SELECT 1 FROM jobs WHERE tenant_id = $1 AND endpoint_id = $2"
	" AND job_id BETWEEN $3 AND $4 AND transform_id IS $5)",
	.citus = "SELECT wanted.number FROM " WANTED " JOIN jobs ON " WAITS},
    waiting_types, WAITING_COLUMNS};

static bool
is_none(const uint8_t id[16])
{
	static const uint8_t none[16];

	return memcmp(id, none, sizeof none) == 0;
}

static void
last_job_id(const uint8_t event_id[16], uint8_t id[16])
{
	memcpy(id, event_id, 16);
	id[14] = id[15] = 0xff;
}

int
replay_jobs_waiting(struct db *db, const char *tenant_id, struct replay_job *jobs, uint32_t count, struct error *err)
{
	struct db_param *values = mem_new((size_t)count * WAITING_COLUMNS + 1, sizeof *values), *value = values;
	uint8_t(*last)[16] = mem_new(count + 1, sizeof *last);
	struct db_rows *rows = NULL;
	int rc = 0;

	for (uint32_t i = 0; i < count; i++, value += WAITING_COLUMNS) {
		const struct route_job *route = jobs[i].route;

		last_job_id(jobs[i].event_id, last[i]);
		value[0] = db_string(tenant_id);
		value[1] = db_uuid(route->endpoint_id);
		value[2] = db_uuid(jobs[i].event_id);
		value[3] = db_uuid(last[i]);
		value[4] = is_none(route->transform_id) ? db_null() : db_uuid(route->transform_id);
		value[5] = db_int(i);
	}
	if (count > 0)
		rc = db_each(db, &find_waiting, values, count, &rows, err);
	for (uint32_t row = 0; rc == 0 && row < db_rows_count(rows); row++)
		jobs[db_rows_int(rows, row, 0)].waits = true;
	db_rows_free(rows);
	free(values);
	free(last);
	return rc;
}

/* ---- earlier jobs that were delivered, or are dead letters ---- */

#define EARLIER_COLUMNS 4
static const enum db_type arrived_types[EARLIER_COLUMNS] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_INT8, DB_TYPE_INT4};
static const enum db_type dead_types[EARLIER_COLUMNS] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_INT4};

/*
 * Reads all attempts of an event once for all its jobs: each job would read as much by the same index. Clocks differ,
 * so an attempt may begin before its event's time.
 */
static const struct db_each find_arrived = {
    {"SELECT asked.number, attempts.endpoint_id, attempts.job_id"
     " FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::int[]) AS asked (tenant_id, event_id, made, number)"
     " JOIN attempts ON attempts.tenant_id = ANY (ARRAY[asked.tenant_id]) AND attempts.event_id = asked.event_id"
     " AND attempts.started_at >= hl_time(asked.made - 86400000) WHERE attempts.status = 'success'",
	"SELECT $4, endpoint_id, job_id FROM attempts WHERE tenant_id = $1 AND event_id = $2"
	" AND started_at >= hl_time($3 - 86400000) AND status = 'success'"},
    arrived_types, EARLIER_COLUMNS};

static const struct db_each find_dead = {
    {"SELECT asked.number, dlq.endpoint_id, dlq.job_id, dlq.transform_id"
     " FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::int[]) AS asked (tenant_id, event_id, last, number)"
     " JOIN dlq ON dlq.tenant_id = ANY (ARRAY[asked.tenant_id]) AND dlq.job_id BETWEEN asked.event_id AND asked.last",
	"SELECT $4, endpoint_id, job_id, transform_id FROM dlq WHERE tenant_id = $1 AND job_id BETWEEN $2 AND $3"},
    dead_types, EARLIER_COLUMNS};

/*
 * Runs a statement once for each event of the jobs. Rows begin with the index of the event's first job, the endpoint
 * and the job.
 */
static int
find_earlier(struct db *db, const struct db_each *each, const char *tenant_id, const struct replay_job *jobs,
    uint32_t count, struct db_rows **rows, struct error *err) /* seven: a statement, its parameters, and the result */
{
	struct db_param *values = mem_new((size_t)count * EARLIER_COLUMNS + 1, sizeof *values), *value = values;
	uint8_t(*last)[16] = mem_new(count + 1, sizeof *last);
	uint32_t events = 0;
	int rc = 0;

	*rows = NULL;
	for (uint32_t i = 0; i < count; i++) {
		if (i > 0 && memcmp(jobs[i].event_id, jobs[i - 1].event_id, 16) == 0)
			continue;
		last_job_id(jobs[i].event_id, last[events]);
		value[0] = db_string(tenant_id);
		value[1] = db_uuid(jobs[i].event_id);
		value[2] = each == &find_dead ? db_uuid(last[events]) : db_int(job_event_ms(jobs[i].event_id));
		value[3] = db_int(i);
		value += EARLIER_COLUMNS;
		events++;
	}
	if (events > 0)
		rc = db_each(db, each, values, events, rows, err);
	free(values);
	free(last);
	return rc;
}

/* An earlier job, from a row. */
struct earlier {
	uint32_t first; /* index of the event's first job */
	uint8_t endpoint_id[16], job_id[16];
};

/* false: the row was edited. */
static bool
read_earlier(const struct db_rows *rows, uint32_t row, struct earlier *earlier)
{
	struct span endpoint = db_rows_text(rows, row, 1), job = db_rows_text(rows, row, 2);

	earlier->first = (uint32_t)db_rows_int(rows, row, 0);
	return endpoint.base != NULL && uuid_parse(endpoint.base, endpoint.len, earlier->endpoint_id) &&
	       job.base != NULL && uuid_parse(job.base, job.len, earlier->job_id);
}

/* The next job from i on for the same event and endpoint; count: none. */
static uint32_t
next_same(const struct replay_job *jobs, uint32_t i, uint32_t count, const struct earlier *earlier)
{
	const uint8_t *event_id = jobs[earlier->first].event_id;

	for (; i < count && memcmp(jobs[i].event_id, event_id, 16) == 0; i++)
		if (memcmp(jobs[i].route->endpoint_id, earlier->endpoint_id, 16) == 0)
			return i;
	return count;
}

static void
note_arrived(struct replay_job *jobs, uint32_t count, const struct earlier *earlier)
{
	for (uint32_t i = next_same(jobs, earlier->first, count, earlier); i < count;
	     i = next_same(jobs, i + 1, count, earlier))
		if (memcmp(jobs[i].arrived, earlier->job_id, 16) < 0)
			memcpy(jobs[i].arrived, earlier->job_id, 16);
}

static void
note_dead(struct replay_job *jobs, uint32_t count, const struct earlier *earlier, const uint8_t transform_id[16])
{
	uint32_t first = next_same(jobs, earlier->first, count, earlier);
	bool alone = first == count || next_same(jobs, first + 1, count, earlier) == count;

	for (uint32_t i = first; i < count; i = next_same(jobs, i + 1, count, earlier))
		if (memcmp(jobs[i].route->transform_id, transform_id, 16) == 0 &&
		    (!alone || memcmp(jobs[i].arrived, earlier->job_id, 16) < 0))
			jobs[i].failed = true;
}

int
replay_jobs_failed(struct db *db, const char *tenant_id, struct replay_job *jobs, uint32_t count, struct error *err)
{
	struct db_rows *arrived, *dead = NULL;
	struct earlier earlier;
	int rc = find_earlier(db, &find_arrived, tenant_id, jobs, count, &arrived, err);

	if (rc == 0)
		rc = find_earlier(db, &find_dead, tenant_id, jobs, count, &dead, err);
	for (uint32_t row = 0; rc == 0 && row < db_rows_count(arrived); row++)
		if (read_earlier(arrived, row, &earlier))
			note_arrived(jobs, count, &earlier);
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		jobs[i].failed = is_none(jobs[i].arrived);
	for (uint32_t row = 0; rc == 0 && row < db_rows_count(dead); row++) {
		struct span text = db_rows_text(dead, row, 3);
		uint8_t transform_id[16] = {0};

		if (read_earlier(dead, row, &earlier) &&
		    (text.base == NULL || uuid_parse(text.base, text.len, transform_id)))
			note_dead(jobs, count, &earlier, transform_id);
	}
	db_rows_free(arrived);
	db_rows_free(dead);
	return rc;
}

/* ---- new jobs ---- */

static const enum db_type job_types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_INT4,
    DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_TIME, DB_TYPE_UUID, DB_TYPE_UUID_ARRAY, DB_TYPE_INT8};

#define JOB_COLUMNS (sizeof job_types / sizeof *job_types)

static const struct db_table jobs_table = {"jobs",
    "tenant_id, endpoint_id, job_id, event_id, node_id, status, transform_id, expires_at, replay_id, subscription_ids, "
    "fifo_seq",
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
	value[4] = db_int(route->fifo ? route->node_id : maker->node_id);
	value[5] = db_string(route->held ? "held" : "pending");
	value[6] = is_none(route->transform_id) ? db_null() : db_uuid(route->transform_id);
	value[7] = route->held || route->fifo ? db_null() : db_int((maker->now_ms + route->lifetime_ms) * 1000);
	value[8] = db_uuid(maker->replay_id);
	value[9] = db_uuids(&maker->subscription_ids[route->first], route->count);
	value[10] = route->fifo ? db_int(route->fifo_seq) : db_null();
}

static bool
is_made(const struct replay_job *job)
{
	return !job->waits && job->number > 0;
}

static int
place(struct db *db, const struct replay_maker *maker, const struct replay_job *jobs, uint32_t count, struct error *err)
{
	struct fifo_place_request *requests = mem_new(count + 1, sizeof *requests);
	uint32_t wanted = 0;
	int rc;

	for (uint32_t i = 0; i < count; i++)
		if (is_made(&jobs[i]) && jobs[i].route->fifo)
			requests[wanted++] =
			    (struct fifo_place_request){.tenant_id = {maker->tenant_id, strlen(maker->tenant_id)},
				.endpoint_id = jobs[i].route->endpoint_id,
				.seq = &jobs[i].route->fifo_seq,
				.node_id = &jobs[i].route->node_id};
	rc = fifo_places_front(db, maker->node_id, requests, wanted, err);
	free(requests);
	return rc;
}

int
replay_jobs_add(
    struct db *db, const struct replay_maker *maker, const struct replay_job *jobs, uint32_t count, struct error *err)
{
	struct db_param *values = mem_new((size_t)count * JOB_COLUMNS + 1, sizeof *values);
	uint8_t(*ids)[16] = mem_new(count + 1, sizeof *ids);
	uint32_t rows = 0;
	int rc = place(db, maker, jobs, count, err);

	for (uint32_t i = 0; rc == 0 && i < count; i++)
		if (is_made(&jobs[i])) {
			job_values(maker, &jobs[i], ids[rows], &values[rows * JOB_COLUMNS]);
			rows++;
		}
	if (rows > 0)
		rc = db_insert(db, &jobs_table, values, rows, err);
	free(values);
	free(ids);
	return rc;
}

/* ---- the node ---- */

#define NODE "SELECT 1 FROM delivery_nodes WHERE node_id = $1 AND epoch = $2 AND adopted_by IS NULL"

int
replay_hold_node(struct db *db, const struct node_row *row, struct error *err)
{
	static const struct db_statement look = {NODE " FOR SHARE", NODE, .citus = NODE " FOR NO KEY UPDATE"};
	const struct db_param params[] = {db_int(row->node_id), db_int(row->epoch)};
	bool exists;
	int rc = db_finds(db, &look, params, 2, &exists, err);

	if (rc != 0 || exists)
		return rc;
	(void)error_set(err, "another node has taken this node's row in delivery_nodes");
	return DB_BUSY;
}
