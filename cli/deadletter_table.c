/* Page by page along the primary key, so that any number of letters takes the memory of a page. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/deadletter.h"
#include "store/postgres/sqlstate.h"

#define STATEMENT_SECONDS 60

/* Payloads may have megabytes. */
#define PAGE_ROWS 1000
#define PAGE_ROWS_WITH_PAYLOAD 10

enum column { ID, REFUSED_AT, STATE, MESSAGE, EVENT_ID, CREATED_DATE, EVENT_TYPE, SESSION_ID, PAYLOAD };

/* The selection holds a number and a UUID that were read as such: nothing to escape. */
static void
format_query(char *sql, size_t size, const struct selection *which, bool with_payload, int64_t after, int64_t last)
{
	char filter[96] = "";

	if (which->id != 0)
		(void)snprintf(filter, sizeof filter, " AND id = %" PRId64, which->id);
	else if (which->event_id[0] != '\0')
		(void)snprintf(filter, sizeof filter, " AND event_id = '%s'", which->event_id);
	(void)snprintf(sql, size,
	    "SELECT id, to_char(refused_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), sqlstate, "
	    "message, "
	    "event_id, to_char(created_date, 'YYYY-MM-DD'), event_type, session_id%s "
	    "FROM hook_events_dead_letters WHERE id > %" PRId64 " AND id <= %" PRId64 "%s ORDER BY id LIMIT %d",
	    with_payload ? ", payload" : "", after, last, filter, with_payload ? PAGE_ROWS_WITH_PAYLOAD : PAGE_ROWS);
}

/* The greatest number there is; 0: no letters, or no table. */
static int
last_id(struct pg *pg, int64_t *last, struct error *err)
{
	PGresult *result;
	int rc = pg_exec(pg, "SELECT coalesce(max(id), 0) FROM hook_events_dead_letters",
	    pg_deadline(STATEMENT_SECONDS), &result, err);

	*last = 0;
	if (rc == PG_REFUSED && sqlstate_is(pg_sqlstate(pg), SQLSTATE_UNDEFINED_TABLE))
		return 0;
	if (rc != 0)
		return -1;
	*last = atoll(PQgetvalue(result, 0, 0));
	PQclear(result);
	return 0;
}

int
deadletter_table_walk(
    struct pg *pg, const struct selection *which, bool with_payload, letter_fn *fn, void *arg, struct error *err)
{
	int64_t after = 0, last;
	char sql[512];

	if (last_id(pg, &last, err) < 0)
		return -1;
	while (after < last) {
		PGresult *page;
		int rc = 0;

		format_query(sql, sizeof sql, which, with_payload, after, last);
		if (pg_exec(pg, sql, pg_deadline(STATEMENT_SECONDS), &page, err) != 0)
			return -1;
		after = last;
		for (int i = 0; rc >= 0 && i < PQntuples(page); i++) {
			rc = fn(arg,
			    &(struct letter){
				.id = PQgetvalue(page, i, ID),
				.refused_at = PQgetvalue(page, i, REFUSED_AT),
				.sqlstate = PQgetvalue(page, i, STATE),
				.message = PQgetvalue(page, i, MESSAGE),
				.event_id = PQgetvalue(page, i, EVENT_ID),
				.created_date = PQgetvalue(page, i, CREATED_DATE),
				.event_type = PQgetvalue(page, i, EVENT_TYPE),
				.session_id = PQgetvalue(page, i, SESSION_ID),
				.payload = with_payload ? PQgetvalue(page, i, PAYLOAD) : NULL,
			    },
			    err);
			after = atoll(PQgetvalue(page, i, ID));
		}
		PQclear(page);
		if (rc < 0)
			return -1;
	}
	return 0;
}
