/*
 * The log of PostgreSQL is read by its key, and each event by its own: a join would be planned by what the planner
 * believes of a month that has just begun.
 */
#include "store/event_log.h"

#include "store/webhooks/list_sql.h"

#define TEXT(number) #number
#define TEXT_OF(macro) TEXT(macro)
#define TIME(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

int
event_log_now(struct db *db, int64_t *now_us, struct error *err)
{
	static const struct db_statement now = {
	    "SELECT " PG_MICROSECONDS("clock_timestamp()"), "SELECT 2 * coalesce(max(rowid), 0) + 2 FROM hook_events"};
	struct db_rows *rows;
	int rc = db_query(db, &now, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	*now_us = db_rows_int(rows, 0, 0);
	db_rows_free(rows);
	return 0;
}

/*
 * The batches come in order, so PostgreSQL sorts the events of one batch at a time, and ends with the first ones that
 * are enough. Each of them has at least one event that is behind the place, but for those of the place's own
 * microsecond: hence 100 batches more than events.
 */
int
event_log_read(
    struct db *db, int64_t after_us, const char *after_id, uint32_t limit, struct db_rows **rows, struct error *err)
{
	/* clang-format off */
	static const struct db_statement events = {
	    "SELECT " PG_MICROSECONDS("place.stored_at") ", place.id, tenant_id, event_type, session_id,"
	    " client_event_id, workflow_id, phase_id, milestone_id, " TIME("event.\"timestamp\"") ", "
	    TIME("received_at") ", data, batch_id"
	    " FROM (SELECT batch.stored_at, batch_id, id, first_day, last_day FROM"
	    " (SELECT stored_at, batch_id, first_day, last_day, event_ids FROM hook_event_log"
	    " WHERE stored_at >= " PG_OF_MICROSECONDS("$1")
	    " ORDER BY stored_at LIMIT CAST($3 AS bigint) + 100) AS batch"
	    " CROSS JOIN LATERAL unnest(batch.event_ids) AS id"
	    " WHERE (batch.stored_at, id) > (" PG_OF_MICROSECONDS("$1") ", CAST($2 AS uuid))"
	    " ORDER BY batch.stored_at, id LIMIT CAST($3 AS bigint)) AS place"
	    " LEFT JOIN LATERAL (SELECT * FROM hook_events WHERE event_id = place.id"
	    " AND created_date BETWEEN place.first_day AND place.last_day LIMIT 1) AS event ON true"
	    " ORDER BY place.stored_at, place.id",
	    "SELECT 2 * rowid, event_id, tenant_id, event_type, session_id, client_event_id, workflow_id, phase_id,"
	    " milestone_id, \"timestamp\", received_at, data, NULL FROM hook_events WHERE rowid >"
	    " (SELECT CASE WHEN $1 % 2 = 0 AND ($1 / 2 > newest OR EXISTS"
	    " (SELECT 1 FROM hook_events WHERE rowid = $1 / 2 AND event_id <> $2))"
	    " THEN min($1 / 2, newest) - " TEXT_OF(EVENT_LOG_ROWS_AGAIN) " ELSE $1 / 2 END"
	    " FROM (SELECT coalesce(max(rowid), 0) AS newest FROM hook_events)) ORDER BY rowid LIMIT $3"};
	/* clang-format on */
	const struct db_param params[] = {db_int(after_us), db_string(after_id), db_int(limit)};

	return list_query(db, &events, params, 3, rows, err);
}

int
event_log_places(struct db *db, int64_t from_us, int64_t last_us, const char *last_id, struct db_rows **rows,
    struct error *err) /* six: the same as the others, and a range */
{
	/* clang-format off */
	static const struct db_statement list = {
	    "SELECT batch_id, " PG_MICROSECONDS("stored_at") " FROM hook_event_log"
	    " WHERE stored_at >= " PG_OF_MICROSECONDS("$1")
	    " AND stored_at <= " PG_OF_MICROSECONDS("$2") " AND (stored_at < " PG_OF_MICROSECONDS("$2")
	    " OR CAST($3 AS uuid) >= ANY (event_ids)) ORDER BY stored_at, batch_id",
	    "SELECT event_id, 2 * rowid FROM hook_events WHERE rowid >= $1 / 2 AND rowid <= $2 / 2 AND $3 IS NOT NULL"
	    " ORDER BY rowid"};
	/* clang-format on */
	const struct db_param params[] = {db_int(from_us), db_int(last_us), db_string(last_id)};

	return list_query(db, &list, params, 3, rows, err);
}

int
event_log_check(struct db *db, const char **unavailable, struct error *err)
{
	/* As store/postgres/pg_session.c finds it. */
	static const struct db_statement lack = {
	    "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus'), NOT (SELECT bool_and(coalesce("
	    "has_table_privilege(to_regclass('hook_event_log'), privilege), false))"
	    " FROM unnest(ARRAY['SELECT', 'INSERT', 'DELETE']) AS privilege)"};
	struct db_rows *rows;
	int rc = db_query(db, &lack, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	if (db_rows_bool(rows, 0, 0))
		*unavailable = "hook events have no stream where the database has Citus";
	else if (db_rows_bool(rows, 0, 1))
		*unavailable =
		    "streams of hook events are off: the role of DATABASE_URL lacks rights to hook_event_log";
	else
		*unavailable = NULL;
	db_rows_free(rows);
	return 0;
}

int
event_log_old(struct db *db, uint64_t seconds, int64_t *old_us, struct error *err)
{
	static const struct db_statement old = {
	    "SELECT coalesce(max(" PG_MICROSECONDS("stored_at") "), 0) FROM (SELECT stored_at FROM hook_event_log WHERE"
								" stored_at < now() - CAST($1 AS bigint) * INTERVAL '1 "
								"second' ORDER BY stored_at DESC LIMIT 1) AS old"};
	const struct db_param param = db_int((int64_t)seconds);
	struct db_rows *rows;
	int rc = db_query(db, &old, &param, 1, &rows, err);

	if (rc != 0)
		return rc;
	*old_us = db_rows_int(rows, 0, 0);
	db_rows_free(rows);
	return 0;
}

int
event_log_tidy(struct db *db, uint64_t seconds, bool *more, struct error *err)
{
	/* clang-format off */
	/* There may be much after a time without hooksd: ten minutes of it at once. */
	static const struct db_statement remove = {
	    "WITH removed AS (DELETE FROM hook_event_log WHERE stored_at < (SELECT max(stored_at)"
	    " FROM hook_event_log WHERE stored_at < now() - CAST($1 AS bigint) * INTERVAL '1 second')"
	    " AND stored_at < (SELECT min(stored_at) FROM hook_event_log) + INTERVAL '10 minutes' RETURNING 1)"
	    " SELECT 1 FROM removed LIMIT 1"};
	/* clang-format on */
	const struct db_param seconds_param = db_int((int64_t)seconds);
	struct db_rows *rows = NULL;
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = db_query(db, &remove, &seconds_param, 1, &rows, err);
	rc = db_end(db, rc, err);
	*more = rc == 0 && db_rows_count(rows) > 0;
	db_rows_free(rows);
	return rc;
}
