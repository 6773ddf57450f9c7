/* Adds rows in slices, so that parameters take little memory however large the transaction is. */
#include "store/webhooks/event_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json_object.h"
#include "base/mem.h"
#include "event/handover.h"
#include "store/webhooks/fifo_places.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/list_sql.h"

#define SLICE_ROWS 2048

/* ---- events ---- */

static const enum db_type event_types[] = {DB_TYPE_UUID, DB_TYPE_TIME, DB_TYPE_TIME, DB_TYPE_INT4, DB_TYPE_TEXT,
    DB_TYPE_TEXT, DB_TYPE_JSON, DB_TYPE_TEXT, DB_TYPE_TEXT, DB_TYPE_TEXT, DB_TYPE_JSON, DB_TYPE_JSON};

#define EVENT_ROW_COLUMNS (sizeof event_types / sizeof *event_types)

static const struct db_table events = {"events",
    "event_id, created_at, occurred_at, job_count, tenant_id, topic, payload, idempotency_key, ordering_key, "
    "target_user_id, extra, trace",
    event_types, EVENT_ROW_COLUMNS};

/* The query uses the key's index, whatever the planner's statistics of the partitions. */
static const enum db_type key_types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_TIME, DB_TYPE_INT4};
#define OF_WANTED                                                                                                      \
	"FROM events e WHERE e.tenant_id = wanted.tenant_id AND " ONE_BY(                                              \
	    "e.event_id", "wanted.event_id", "AND e.created_at = wanted.created_at")
static const struct db_each find_events = {
    {"SELECT wanted.number, (SELECT e.job_count " OF_WANTED "), (SELECT hl_ms(hl_now()) - hl_ms(e.stored_at) " OF_WANTED
     ") FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::int[])"
     " AS wanted (tenant_id, event_id, created_at, number)",
	"SELECT $4, job_count, hl_ms(hl_now()) - hl_ms(stored_at) FROM events WHERE tenant_id = $1 AND event_id = $2 "
	"AND created_at = $3",
	.citus = "SELECT wanted.number, e.job_count, hl_ms(hl_now()) - hl_ms(e.stored_at)"
		 " FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::int[])"
		 " AS wanted (tenant_id, event_id, created_at, number) JOIN events e ON e.tenant_id = wanted.tenant_id"
		 " AND e.event_id = wanted.event_id AND e.created_at = wanted.created_at"},
    key_types, 4};

/* In the order of the query's columns. */
enum { FOUND_NUMBER, FOUND_JOBS, FOUND_AGE_MS };

#define KEY_COLUMNS 3

/* PostgreSQL finds the rows like those of jobs (store/webhooks/job_outcomes.h). */
static const struct db_each renew = {
    {"UPDATE events SET stored_at = hl_now() FROM unnest($1::text[], $2::uuid[], $3::timestamptz[]) "
     "AS slow (tenant_id, event_id, created_at) WHERE events.tenant_id = ANY (ARRAY[slow.tenant_id]) "
     "AND events.event_id = slow.event_id AND events.created_at = slow.created_at",
	"UPDATE events SET stored_at = hl_now() WHERE tenant_id = $1 AND event_id = $2 AND created_at = $3"},
    key_types, KEY_COLUMNS};

static void
key_values(const struct publication *item, struct db_param value[KEY_COLUMNS])
{
	value[0] = db_text(publication_tenant(item));
	value[1] = db_uuid(item->record->event_id);
	value[2] = db_int(publication_created_ms(item->record) * 1000);
}

/* Gives the events new places in ascending lists, whose readers may have passed the old ones. Returns as db_query(). */
static int
store_anew(struct db *db, const struct db_param *keys, uint32_t count, struct error *err)
{
	int rc = count > 0 ? jobs_by_indexes(db, err) : 0;

	return rc == 0 ? db_each(db, &renew, keys, count, NULL, err) : rc;
}

/* Takes the events found. Returns how many were slow, with their keys in `slow`. */
static uint32_t
take_found(const struct publication_group *group, const struct db_rows *rows, int64_t slow_ms, struct db_param *slow)
{
	uint32_t count = 0;

	for (uint32_t row = 0; row < db_rows_count(rows); row++) {
		struct publication *item = group->items[db_rows_int(rows, row, FOUND_NUMBER)];

		if (db_rows_null(rows, row, FOUND_JOBS))
			continue;
		item->outcome = (struct publish_outcome){
		    .result = PUBLISH_STORED, .jobs = (uint32_t)db_rows_int(rows, row, FOUND_JOBS)};
		if (db_rows_int(rows, row, FOUND_AGE_MS) > slow_ms)
			key_values(item, &slow[KEY_COLUMNS * count++]);
	}
	return count;
}

