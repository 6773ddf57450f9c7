/* A range is read by the key of events, whose ids begin with the times. */
#include "store/webhooks/replay_events.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "store/webhooks/job_outcomes.h"

#define EVENT                                                                                                          \
	"SELECT event_id, hl_ms(created_at), hl_ms(occurred_at), topic, payload, idempotency_key, ordering_key, "      \
	"target_user_id, extra, trace, job_count FROM events WHERE tenant_id = $1 "
#define CREATED "AND created_at >= hl_time($2) AND created_at < hl_time($3) "

/* The times are those in ids, so they bound the walk over ids. They also select the months. */
int
replay_events_window(struct db *db, const struct replay_range *range, const uint8_t after[16], uint32_t size,
    struct replay_window *window, struct error *err) /* six: as in the header */
{
	static const struct db_statement find = {
	    "SELECT event_id FROM events WHERE tenant_id = $1 " CREATED
	    "AND event_id > $4 AND event_id < $5 ORDER BY event_id LIMIT 1 OFFSET $6",
	    NULL};
	uint8_t end[16];
	struct db_rows *rows;
	int rc;

	uuid_v7_first(range->created.from_ms, window->after);
	uuid_v7_first(range->created.to_ms, end);
	if (memcmp(window->after, after, 16) < 0)
		memcpy(window->after, after, 16);
	const struct db_param params[] = {
	    db_string(range->tenant_id),
	    db_int(range->created.from_ms),
	    db_int(range->created.to_ms),
	    db_uuid(window->after),
	    db_uuid(end),
	    db_int((int64_t)size - 1),
	};
	rc = db_query(db, &find, params, 6, &rows, err);
	if (rc != 0)
		return rc;
	window->ends = db_rows_count(rows) == 0;
	if (!window->ends) {
		struct span id = db_rows_text(rows, 0, 0);

		window->ends = !uuid_parse(id.base, id.len, window->last);
	}
	if (window->ends)
		memcpy(window->last, end, 16);
	db_rows_free(rows);
	return 0;
}

#define OF_WINDOW CREATED "AND topic LIKE $4 ESCAPE '\\' AND event_id > $5 AND event_id <= $6 "

static void
window_params(const struct replay_range *range, const struct replay_window *window, struct db_param params[6])
{
	params[0] = db_string(range->tenant_id);
	params[1] = db_int(range->created.from_ms);
	params[2] = db_int(range->created.to_ms);
	params[3] = list_like(range->topic_like);
	params[4] = db_uuid(window->after);
	params[5] = db_uuid(window->last);
}

int
replay_events_range(struct db *db, const struct replay_range *range, const struct replay_window *window, uint32_t limit,
    struct db_rows **rows, struct error *err) /* six: as in the header */
{
	static const struct db_statement read = {EVENT OF_WINDOW "ORDER BY event_id LIMIT $7", NULL};
	struct db_param params[7];

	window_params(range, window, params);
	params[6] = db_int(limit);
	return db_query(db, &read, params, 7, rows, err);
}

int
replay_events_named(
    struct db *db, const char *tenant_id, const uint8_t event_id[16], struct db_rows **rows, struct error *err)
{
	static const struct db_statement read_named = {
	    EVENT "AND " ONE_BY("event_id", "$4", CREATED), EVENT CREATED "AND event_id = $4"};
	int64_t made_ms = job_event_ms(event_id);
	const struct db_param params[] = {
	    db_string(tenant_id), db_int(made_ms), db_int(made_ms + 1), db_uuid(event_id)};

	/* No event has a time beyond the store's calendar. */
	if (made_ms >= TIME_RANGE_LAST_MS)
		return db_query(db, &(const struct db_statement){EVENT "AND 1 = 0", NULL}, params, 1, rows, err);
	return db_query(db, &read_named, params, 4, rows, err);
}

int
replay_events_count(struct db *db, const struct replay_range *range, const struct replay_window *window,
    struct db_rows **rows, struct error *err)
{
	static const struct db_statement count = {
	    "SELECT topic, COUNT(*) FROM events WHERE tenant_id = $1 " OF_WINDOW "GROUP BY topic", NULL};
	struct db_param params[6];

	window_params(range, window, params);
	return db_query(db, &count, params, 6, rows, err);
}

static const enum db_type count_types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_INT8, DB_TYPE_INT4};
static const struct db_each set_count = {
    {"UPDATE events SET job_count = given.jobs FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::int[])"
     " AS given (tenant_id, event_id, made, jobs) WHERE events.tenant_id = ANY (ARRAY[given.tenant_id])"
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
