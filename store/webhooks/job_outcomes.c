/* Statements for many jobs at once, which find each row by its whole key. */
#include "store/webhooks/job_outcomes.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/webhooks/list_sql.h"

/* Also disables bitmap scans: for a page they would read and sort all rows. */
static const struct db_statement by_indexes = {
    "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)", "SELECT 1",
    .citus = "SELECT hl_by_indexes()"};

int
jobs_by_indexes(struct db *db, struct error *err)
{
	return db_query(db, &by_indexes, NULL, 0, NULL, err);
}

int
jobs_begin(struct db *db, struct error *err)
{
	int rc = db_begin(db, err);

	return rc == 0 ? jobs_by_indexes(db, err) : rc;
}

int64_t
job_event_ms(const uint8_t event_id[16])
{
	int64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | event_id[i];
	return ms;
}

/* Fills in one outcome's values. */
typedef size_t put_values(const struct job_outcome *outcome, struct db_param *values);

/* Adds the number of changed rows to *changed. */
static int
run(struct db *db, const struct db_each *each, put_values *put, const struct job_outcome *outcomes, uint32_t count,
    uint64_t *changed, struct error *err) /* seven: a statement and how its values are made, for what, and the result */
{
	if (count == 0)
		return 0;

	struct db_param *values = mem_new((size_t)count * each->count, sizeof *values);

	for (uint32_t i = 0; i < count; i++)
		put(&outcomes[i], values + (size_t)i * each->count);
	int rc = db_each(db, each, values, count, NULL, err);
	free(values);
	if (rc == 0)
		*changed += db_changed(db);
	return rc;
}

static size_t
put_key(const struct job_outcome *outcome, struct db_param *values)
{
	values[0] = db_text(outcome->tenant_id);
	values[1] = db_uuid(outcome->endpoint_id);
	values[2] = db_uuid(outcome->job_id);
	return 3;
}

/* The values that say which row may be changed. */
static size_t
put_row(const struct job_outcome *outcome, struct db_param *values)
{
	size_t n = put_key(outcome, values);

	values[n++] = db_int(outcome->below);
	values[n++] = outcome->node_id != 0 ? db_int(outcome->node_id) : db_null();
	return n;
}

#define OF_GIVEN                                                                                                       \
	"jobs.tenant_id = ANY (ARRAY[given.tenant_id]) AND jobs.endpoint_id = given.endpoint_id "                      \
	"AND jobs.job_id = given.job_id "
#define OF_GIVEN_NODE OF_GIVEN "AND jobs.node_id = COALESCE(given.node_id, jobs.node_id) "
#define OF_NODE                                                                                                        \
	"jobs.tenant_id = $1 AND jobs.endpoint_id = $2 AND jobs.job_id = $3 "                                          \
	"AND jobs.node_id = COALESCE($5, jobs.node_id) "

/* ---- delivered ---- */

static const enum db_type row_types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_INT4, DB_TYPE_INT4};

static const struct db_each finish = {
    .statement = {"DELETE FROM jobs USING unnest($1::text[], $2::uuid[], $3::uuid[], $4::int[], $5::int[]) "
		  "AS given (tenant_id, endpoint_id, job_id, below, node_id) WHERE " OF_GIVEN_NODE
		  "AND jobs.attempt_count < given.below",
	"DELETE FROM jobs WHERE " OF_NODE "AND jobs.attempt_count < $4"},
    .types = row_types,
    .count = 5};

/* Removes the copy of the event kept for a requeued job, unless the job's row stays. */
static const enum db_type event_types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_UUID};

