/* Three statements for many letters: copy the event to dlq_events, add the job, delete the letter. */
#include "store/webhooks/requeue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/webhooks/fifo_places.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/job_retry.h"

#define COLUMNS(created_us, tenant_id)                                                                                 \
	"job_id, endpoint_id, event_id, reason, topic, " created_us                                                    \
	", EXISTS (SELECT 1 FROM jobs WHERE jobs.tenant_id = " tenant_id " AND "                                       \
	"jobs.endpoint_id = dlq.endpoint_id AND jobs.job_id = dlq.job_id)"
#define PG_COLUMNS COLUMNS(PG_MICROSECONDS("created_at"), "dlq.tenant_id")
#define SQLITE_COLUMNS COLUMNS(SQLITE_MICROSECONDS("created_at"), "dlq.tenant_id")
/* Citus locks rows only if a condition on each table names the one tenant. */
#define CITUS_COLUMNS COLUMNS(PG_MICROSECONDS("created_at"), "$1")

#define LOCKED " FOR UPDATE OF dlq"
#define OF_LETTER " FROM dlq WHERE tenant_id = $1 AND job_id = $2"

int
requeue_lock(struct db *db, const char *tenant_id, const char *job_id, struct db_rows **rows, struct error *err)
{
	static const struct db_statement lock = {
	    "SELECT " PG_COLUMNS " FROM dlq WHERE tenant_id = $1 AND " ONE_BY("job_id", "$2", "") LOCKED,
	    "SELECT " SQLITE_COLUMNS OF_LETTER, .citus = "SELECT " CITUS_COLUMNS OF_LETTER LOCKED};
	const struct db_param params[] = {db_string(tenant_id), db_string(job_id)};

	return db_query(db, &lock, params, 2, rows, err);
}

#define FILTERED(uuid)                                                                                                 \
	" FROM dlq WHERE tenant_id = $1 AND created_at >= hl_time($2) AND created_at < hl_time($3)"                    \
	" AND topic LIKE $4 ESCAPE '\\' AND (CAST($5 AS " uuid ") IS NULL OR endpoint_id = $5)"                        \
	" AND (CAST($6 AS text) IS NULL OR reason = $6)"
#define FILTERS 6

static void
put_filter(const char *tenant_id, const struct dead_letter_filter *filter, struct db_param params[FILTERS])
{
	params[0] = db_string(tenant_id);
	params[1] = db_int(filter->created.from_ms);
	params[2] = db_int(filter->created.to_ms);
	params[3] = list_like(filter->topic_like);
	params[4] = db_string(filter->endpoint_id);
	params[5] = db_string(filter->reason);
}

int
requeue_count(struct db *db, const char *tenant_id, const struct dead_letter_filter *filter, struct db_rows **rows,
    struct error *err)
{
	static const struct db_statement count = {
	    "SELECT count(*), hl_ms(hl_now())" FILTERED("uuid"), "SELECT count(*), hl_ms(hl_now())" FILTERED("text")};
	struct db_param params[FILTERS];

	put_filter(tenant_id, filter, params);
	return db_query(db, &count, params, FILTERS, rows, err);
}

#define PLACE(after) " AND (created_at, job_id) > (" after ", $8) ORDER BY created_at, job_id LIMIT $9"
#define PG_SLICE(columns) "SELECT " columns FILTERED("uuid") PLACE(PG_OF_MICROSECONDS("$7"))
#define SQLITE_SLICE "SELECT " SQLITE_COLUMNS FILTERED("text") PLACE(SQLITE_OF_MICROSECONDS("$7"))

int
requeue_slice(struct db *db, const char *tenant_id, const struct dead_letter_filter *filter,
    const struct list_slice *slice, bool lock, struct db_rows **rows, struct error *err)
{
	static const struct db_statement slices[2] = {
	    {PG_SLICE(PG_COLUMNS), SQLITE_SLICE, .citus = PG_SLICE(CITUS_COLUMNS)},
	    {PG_SLICE(PG_COLUMNS) LOCKED, SQLITE_SLICE, .citus = PG_SLICE(CITUS_COLUMNS) LOCKED}};
	struct db_param params[FILTERS + 3];

	put_filter(tenant_id, filter, params);
	params[FILTERS] = list_after_time(slice);
	params[FILTERS + 1] = list_after_id(slice);
	params[FILTERS + 2] = db_int(slice->limit);
	return db_query(db, &slices[lock], params, FILTERS + 3, rows, err);
}

/* ---- moving ---- */

static const enum db_type types[] = {
    DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_INT4, DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_INT8};

#define KEEP                                                                                                           \
	"INSERT INTO dlq_events (tenant_id, event_id, job_id, endpoint_id, topic, occurred_at, payload, "              \
	"idempotency_key, ordering_key, target_user_id, extra, trace) SELECT dlq.tenant_id, dlq.event_id, "            \
	"dlq.job_id, dlq.endpoint_id, dlq.topic, dlq.occurred_at, dlq.payload, dlq.idempotency_key, "                  \
	"dlq.ordering_key, dlq.target_user_id, dlq.extra, dlq.trace FROM "
static const struct db_each keep_events = {
    .statement = {KEEP "unnest($1::text[], $2::uuid[]) AS given (tenant_id, job_id) JOIN dlq ON "
		       "dlq.tenant_id = ANY (ARRAY[given.tenant_id]) AND dlq.job_id = given.job_id "
		       "ON CONFLICT (tenant_id, event_id, job_id) DO NOTHING",
	KEEP "dlq WHERE dlq.tenant_id = $1 AND dlq.job_id = $2 "
	     "ON CONFLICT (tenant_id, event_id, job_id) DO NOTHING"},
    .types = types,
    .count = 2};