int
events_find(struct db *db, const struct publication_group *group, int64_t slow_ms, struct error *err)
{
	struct db_param *values = mem_new(4 * (size_t)group->count + 1, sizeof *values);
	struct db_rows *rows = NULL;
	uint32_t count = 0;
	int rc = 0;

	for (uint32_t i = 0; i < group->count; i++) {
		if (group->items[i]->outcome.result != 0)
			continue;
		key_values(group->items[i], &values[4 * count]);
		values[4 * count++ + 3] = db_int(i);
	}
	if (count > 0)
		rc = db_each(db, &find_events, values, count, &rows, err);
	if (rc == 0)
		rc = store_anew(db, values, take_found(group, rows, slow_ms, values), err);
	db_rows_free(rows);
	free(values);
	return rc;
}

/* Appends the request's trace headers as JSON, and returns whether there were any. */
static bool
add_trace(struct bytes *text, const struct record *record)
{
	struct span parent = record_published_string(record, PUBLISHED_TRACEPARENT);
	struct span trace_state = record_published_string(record, PUBLISHED_TRACESTATE);

	if (parent.base == NULL && trace_state.base == NULL)
		return false;

	struct json_object object = json_object_begin(text);

	json_object_add(&object, "traceparent", parent);
	json_object_add(&object, "tracestate", trace_state);
	json_object_end(&object);
	return true;
}

/* The values of one event. Of the trace only the length is set: its text may still move. */
static void
event_values(const struct publication *item, struct bytes *traces, struct db_param value[EVENT_ROW_COLUMNS])
{
	const struct record *record = item->record;
	size_t before = traces->len;

	value[0] = db_uuid(record->event_id);
	value[1] = db_int(publication_created_ms(record) * 1000);
	value[2] = db_int(record->timestamp_us);
	value[3] = db_int(item->jobs);
	value[4] = db_text(publication_tenant(item));
	value[5] = db_text(record_published_string(record, PUBLISHED_TOPIC));
	value[6] = db_text(record_data(record));
	value[7] = db_text(record_published_string(record, PUBLISHED_IDEMPOTENCY_KEY));
	value[8] = db_text(record_published_string(record, PUBLISHED_ORDERING_KEY));
	value[9] = db_text(record_published_string(record, PUBLISHED_TARGET_USER_ID));
	value[10] = db_text(record_published_string(record, PUBLISHED_EXTRA));
	value[11] = add_trace(traces, record) ? db_text((struct span){"", traces->len - before}) : db_null();
}

/* Sets the traces' addresses: they are all written and do not move any more. */
static void
place_traces(struct db_param *values, uint32_t rows, const char *traces)
{
	for (uint32_t row = 0; row < rows; row++) {
		struct db_param *trace = &values[row * EVENT_ROW_COLUMNS + EVENT_ROW_COLUMNS - 1];

		trace->text.base = trace->kind == DB_TEXT ? traces : NULL;
		traces += trace->kind == DB_TEXT ? trace->text.len : 0;
	}
}

int
events_add(struct db *db, const struct publication_group *group, db_adds *add, struct error *err)
{
	uint32_t most = group->count < SLICE_ROWS ? group->count : SLICE_ROWS, rows = 0;
	struct db_param *values = mem_new((size_t)most * EVENT_ROW_COLUMNS, sizeof *values);
	struct bytes traces = {0};
	int rc = 0;

	for (uint32_t i = 0; i < group->count && rc == 0; i++) {
		if (group->items[i]->outcome.result == 0)
			event_values(group->items[i], &traces, &values[rows++ * EVENT_ROW_COLUMNS]);
		if (rows == most || (rows > 0 && i + 1 == group->count)) {
			place_traces(values, rows, traces.base);
			rc = add(db, &events, values, rows, err);
			rows = 0;
			traces.len = 0;
		}
	}
	bytes_free(&traces);
	free(values);
	return rc;
}