static const struct db_each forget_event = {
    .statement = {"DELETE FROM dlq_events USING unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[]) "
		  "AS given (tenant_id, endpoint_id, job_id, event_id) WHERE dlq_events.tenant_id = ANY "
		  "(ARRAY[given.tenant_id]) "
		  "AND dlq_events.event_id = given.event_id AND dlq_events.job_id = given.job_id AND NOT EXISTS "
		  "(SELECT 1 FROM jobs WHERE " OF_GIVEN ")",
	"DELETE FROM dlq_events WHERE tenant_id = $1 AND event_id = $4 AND job_id = $3 AND NOT EXISTS "
	"(SELECT 1 FROM jobs WHERE jobs.tenant_id = $1 AND jobs.endpoint_id = $2 AND jobs.job_id = $3)",
	.citus = "DELETE FROM dlq_events USING unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[]) "
		 "AS given (tenant_id, endpoint_id, job_id, event_id) WHERE dlq_events.tenant_id = given.tenant_id "
		 "AND dlq_events.event_id = given.event_id AND dlq_events.job_id = given.job_id AND NOT EXISTS "
		 "(SELECT 1 FROM jobs WHERE jobs.tenant_id = dlq_events.tenant_id "
		 "AND jobs.endpoint_id = given.endpoint_id AND jobs.job_id = given.job_id)"},
    .types = event_types,
    .count = 4};

static size_t
put_event(const struct job_outcome *outcome, struct db_param *values)
{
	size_t n = put_key(outcome, values);

	values[n++] = db_uuid(outcome->event_id);
	return n;
}

int
job_outcomes_finish(
    struct db *db, const struct job_outcome *outcomes, uint32_t count, uint64_t *changed, struct error *err)
{
	uint64_t events = 0;
	int rc = run(db, &finish, put_row, outcomes, count, changed, err);

	return rc == 0 ? run(db, &forget_event, put_event, outcomes, count, &events, err) : rc;
}

/* ---- waits ---- */

static const enum db_type retry_types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_INT4, DB_TYPE_INT4,
    DB_TYPE_INT2, DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_TEXT};

static const struct db_each retry = {
    .statement = {"UPDATE jobs SET attempt_count = given.attempt_count, "
		  "next_attempt_at = hl_time(hl_ms(hl_now()) + given.due_in), "
		  "expires_at = COALESCE(hl_time(hl_ms(hl_now()) + given.expires_in), jobs.expires_at), "
		  "last_error = given.error FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::int[], $5::int[], "
		  "$6::smallint[], $7::bigint[], $8::bigint[], $9::text[]) AS given (tenant_id, endpoint_id, job_id, "
		  "below, node_id, attempt_count, due_in, expires_in, error) WHERE " OF_GIVEN_NODE
		  "AND jobs.attempt_count < given.below",
	"UPDATE jobs SET attempt_count = $6, next_attempt_at = hl_now() + $7, "
	"expires_at = COALESCE(hl_now() + $8, expires_at), last_error = $9 WHERE " OF_NODE
	"AND jobs.attempt_count < $4",
	/* Citus does not allow hl_now() within COALESCE. */
	.citus = "UPDATE jobs SET attempt_count = given.attempt_count, "
		 "next_attempt_at = hl_time(given.now + given.due_in), "
		 "expires_at = COALESCE(hl_time(given.now + given.expires_in), jobs.expires_at), "
		 "last_error = given.error FROM (SELECT *, hl_ms(hl_now()) FROM unnest($1::text[], $2::uuid[], "
		 "$3::uuid[], $4::int[], $5::int[], $6::smallint[], $7::bigint[], $8::bigint[], $9::text[]) OFFSET 0) "
		 "AS given (tenant_id, endpoint_id, job_id, below, node_id, attempt_count, due_in, expires_in, error, "
		 "now) WHERE " OF_GIVEN_NODE "AND jobs.attempt_count < given.below"},
    .types = retry_types,
    .count = 9};

static size_t
put_retry(const struct job_outcome *outcome, struct db_param *values)
{
	size_t n = put_row(outcome, values);

	values[n++] = db_int(outcome->attempt_count);
	values[n++] = db_int(outcome->due_in_ms);
	values[n++] = outcome->sets_expiry ? db_int(outcome->expires_in_ms) : db_null();
	values[n++] = db_text(outcome->error);
	return n;
}