/*
 * A job of an endpoint with fifo goes before all others: they may be waiting for it. It gets its place before the
 * letter is deleted, and its lifetime begins with its turn.
 *
 * A death without an attempt (the reasons of reports_dead() in couriers) counts as one here: otherwise its outcome, if
 * it is written once more, would still apply, and end the new job.
 */
#define COUNT                                                                                                          \
	"dlq.attempt_count + CASE WHEN dlq.reason IN ('expired', 'transform_error') AND dlq.attempt_count < 32767 "    \
	"THEN 1 ELSE 0 END"
#define MAKE(node_id, status, lifetime, seq)                                                                           \
	"INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status, attempt_count, attempt_base, "   \
	"next_attempt_at, transform_id, expires_at, replay_id, subscription_ids, last_error, fifo_seq) "               \
	"SELECT dlq.tenant_id, "                                                                                       \
	"dlq.endpoint_id, dlq.job_id, dlq.event_id, " node_id ", " status ", " COUNT ", " COUNT ", " JOB_DUE_NOW       \
	", dlq.transform_id, hl_time(hl_ms(hl_now()) + " lifetime "), dlq.replay_id, "                                 \
	"dlq.subscription_ids, dlq.last_error, " seq " FROM "
static const struct db_each make_jobs = {
    .statement = {MAKE("given.node_id", "given.status", "given.lifetime",
		      "given.seq") "unnest($1::text[], $2::uuid[], $3::int[], $4::text[], $5::bigint[], $6::bigint[]) "
				   "AS given (tenant_id, job_id, node_id, status, lifetime, seq) JOIN dlq ON "
				   "dlq.tenant_id = ANY (ARRAY[given.tenant_id]) "
				   "AND dlq.job_id = given.job_id",
	MAKE("$3", "$4", "$5", "$6") "dlq WHERE dlq.tenant_id = $1 AND dlq.job_id = $2"},
    .types = types,
    .count = 6};

static const struct db_each remove_letters = {
    .statement = {"DELETE FROM dlq USING unnest($1::text[], $2::uuid[]) AS given (tenant_id, job_id) "
		  "WHERE dlq.tenant_id = ANY (ARRAY[given.tenant_id]) AND dlq.job_id = given.job_id",
	"DELETE FROM dlq WHERE dlq.tenant_id = $1 AND dlq.job_id = $2"},
    .types = types,
    .count = 2};

/* Runs a statement on the first values of each letter. */
static int
run(struct db *db, const struct db_each *each, const struct db_param *values, uint32_t count, struct error *err)
{
	struct db_param *own = mem_new((size_t)count * each->count, sizeof *own);

	for (uint32_t i = 0; i < count; i++)
		for (uint32_t column = 0; column < each->count; column++)
			own[i * each->count + column] = values[i * make_jobs.count + column];
	int rc = db_each(db, each, own, count, NULL, err);
	free(own);
	return rc;
}

/* The sender of a letter's job, and the job's place. */
struct sender {
	int64_t node_id, seq;
};

/* Finds the senders: node_id, or the sender of an endpoint with fifo. */
static int
find_senders(struct db *db, const char *tenant_id, int64_t node_id, const struct requeued *letters,
    struct sender *senders, uint32_t count, struct error *err) /* seven: whose, by whom, of which, and the result */
{
	struct fifo_place_request *requests = mem_new(count + 1, sizeof *requests);
	uint32_t wanted = 0;
	int rc;

	for (uint32_t i = 0; i < count; i++) {
		senders[i].node_id = node_id;
		if (letters[i].fifo)
			requests[wanted++] = (struct fifo_place_request){.tenant_id = {tenant_id, strlen(tenant_id)},
			    .endpoint_id = letters[i].endpoint_id,
			    .seq = &senders[i].seq,
			    .node_id = &senders[i].node_id};
	}
	rc = fifo_places_front(db, node_id, requests, wanted, err);
	free(requests);
	return rc;
}

int
requeue_move(struct db *db, const char *tenant_id, int64_t node_id, const struct requeued *letters, uint32_t count,
    struct error *err)
{
	struct db_param *values = mem_new((size_t)count * make_jobs.count + 1, sizeof *values);
	struct sender *senders = mem_new(count + 1, sizeof *senders);
	int rc = jobs_by_indexes(db, err);

	if (rc == 0)
		rc = find_senders(db, tenant_id, node_id, letters, senders, count, err);
	for (uint32_t i = 0; i < count; i++) {
		struct db_param *value = &values[i * make_jobs.count];
		bool expires = !letters[i].held && !letters[i].fifo;

		value[0] = db_string(tenant_id);
		value[1] = db_uuid(letters[i].job_id);
		value[2] = db_int(senders[i].node_id);
		value[3] = db_string(letters[i].held ? "held" : "pending");
		value[4] = expires ? db_int(letters[i].lifetime_ms) : db_null();
		value[5] = letters[i].fifo ? db_int(senders[i].seq) : db_null();
	}
	if (rc == 0)
		rc = run(db, &keep_events, values, count, err);
	if (rc == 0)
		rc = run(db, &make_jobs, values, count, err);
	if (rc == 0)
		rc = run(db, &remove_letters, values, count, err);
	free(senders);
	free(values);
	return rc;
}
