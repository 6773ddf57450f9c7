/* The walk reads slices in the order of the key of jobs. Between steps it keeps its place, but no transaction. */
#include "store/webhooks/expiry.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/pause_rows.h"
#include "store/webhooks/routing.h"

enum column { TENANT, ENDPOINT, JOB, EVENT, ATTEMPTS, ERROR, EXPIRED };

/*
 * A courier itself buries an expired job that it is about to attempt, and an attempt that began before expires_at has
 * ended five minutes later. A job that is due within a minute, or has been due for less than ten, may be under way, so
 * it is left to the next walk. Subqueries make the planner look up each row by a key, instead of hashing a table for
 * each slice.
 */
static const struct db_statement read_slice = {
    "SELECT tenant_id, endpoint_id, job_id, event_id, attempt_count, last_error, CASE "
    "WHEN hl_ms(expires_at) < hl_ms(hl_now()) - 300000 "
    "AND NOT EXISTS (SELECT 1 FROM pauses WHERE pauses.tenant_id IN (jobs.tenant_id, '" PAUSE_OF_ALL "')) "
    "AND (SELECT endpoints.enabled AND NOT endpoints.paused AND endpoints.state = 'active' "
    "AND endpoints.deleted_at IS NULL FROM endpoints WHERE endpoints.tenant_id = jobs.tenant_id "
    "AND endpoints.endpoint_id = jobs.endpoint_id) THEN 1 "
    "WHEN job_id < $5 AND hl_ms(next_attempt_at) - hl_ms(hl_now()) NOT BETWEEN -600000 AND 60000 "
    "AND (SELECT 1 FROM dlq_events WHERE dlq_events.tenant_id = jobs.tenant_id "
    "AND dlq_events.event_id = jobs.event_id AND dlq_events.job_id = jobs.job_id) IS NULL THEN 1 ELSE 0 END "
    "FROM jobs WHERE (tenant_id, endpoint_id, job_id) > ($1, $2, $3) ORDER BY tenant_id, endpoint_id, job_id LIMIT $4"};

/* The ids of a dead letter; its texts stay in the rows. */
struct letter_ids {
	uint8_t endpoint_id[16], job_id[16], event_id[16];
};

struct slice {
	struct db_rows *rows;
	uint32_t end; /* rows before it belong to the step */
	struct job_outcome letters[EXPIRY_SLICE_LETTERS];
	struct letter_ids ids[EXPIRY_SLICE_LETTERS];
	uint32_t count;
};

static bool
read_id(const struct db_rows *rows, uint32_t row, uint32_t column, uint8_t id[16])
{
	struct span text = db_rows_text(rows, row, column);

	return text.base != NULL && uuid_parse(text.base, text.len, id);
}

/* Adds a dead letter. A row that was edited and cannot be read is skipped. */
static void
add_letter(struct slice *slice, uint32_t row)
{
	struct letter_ids *ids = &slice->ids[slice->count];
	int64_t attempts = db_rows_int(slice->rows, row, ATTEMPTS);

	if (!read_id(slice->rows, row, ENDPOINT, ids->endpoint_id) || !read_id(slice->rows, row, JOB, ids->job_id) ||
	    !read_id(slice->rows, row, EVENT, ids->event_id) || attempts < 0 || attempts >= JOB_ATTEMPTS_MAX)
		return;
	slice->letters[slice->count++] = (struct job_outcome){
	    .tenant_id = db_rows_text(slice->rows, row, TENANT),
	    .endpoint_id = ids->endpoint_id,
	    .job_id = ids->job_id,
	    .event_id = ids->event_id,
	    .attempt_count = (uint32_t)attempts,
	    .below = (uint32_t)attempts + 1,
	    .reason = {"expired", strlen("expired")},
	    .error = db_rows_text(slice->rows, row, ERROR),
	};
}

static void
choose(struct slice *slice)
{
	for (; slice->end < db_rows_count(slice->rows) && slice->count < EXPIRY_SLICE_LETTERS; slice->end++)
		if (db_rows_int(slice->rows, slice->end, EXPIRED) != 0)
			add_letter(slice, slice->end);
}

