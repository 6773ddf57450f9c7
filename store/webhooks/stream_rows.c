/* Reads only ids and times: events by the index of times, attempts by the key. */
#include "store/webhooks/stream_rows.h"

#include "store/webhooks/list_sql.h"

int
stream_rows_events(struct db *db, const char *tenant_id, int64_t from_us, int64_t last_us, const char *last_id,
    struct db_rows **rows, struct error *err)
{
	static const struct db_statement list = {
	    "SELECT event_id, " PG_MICROSECONDS("stored_at") " FROM events WHERE tenant_id = $1 AND stored_at "
							     ">= " PG_OF_MICROSECONDS(
								 "$2") " AND (stored_at, event_id) <= "
								       "(" PG_OF_MICROSECONDS("$3") ", $4)"
												    " ORDER BY "
												    "stored_at, "
												    "event_id",
	    "SELECT event_id, " SQLITE_MICROSECONDS("stored_at") " FROM events WHERE tenant_id = $1 AND stored_at "
								 ">= " SQLITE_OF_MICROSECONDS(
								     "$2") " AND (stored_at, event_id) <= "
									   "(" SQLITE_OF_MICROSECONDS("$3") ", $4)"
													    " ORDER BY "
													    "stored_at,"
													    " event_"
													    "id"};
	const struct db_param params[] = {db_string(tenant_id), db_int(from_us), db_int(last_us), db_string(last_id)};

	return list_query(db, &list, params, 4, rows, err);
}

int
stream_rows_attempts(struct db *db, const char *tenant_id, const char *after_id, const char *last_id, uint32_t limit,
    struct db_rows **rows, struct error *err)
{
	static const struct db_statement list = {
	    "SELECT attempt_id FROM (SELECT attempt_id FROM attempts WHERE tenant_id = $1 AND attempt_id > $2"
	    " AND attempt_id <= $3 ORDER BY attempt_id DESC LIMIT $4) AS newest ORDER BY attempt_id"};
	const struct db_param params[] = {db_string(tenant_id), db_string(after_id), db_string(last_id), db_int(limit)};

	return list_query(db, &list, params, 4, rows, err);
}