int
job_outcomes_retry(
    struct db *db, const struct job_outcome *outcomes, uint32_t count, uint64_t *changed, struct error *err)
{
	return run(db, &retry, put_retry, outcomes, count, changed, err);
}

/* ---- dead ---- */

static const enum db_type dead_letter_types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_INT4, DB_TYPE_INT4,
    DB_TYPE_INT2, DB_TYPE_TEXT, DB_TYPE_INT2, DB_TYPE_TEXT, DB_TYPE_INT8};

#define DLQ_COLUMNS                                                                                                    \
	"tenant_id, job_id, event_id, endpoint_id, transform_id, replay_id, subscription_ids, created_at, "            \
	"attempt_count, reason, last_http_status, last_error, topic, occurred_at, payload, idempotency_key, "          \
	"ordering_key, target_user_id, extra, trace"

/* Takes the event, or the copy kept for a requeued job. If both are gone the topic is empty. */
#define DEAD_LETTERS                                                                                                   \
	"INSERT INTO dlq (tenant_id, job_id, event_id, endpoint_id, transform_id, replay_id, subscription_ids, "       \
	"created_at, attempt_count, reason, last_http_status, last_error, topic, occurred_at, payload, "               \
	"idempotency_key, ordering_key, target_user_id, extra, trace, blocks) SELECT gone.tenant_id, gone.job_id, "    \
	"gone.event_id, gone.endpoint_id, gone.transform_id, gone.replay_id, gone.subscription_ids, hl_now(), "        \
	"gone.attempt_count, gone.reason, gone.http_status, gone.error, "                                              \
	"COALESCE(events.topic, dlq_events.topic, ''), "                                                               \
	"COALESCE(events.occurred_at, dlq_events.occurred_at, hl_time(gone.made)), "                                   \
	"CASE WHEN events.event_id IS NULL THEN dlq_events.payload ELSE events.payload END, "                          \
	"CASE WHEN events.event_id IS NULL THEN dlq_events.idempotency_key ELSE events.idempotency_key END, "          \
	"CASE WHEN events.event_id IS NULL THEN dlq_events.ordering_key ELSE events.ordering_key END, "                \
	"CASE WHEN events.event_id IS NULL THEN dlq_events.target_user_id ELSE events.target_user_id END, "            \
	"CASE WHEN events.event_id IS NULL THEN dlq_events.extra ELSE events.extra END, "                              \
	"CASE WHEN events.event_id IS NULL THEN dlq_events.trace ELSE events.trace END, "                              \
	"COALESCE((SELECT endpoints.fifo AND endpoints.on_dead = 'block' FROM endpoints "                              \
	"WHERE endpoints.tenant_id = gone.tenant_id AND endpoints.endpoint_id = gone.endpoint_id), FALSE) "
#define EVENT_OF_GONE                                                                                                  \
	" AS gone LEFT JOIN events ON events.event_id = gone.event_id "                                                \
	"AND events.created_at >= hl_time(gone.made) AND events.created_at < hl_time(gone.made + 1) "                  \
	"AND events.tenant_id = "
#define ONE_EVENT_OF_GONE                                                                                              \
	" AS gone LEFT JOIN LATERAL (SELECT * FROM events WHERE events.tenant_id = gone.tenant_id AND " ONE_BY(        \
	    "events.event_id", "gone.event_id",                                                                        \
	    "AND events.created_at >= hl_time(gone.made) AND events.created_at < hl_time(gone.made + 1)") ") AS "      \
													  "events "    \
													  "ON true"
#define KEPT_OF_GONE                                                                                                   \
	" LEFT JOIN dlq_events ON dlq_events.event_id = gone.event_id AND dlq_events.job_id = gone.job_id "            \
	"AND dlq_events.tenant_id = "
