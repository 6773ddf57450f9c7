/* Reads only ids and times: events by the index of times, attempts by the key. */
#include "store/webhooks/stream_rows.h"

#include <stdlib.h>

#include "base/mem.h"
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

static const enum db_type place_types[] = {DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_TEXT, DB_TYPE_INT4};

#define PLACE_COLUMNS 4

#define ASKED "FROM unnest($1::text[], $2::bigint[], $3::text[], $4::int[]) AS asked (tenant_id, us, id, number)"
#define PG_BEHIND                                                                                                      \
	"e.tenant_id = asked.tenant_id AND (e.stored_at, e.event_id) > (" PG_OF_MICROSECONDS("asked.us") ", asked.id"  \
													 "::uuid)"
#define PG_BEHIND_ID                                                                                                   \
	"a.tenant_id = asked.tenant_id AND a.attempt_id > asked.id::uuid AND a.started_at >= hl_time(asked.us / 1000)"

static int
find_changed(struct db *db, const struct db_each *find, const struct stream_rows_place *places, uint32_t count,
    struct db_rows **numbers, struct error *err) /* six: which rows, and what comes back */
{
	struct db_param *values = mem_new((size_t)count * PLACE_COLUMNS, sizeof *values);

	for (uint32_t n = 0; n < count; n++) {
		struct db_param *value = &values[(size_t)n * PLACE_COLUMNS];

		value[0] = db_string(places[n].tenant_id);
		value[1] = db_int(places[n].us);
		value[2] = db_string(places[n].id);
		value[3] = db_int(n);
	}
	int rc = list_each(db, find, values, count, numbers, err);
	free(values);
	return rc;
}

int
stream_rows_changed_events(
    struct db *db, const struct stream_rows_place *places, uint32_t count, struct db_rows **numbers, struct error *err)
{
	static const struct db_each find = {
	    {"SELECT asked.number " ASKED " WHERE (SELECT 1 FROM events e WHERE " PG_BEHIND
	     " ORDER BY e.stored_at LIMIT 1) IS NOT NULL",
		"SELECT $4 FROM events WHERE tenant_id = $1 AND (stored_at, event_id) > (" SQLITE_OF_MICROSECONDS(
		    "$2") ", $3) ORDER BY stored_at, event_id LIMIT 1",
		.citus = "SELECT asked.number " ASKED " JOIN events e ON " PG_BEHIND " GROUP BY asked.number"},
	    place_types, PLACE_COLUMNS};

	return find_changed(db, &find, places, count, numbers, err);
}

int
stream_rows_changed_attempts(
    struct db *db, const struct stream_rows_place *places, uint32_t count, struct db_rows **numbers, struct error *err)
{
	static const struct db_each find = {
	    {"SELECT asked.number " ASKED " WHERE (SELECT 1 FROM attempts a WHERE " PG_BEHIND_ID
	     " ORDER BY a.attempt_id LIMIT 1) IS NOT NULL",
		"SELECT $4 FROM attempts WHERE tenant_id = $1 AND attempt_id > $3 AND started_at >= $2 / 1000 ORDER BY "
		"attempt_id LIMIT 1",
		.citus = "SELECT asked.number " ASKED " JOIN attempts a ON " PG_BEHIND_ID " GROUP BY asked.number"},
	    place_types, PLACE_COLUMNS};

	return find_changed(db, &find, places, count, numbers, err);
}
