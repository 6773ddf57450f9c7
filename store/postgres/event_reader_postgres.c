/*
 * A cursor in one transaction reads a snapshot of all events, in their physical order. It needs the memory of one page,
 * however many events there are.
 */
#include "store/postgres/event_reader_postgres.h"

#include "store/postgres/pg.h"

/* Finding a page may need a scan over months of other events. */
#define STATEMENT_SECONDS 600
#define FETCH_SQL "FETCH 100 FROM exported"

#define AS_text(column) "\"" column "\""
#define AS_jsonb(column) "\"" column "\""
#define AS_date(column) "to_char(\"" column "\", 'YYYY-MM-DD')"
#define AS_timestamptz(column) "to_char(\"" column "\" AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
#define COMMA_VALUE(symbol, key, limit, required, column, type) ", " AS_##type(column)

/* The planner removes the condition of a null parameter. */
#define DECLARE_SQL                                                                                                    \
	"DECLARE exported NO SCROLL CURSOR FOR SELECT event_id" HOOK_EVENT_FIELDS(                                     \
	    COMMA_VALUE, COMMA_VALUE, COMMA_VALUE) ", tenant_id FROM hook_events"                                      \
						   " WHERE ($1::text IS NULL OR session_id = $1)"                      \
						   " AND ($2::text IS NULL OR event_type = $2)"                        \
						   " AND ($3::timestamptz IS NULL OR \"timestamp\" >= $3)"             \
						   " AND ($4::timestamptz IS NULL OR \"timestamp\" < $4)"

static int
declare(struct pg *pg, const struct event_wish *filter, struct error *err)
{
	const char *texts[] = {filter->session_id, filter->event_type, filter->since, filter->until};
	const struct pg_statement statement = {
	    .sql = DECLARE_SQL, .texts = texts, .count = sizeof texts / sizeof *texts};
	int rc =
	    pg_exec(pg, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", pg_deadline(STATEMENT_SECONDS), NULL, err);

	return rc == 0 ? pg_exec_params(pg, &statement, pg_deadline(STATEMENT_SECONDS), NULL, err) : rc;
}

static int
give_page(const PGresult *page, event_fn *fn, void *arg, struct error *err)
{
	int rc = 0;

	for (int row = 0; rc == 0 && row < PQntuples(page); row++) {
		struct event_row event = {0};

		for (int column = 0; column < HOOK_COLUMNS; column++)
			if (!PQgetisnull(page, row, column))
				event.columns[column] = (struct span){
				    PQgetvalue(page, row, column), (size_t)PQgetlength(page, row, column)};
		rc = fn(arg, &event, err);
	}
	return rc;
}

int
event_reader_postgres(
    const struct config *config, const struct event_wish *filter, event_fn *fn, void *arg, struct error *err)
{
	struct pg *pg;
	int rows = 1, rc = pg_open(&pg, config->database_url, err);

	if (rc != 0)
		return -1;
	rc = declare(pg, filter, err);
	while (rc == 0 && rows > 0) {
		PGresult *page;

		rc = pg_exec(pg, FETCH_SQL, pg_deadline(STATEMENT_SECONDS), &page, err);
		if (rc != 0)
			break;
		rows = PQntuples(page);
		rc = give_page(page, fn, arg, err);
		PQclear(page);
	}
	pg_close(pg);
	return rc != 0 ? -1 : 0;
}