#define GONE                                                                                                           \
	"jobs.tenant_id, jobs.job_id, jobs.event_id, jobs.endpoint_id, jobs.transform_id, jobs.replay_id, "            \
	"jobs.subscription_ids"

#define WITH_DELETED                                                                                                   \
	"WITH deleted AS (DELETE FROM jobs USING unnest($1::text[], $2::uuid[], $3::uuid[], $4::int[], $5::int[], "    \
	"$6::smallint[], $7::text[], $8::smallint[], $9::text[], $10::bigint[]) AS given (tenant_id, endpoint_id, "    \
	"job_id, below, node_id, attempt_count, reason, http_status, error, made) WHERE " OF_GIVEN_NODE                \
	"AND jobs.attempt_count < given.below RETURNING " GONE                                                         \
	", given.attempt_count, given.reason, given.http_status, given.error, given.made) "

/*
 * Makes dead letters of the rows that the DELETE returns. SQLite has one writer at a time, so it copies first and
 * deletes afterwards. Citus does not allow a distributed table behind LEFT JOIN, and without RETURNING it counts the
 * rows given.
 */
static const struct db_each dead_letter = {
    .statement = {WITH_DELETED DEAD_LETTERS "FROM deleted" ONE_EVENT_OF_GONE KEPT_OF_GONE
					    "ANY (ARRAY[gone.tenant_id]) ON CONFLICT (tenant_id, job_id) DO NOTHING",
	DEAD_LETTERS "FROM (SELECT " GONE ", $6 AS attempt_count, $7 AS reason, $8 AS http_status, $9 AS error, "
		     "$10 AS made FROM jobs WHERE " OF_NODE "AND jobs.attempt_count < $4)" EVENT_OF_GONE
		     "gone.tenant_id" KEPT_OF_GONE
		     "gone.tenant_id WHERE true ON CONFLICT (tenant_id, job_id) DO NOTHING",
	.citus = WITH_DELETED
	", events AS (SELECT events.* FROM deleted AS gone JOIN events ON events.tenant_id = gone.tenant_id "
	"AND events.event_id = gone.event_id AND events.created_at >= hl_time(gone.made) "
	"AND events.created_at < hl_time(gone.made + 1)), "
	"dlq_events AS (SELECT dlq_events.* FROM deleted AS gone JOIN dlq_events "
	"ON dlq_events.tenant_id = gone.tenant_id AND dlq_events.event_id = gone.event_id "
	"AND dlq_events.job_id = gone.job_id), "
	"endpoints AS (SELECT DISTINCT endpoints.tenant_id, endpoints.endpoint_id, endpoints.fifo, "
	"endpoints.on_dead FROM deleted AS gone JOIN endpoints ON endpoints.tenant_id = gone.tenant_id "
	"AND endpoints.endpoint_id = gone.endpoint_id) " DEAD_LETTERS "FROM deleted" EVENT_OF_GONE
	"gone.tenant_id" KEPT_OF_GONE "gone.tenant_id ON CONFLICT (tenant_id, job_id) DO NOTHING RETURNING 1"},
    .types = dead_letter_types,
    .count = 10};

static size_t
put_dead_letter(const struct job_outcome *outcome, struct db_param *values)
{
	size_t n = put_row(outcome, values);

	values[n++] = db_int(outcome->attempt_count);
	values[n++] = db_text(outcome->reason);
	values[n++] = outcome->http_status != 0 ? db_int(outcome->http_status) : db_null();
	values[n++] = db_text(outcome->error);
	values[n++] = db_int(job_event_ms(outcome->event_id));
	return n;
}

int
job_outcomes_dead_letter(
    struct db *db, const struct job_outcome *outcomes, uint32_t count, uint64_t *changed, struct error *err)
{
	uint64_t again = 0; /* rows that SQLite has copied and now removes */
	int rc = run(db, &dead_letter, put_dead_letter, outcomes, count, changed, err);

	return rc == 0 ? job_outcomes_finish(db, outcomes, count, &again, err) : rc;
}