/* ---- jobs ---- */

static const enum db_type job_types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_INT4,
    DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_TIME, DB_TYPE_UUID_ARRAY, DB_TYPE_INT8};

#define JOB_COLUMNS (sizeof job_types / sizeof *job_types)

static const struct db_table jobs = {"jobs",
    "tenant_id, endpoint_id, job_id, event_id, node_id, status, transform_id, expires_at, subscription_ids, fifo_seq",
    job_types, JOB_COLUMNS};

/* Rows gathered for adding. */
struct job_slice {
	struct db_param *values; /* JOB_COLUMNS a row */
	uint8_t (*ids)[16]; /* of the jobs */
	uint32_t rows;
};

static void
add_job(struct job_slice *slice, const struct publication_group *group, const struct publication *item, uint32_t k)
{
	static const uint8_t none[16] = {0};
	const struct route_job *job = &group->jobs->jobs[item->first_job + k];
	struct db_param *value = &slice->values[slice->rows * JOB_COLUMNS];
	uint8_t *id = slice->ids[slice->rows++];

	handover_job_id(item->record->event_id, k + 1, id);
	value[0] = db_text(publication_tenant(item));
	value[1] = db_uuid(job->endpoint_id);
	value[2] = db_uuid(id);
	value[3] = db_uuid(item->record->event_id);
	value[4] = db_int(job->fifo ? job->node_id : group->node.node_id);
	value[5] = db_string(job->held ? "held" : "pending");
	value[6] = memcmp(job->transform_id, none, 16) == 0 ? db_null() : db_uuid(job->transform_id);
	value[7] = job->held || job->fifo ? db_null() : db_int((group->now_ms + job->lifetime_ms) * 1000);
	value[8] = db_uuids((const uint8_t(*)[16]) & group->jobs->ids[job->first], job->count);
	value[9] = job->fifo ? db_int(job->fifo_seq) : db_null();
}

/* A function of fifo_places.h that takes places. */
typedef int take_places_fn(
    struct db *db, int64_t node_id, struct fifo_place_request *requests, uint32_t count, struct error *err);

static int
take_places(struct db *db, const struct publication_group *group, take_places_fn *take, struct error *err)
{
	struct fifo_place_request *requests = mem_new(group->jobs->count, sizeof *requests);
	uint32_t count = 0;
	int rc;

	for (uint32_t i = 0; i < group->count; i++) {
		const struct publication *item = group->items[i];

		for (uint32_t k = 0; item->outcome.result == 0 && k < item->jobs; k++) {
			struct route_job *job = &group->jobs->jobs[item->first_job + k];

			if (job->fifo)
				requests[count++] = (struct fifo_place_request){.tenant_id = publication_tenant(item),
				    .endpoint_id = job->endpoint_id,
				    .seq = &job->fifo_seq,
				    .node_id = &job->node_id};
		}
	}
	rc = take(db, group->node.node_id, requests, count, err);
	free(requests);
	return rc;
}

int
jobs_try_places(struct db *db, const struct publication_group *group, struct error *err)
{
	return group->jobs->count > 0 ? take_places(db, group, fifo_places_try, err) : 0;
}

int
jobs_add(struct db *db, const struct publication_group *group, db_adds *add, struct error *err)
{
	uint32_t most = group->jobs->count < SLICE_ROWS ? group->jobs->count : SLICE_ROWS;
	struct job_slice slice = {0};
	int rc;

	if (most == 0)
		return 0;
	rc = take_places(db, group, fifo_places_take, err);
	if (rc != 0)
		return rc;
	slice.values = mem_new((size_t)most * JOB_COLUMNS, sizeof *slice.values);
	slice.ids = mem_new(most, sizeof *slice.ids);
	for (uint32_t i = 0; i < group->count; i++) {
		const struct publication *item = group->items[i];

		for (uint32_t k = 0; rc == 0 && item->outcome.result == 0 && k < item->jobs; k++) {
			add_job(&slice, group, item, k);
			if (slice.rows == most) {
				rc = add(db, &jobs, slice.values, slice.rows, err);
				slice.rows = 0;
			}
		}
	}
	if (rc == 0 && slice.rows > 0)
		rc = add(db, &jobs, slice.values, slice.rows, err);
	free(slice.values);
	free(slice.ids);
	return rc;
}