static bool
same_tenant(const struct job_outcome *a, const struct job_outcome *b)
{
	return a->tenant_id.len == b->tenant_id.len &&
	       memcmp(a->tenant_id.base, b->tenant_id.base, a->tenant_id.len) == 0;
}

/* Notifies couriers that may have such a job in memory. */
static int
raise_tenants(struct db *db, const struct slice *slice, struct error *err)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < slice->count; i++)
		if (i == 0 || !same_tenant(&slice->letters[i - 1], &slice->letters[i]))
			rc = routing_raise_for_couriers(db, slice->letters[i].tenant_id.base, err);
	return rc;
}

static int
dead_letter_slice(struct db *db, const struct slice *slice, struct expiry_result *result, struct error *err)
{
	int rc;

	db_share_timeout(db);
	rc = jobs_begin(db, err);
	if (rc == 0)
		rc = raise_tenants(db, slice, err);
	if (rc == 0)
		rc = job_outcomes_dead_letter(db, slice->letters, slice->count, &result->letters, err);
	if (rc == 0)
		rc = changes_raise(db, &result->version, err);
	rc = db_end(db, rc, err);
	db_set_deadline(db, INT64_MAX);
	return rc;
}

/* Reads in a separate transaction: dead letters get the start of theirs as their time, so theirs must be short. */
static int
read_rows(
    struct db *db, const struct expiry_place *place, int64_t events_before_ms, struct slice *slice, struct error *err)
{
	uint8_t before[16];
	const struct db_param params[] = {db_string(place->tenant_id != NULL ? place->tenant_id : ""),
	    db_uuid(place->endpoint_id), db_uuid(place->job_id), db_int(EXPIRY_SLICE_ROWS),
	    events_before_ms > 0 ? db_uuid(before) : db_null()};
	int rc = db_begin_to_read(db, err);

	uuid_v7_first(events_before_ms, before);
	if (rc == 0)
		rc = jobs_by_indexes(db, err);
	if (rc == 0)
		rc = db_query(db, &read_slice, params, 5, &slice->rows, err);
	db_rollback(db);
	return rc;
}

static void
move_on(struct expiry_place *place, const struct slice *slice)
{
	struct span tenant_id = db_rows_text(slice->rows, slice->end - 1, TENANT);

	free(place->tenant_id);
	place->tenant_id = mem_strdup(tenant_id.base);
	/* Only in SQLite: PostgreSQL's columns hold only UUIDs. */
	if (!read_id(slice->rows, slice->end - 1, ENDPOINT, place->endpoint_id))
		memset(place->endpoint_id, 0xff, sizeof place->endpoint_id);
	if (!read_id(slice->rows, slice->end - 1, JOB, place->job_id))
		memset(place->job_id, 0xff, sizeof place->job_id);
}

void
expiry_place_free(struct expiry_place *place)
{
	free(place->tenant_id);
	*place = (struct expiry_place){0};
}

int
expiry_step(struct db *db, struct expiry_place *place, int64_t events_before_ms, struct expiry_result *result,
    struct error *err)
{
	struct slice *slice = mem_new(1, sizeof *slice);

	*result = (struct expiry_result){0};
	int rc = read_rows(db, place, events_before_ms, slice, err);

	if (rc == 0) {
		choose(slice);
		if (slice->count > 0)
			rc = dead_letter_slice(db, slice, result, err);
	}
	if (rc == DB_REFUSED) {
		log_warning("the store refuses to make dead letters of jobs that are past their time",
		    LOG_STR("error", err->text), LOG_UINT("jobs", slice->count));
		result->letters = 0;
		result->version = 0;
		rc = slice->rows != NULL ? 0 : rc;
	}
	if (rc == 0) {
		result->done = slice->end == db_rows_count(slice->rows) && slice->end < EXPIRY_SLICE_ROWS;
		if (slice->end > 0)
			move_on(place, slice);
	}
	db_rows_free(slice->rows);
	free(slice);
	return rc;
}
