/* Jobs have only the index of their key. At each endpoint the jobs of some consecutive events are a range of it. */
#include "store/webhooks/event_removal.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/format.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "store/webhooks/job_outcomes.h"

#define JOBS_AT_ONCE 5000

/* The times are those in ids, so they bound the walk over ids. They also select the months. */
int
event_removal_page(struct db *db, const char *tenant_id, struct time_range created, const uint8_t after[16],
    uint32_t limit, struct db_rows **rows, struct error *err)
{
	static const struct db_statement page = {
	    "SELECT event_id, topic FROM events WHERE tenant_id = $1 AND created_at >= hl_time($2)"
	    " AND created_at < hl_time($3) AND event_id > $4 AND event_id < $6 ORDER BY event_id LIMIT $5",
	    NULL};
	uint8_t from[16], to[16];

	uuid_v7_first(created.from_ms, from);
	uuid_v7_first(created.to_ms, to);
	if (memcmp(from, after, sizeof from) < 0)
		memcpy(from, after, sizeof from);
	const struct db_param params[] = {db_string(tenant_id), db_int(created.from_ms), db_int(created.to_ms),
	    db_uuid(from), db_int(limit), db_uuid(to)};

	return db_query(db, &page, params, 6, rows, err);
}

/* Writes the ids as one parameter: an array of PostgreSQL, or JSON. */
static void
write_list(const struct event_removal *removal, struct bytes *list)
{
	bool postgres = removal->config->hl_store == HL_STORE_POSTGRES;
	char id[FORMAT_UUID_BYTES + 1] = "";

	for (uint32_t i = 0; i < removal->count; i++) {
		format_uuid(removal->ids[i], id);
		bytes_add_text(list, i > 0 ? "," : postgres ? "{" : "[");
		bytes_add_text(list, postgres ? "" : "\"");
		bytes_add_text(list, id);
		bytes_add_text(list, postgres ? "" : "\"");
	}
	bytes_add_text(list, postgres ? "}" : "]");
}

/* LATERAL, and CROSS JOIN in SQLite, go endpoint by endpoint, whatever the planner's statistics of jobs. */
static const struct db_statement find_jobs = {
    "SELECT found.endpoint_id, found.job_id FROM endpoints CROSS JOIN LATERAL (SELECT jobs.endpoint_id, jobs.job_id"
    " FROM jobs WHERE jobs.tenant_id = $1 AND jobs.endpoint_id = endpoints.endpoint_id AND jobs.job_id > $2"
    " AND jobs.job_id <= $3 AND jobs.event_id = ANY (CAST($4 AS uuid[])) OFFSET 0) AS found"
    " WHERE endpoints.tenant_id = $1 LIMIT $5",
    "SELECT jobs.endpoint_id, jobs.job_id FROM endpoints CROSS JOIN jobs WHERE endpoints.tenant_id = $1"
    " AND jobs.tenant_id = $1 AND jobs.endpoint_id = endpoints.endpoint_id AND jobs.job_id > $2"
    " AND jobs.job_id <= $3 AND jobs.event_id IN (SELECT value FROM json_each($4)) LIMIT $5"};

static const enum db_type key_types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_UUID};

static const struct db_each remove_jobs = {
    .statement =
	{"DELETE FROM jobs USING unnest($1::text[], $2::uuid[], $3::uuid[]) AS given (tenant_id, endpoint_id, "
	 "job_id) WHERE jobs.tenant_id = ANY (ARRAY[given.tenant_id]) AND jobs.endpoint_id = given.endpoint_id "
	 "AND jobs.job_id = given.job_id RETURNING jobs.job_id",
	    "DELETE FROM jobs WHERE tenant_id = $1 AND endpoint_id = $2 AND job_id = $3 RETURNING job_id"},
    .types = key_types,
    .count = 3};

static const struct db_statement remove_kept = {
    "DELETE FROM dlq_events WHERE tenant_id = $1 AND event_id = ANY (CAST($2 AS uuid[]))",
    "DELETE FROM dlq_events WHERE tenant_id = $1 AND event_id IN (SELECT value FROM json_each($2))"};

static int
remove_found(
    struct db *db, const char *tenant_id, const struct db_rows *found, struct db_rows **jobs, struct error *err)
{
	uint32_t count = db_rows_count(found);
	struct db_param *values = mem_new((size_t)count * 3 + 1, sizeof *values);
	uint8_t(*ids)[16] = mem_new((size_t)count * 2 + 1, sizeof *ids);
	int rc;

	for (uint32_t row = 0; row < count; row++) {
		values[3 * row] = db_string(tenant_id);
		for (uint32_t column = 0; column < 2; column++) {
			struct span id = db_rows_text(found, row, column);

			(void)uuid_parse(id.base, id.len, ids[2 * row + column]);
			values[3 * row + 1 + column] = db_uuid(ids[2 * row + column]);
		}
	}
	rc = db_each(db, &remove_jobs, values, count, jobs, err);
	free(values);
	free(ids);
	return rc;
}

int
event_removal_jobs(
    struct db *db, const struct event_removal *removal, struct db_rows **jobs, bool *done, struct error *err)
{
	struct bytes list = {0};
	struct db_rows *found;
	uint8_t last[16];
	int rc;

	*jobs = NULL;
	memcpy(last, removal->ids[removal->count - 1], sizeof last);
	last[14] = last[15] = 0xff; /* the greatest number of a job of that event */
	write_list(removal, &list);

	const struct span ids = {list.base, list.len};
	const struct db_param params[] = {
	    db_string(removal->tenant_id), db_uuid(removal->ids[0]), db_uuid(last), db_text(ids), db_int(JOBS_AT_ONCE)};
	const struct db_param kept[] = {db_string(removal->tenant_id), db_text(ids)};

	rc = db_query(db, &find_jobs, params, 5, &found, err);
	if (rc == 0) {
		*done = db_rows_count(found) < JOBS_AT_ONCE;
		rc = remove_found(db, removal->tenant_id, found, jobs, err);
		db_rows_free(found);
	}
	if (rc == 0 && *done)
		rc = db_query(db, &remove_kept, kept, 2, NULL, err);
	bytes_free(&list);
	return rc;
}

static const enum db_type event_types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_INT8};

static const struct db_each remove_events = {
    .statement =
	{"DELETE FROM events USING unnest($1::text[], $2::uuid[], $3::bigint[]) AS given (tenant_id, event_id, "
	 "made) WHERE events.tenant_id = ANY (ARRAY[given.tenant_id]) AND events.event_id = given.event_id "
	 "AND events.created_at >= hl_time(given.made) AND events.created_at < hl_time(given.made + 1)",
	    "DELETE FROM events WHERE tenant_id = $1 AND event_id = $2 AND created_at >= hl_time($3) "
	    "AND created_at < hl_time($3 + 1)"},
    .types = event_types,
    .count = 3};

int
event_removal_run(struct db *db, const struct event_removal *removal, uint64_t *removed, struct error *err)
{
	struct db_param *values = mem_new((size_t)removal->count * 3, sizeof *values);
	int rc;

	for (uint32_t i = 0; i < removal->count; i++) {
		values[3 * i] = db_string(removal->tenant_id);
		values[3 * i + 1] = db_uuid(removal->ids[i]);
		values[3 * i + 2] = db_int(job_event_ms(removal->ids[i]));
	}
	rc = db_each(db, &remove_events, values, removal->count, NULL, err);
	if (rc == 0)
		*removed = db_changed(db);
	free(values);
	return rc;
}
