/* Ascending lists use stored_at, because a spooled event is stored long after its id was made. */
#include "store/webhooks/event_lists.h"

#define PG_COLUMNS EVENT_COLUMNS ", job_count, " PG_MICROSECONDS("stored_at")
#define SQLITE_COLUMNS EVENT_COLUMNS ", job_count, " SQLITE_MICROSECONDS("stored_at")

#define CREATED " AND created_at >= hl_time($3) AND created_at < hl_time($4)"

int
event_lists_get(struct db *db, const char *tenant_id, const char *event_id, struct time_range created,
    struct db_rows **rows, struct error *err)
{
	static const struct db_statement get = {
	    "SELECT " PG_COLUMNS " FROM events WHERE tenant_id = $1 AND " ONE_BY("event_id", "$2", CREATED),
	    "SELECT " SQLITE_COLUMNS " FROM events WHERE tenant_id = $1 AND event_id = $2" CREATED};
	const struct db_param params[] = {
	    db_string(tenant_id), db_string(event_id), db_int(created.from_ms), db_int(created.to_ms)};

	return db_query(db, &get, params, 4, rows, err);
}

#define FILTERED "FROM events WHERE tenant_id = $1" CREATED " AND topic LIKE $5 ESCAPE '\\'"

int
event_lists_list(struct db *db, const char *tenant_id, const struct event_filter *filter,
    const struct list_slice *slice, struct db_rows **rows, struct error *err)
{
	static const struct db_statement ascending = {
	    "SELECT " PG_COLUMNS " " FILTERED
	    " AND (stored_at, event_id) > (" PG_OF_MICROSECONDS("$7") ", $6)"
								      " ORDER BY stored_at, event_id LIMIT $2",
	    "SELECT " SQLITE_COLUMNS " " FILTERED
	    " AND (stored_at, event_id) > (" SQLITE_OF_MICROSECONDS("$7") ", $6)"
									  " ORDER BY stored_at, event_id LIMIT $2"};
	static const struct db_statement descending = {"SELECT " PG_COLUMNS " " FILTERED
						       " AND event_id < $6 ORDER BY event_id DESC LIMIT $2",
	    "SELECT " SQLITE_COLUMNS " " FILTERED " AND event_id < $6 ORDER BY event_id DESC LIMIT $2"};
	const struct db_param params[] = {
	    db_string(tenant_id),
	    db_int(slice->limit),
	    db_int(filter->created.from_ms),
	    db_int(filter->created.to_ms),
	    list_like(filter->topic_like),
	    list_after_id(slice),
	    list_after_time(slice),
	};

	return list_query(
	    db, slice->descending ? &descending : &ascending, params, slice->descending ? 6 : 7, rows, err);
}
