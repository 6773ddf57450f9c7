/*
 * The letters are read page by page along the primary key, so that any number of them takes the memory of a page.
 *
 * One statement stores the event and deletes its letter: both or neither. Of two concurrent retries one finds the
 * letter locked and skips it.
 */
#include "store/postgres/dead_letter_db.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "store/postgres/pg.h"
#include "store/postgres/row_encode.h"
#include "store/postgres/sqlstate.h"

#define STATEMENT_SECONDS 60
#define PAGE_ROWS_WITHOUT_PAYLOAD 1000
#define PAGE_ROWS 10

/* Of two transactions in a deadlock one goes on: more in a row than this have another cause. */
#define RACE_ATTEMPTS 5

/* The parameters are one row and the letter's number. With number 0 the statements store nothing. */
#define PARAMS (ROW_COLUMNS + 1)

#define NEW_REASON_SQL                                                                                                 \
	"UPDATE hook_events_dead_letters SET refused_at = now(), sqlstate = $2::text, message = $3::text "             \
	"WHERE id = $1::bigint"

struct dead_letter_db {
	struct pg *pg;
	/* Statements that store the event of a letter in the table; of a letter elsewhere, if the number is not 0. */
	struct bytes retry_letter_sql, store_sql;
	struct bytes arrays[ROW_COLUMNS]; /* of the row that is stored */
};

/* Appends the INSERT of the row, selected from `from` and the row itself under the condition `where`. */
static void
add_insert(struct bytes *sql, const char *from, const char *where)
{
	bytes_add_text(sql, "stored AS (INSERT INTO hook_events (" ROW_NAMES ") SELECT event.* FROM ");
	bytes_add_text(sql, from);
	row_add_unnest_sql(sql, ROW_COLUMNS);
	bytes_add_text(sql, " AS event");
	bytes_add_text(sql, where);
	bytes_add_text(sql, " " ROW_CONFLICT_SQL " RETURNING 1) SELECT ");
}

/* Both statements return one row: how many letters there were, and how many events were stored. */
static void
make_statements(struct dead_letter_db *db)
{
	struct bytes *sql = &db->retry_letter_sql;
	char id[32], where[64];

	(void)snprintf(id, sizeof id, "$%d::bigint", PARAMS);
	(void)snprintf(where, sizeof where, " WHERE %s > 0", id);

	bytes_add_text(sql, "WITH letter AS (DELETE FROM hook_events_dead_letters WHERE id = "
			    "(SELECT id FROM hook_events_dead_letters WHERE id = ");
	bytes_add_text(sql, id);
	bytes_add_text(sql, " FOR UPDATE SKIP LOCKED) RETURNING id), ");
	add_insert(sql, "letter, ", "");
	bytes_add_text(sql, "(SELECT count(*) FROM letter), (SELECT count(*) FROM stored)");
	bytes_add(sql, "", 1);

	sql = &db->store_sql;
	bytes_add_text(sql, "WITH ");
	add_insert(sql, "", where);
	bytes_add_text(sql, "1, (SELECT count(*) FROM stored)");
	bytes_add(sql, "", 1);
}

int
dead_letter_db_open(struct dead_letter_db **out, const char *url, struct error *err)
{
	struct pg *pg;

	if (pg_open(&pg, url, err) != 0)
		return -1;
	*out = mem_new(1, sizeof **out);
	(*out)->pg = pg;
	make_statements(*out);
	return 0;
}

void
dead_letter_db_close(struct dead_letter_db *db)
{
	if (db == NULL)
		return;
	for (unsigned column = 0; column < ROW_COLUMNS; column++)
		bytes_free(&db->arrays[column]);
	bytes_free(&db->retry_letter_sql);
	bytes_free(&db->store_sql);
	pg_close(db->pg);
	free(db);
}

/* ---- reading ---- */

enum column { ID, REFUSED_AT, SQLSTATE, MESSAGE, EVENT_ID, CREATED_DATE, EVENT_TYPE, SESSION_ID, PAYLOAD };

/* The selection holds a number and a UUID that were parsed as such: nothing needs escaping. */
static void
format_page_query(char *sql, size_t size, const struct dead_letter_selection *which, int64_t after, int64_t last)
{
	char filter[96] = "";

	if (which->id != 0)
		(void)snprintf(filter, sizeof filter, " AND id = %" PRId64, which->id);
	else if (which->event_id[0] != '\0')
		(void)snprintf(filter, sizeof filter, " AND event_id = '%s'", which->event_id);
	(void)snprintf(sql, size,
	    "SELECT id, to_char(refused_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), sqlstate, "
	    "message, "
	    "event_id, to_char(created_date, 'YYYY-MM-DD'), event_type, session_id%s FROM hook_events_dead_letters "
	    "WHERE id > %" PRId64 " AND id <= %" PRId64 "%s ORDER BY id LIMIT %d",
	    which->without_payload ? "" : ", payload", after, last, filter,
	    which->without_payload ? PAGE_ROWS_WITHOUT_PAYLOAD : PAGE_ROWS);
}

/* *last: the greatest number; 0: no letters, or no table. 0 or <0. */
static int
read_last_id(struct pg *pg, int64_t *last, struct error *err)
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

static struct dead_letter
letter_of(const PGresult *page, int row)
{
	return (struct dead_letter){
	    .id = PQgetvalue(page, row, ID),
	    .refused_at = PQgetvalue(page, row, REFUSED_AT),
	    .sqlstate = PQgetvalue(page, row, SQLSTATE),
	    .message = PQgetvalue(page, row, MESSAGE),
	    .event_id = PQgetvalue(page, row, EVENT_ID),
	    .created_date = PQgetvalue(page, row, CREATED_DATE),
	    .event_type = PQgetvalue(page, row, EVENT_TYPE),
	    .session_id = PQgetvalue(page, row, SESSION_ID),
	    .payload = PQnfields(page) > PAYLOAD ? PQgetvalue(page, row, PAYLOAD) : NULL,
	};
}

int
dead_letter_db_walk(struct dead_letter_db *db, const struct dead_letter_selection *which, dead_letter_fn *fn, void *arg,
    struct error *err)
{
	int64_t after = 0, last;
	char sql[512];

	if (read_last_id(db->pg, &last, err) < 0)
		return -1;
	while (after < last) {
		PGresult *page;
		int rc = 0;

		format_page_query(sql, sizeof sql, which, after, last);
		if (pg_exec(db->pg, sql, pg_deadline(STATEMENT_SECONDS), &page, err) != 0)
			return -1;
		after = last;
		for (int row = 0; rc >= 0 && row < PQntuples(page); row++) {
			const struct dead_letter letter = letter_of(page, row);

			rc = fn(arg, &letter, err);
			after = atoll(letter.id);
		}
		PQclear(page);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* ---- storing again ---- */

/* The two counts that the statements return. */
struct counts {
	bool letter, stored;
};

/* 0 with *counts, PG_REFUSED, or <0. */
static int
store_row(struct dead_letter_db *db, const char *sql, int64_t id, struct counts *counts, struct error *err)
{
	uint64_t number = htobe64((uint64_t)id);
	struct pg_param params[PARAMS];
	const struct pg_statement statement = {sql, params, PARAMS};
	PGresult *result;

	for (unsigned column = 0; column < ROW_COLUMNS; column++)
		params[column] = (struct pg_param){db->arrays[column].base, db->arrays[column].len};
	params[ROW_COLUMNS] = (struct pg_param){&number, sizeof number};
	int rc = pg_exec_durably(db->pg, &statement, pg_deadline(STATEMENT_SECONDS), &result, err);
	if (rc != 0)
		return rc;
	counts->letter = strcmp(PQgetvalue(result, 0, 0), "1") == 0;
	counts->stored = strcmp(PQgetvalue(result, 0, 1), "1") == 0;
	PQclear(result);
	return 0;
}

/* Stores the reason of the new refusal in the letter. 0 or <0. */
static int
update_reason(struct dead_letter_db *db, int64_t id, const struct dead_letter_reason *reason, struct error *err)
{
	uint64_t number = htobe64((uint64_t)id);
	const struct pg_param params[] = {
	    {&number, sizeof number},
	    {reason->sqlstate, strlen(reason->sqlstate)},
	    {reason->message.text, strlen(reason->message.text)},
	};
	const struct pg_statement statement = {NEW_REASON_SQL, params, sizeof params / sizeof *params};

	return pg_exec_params(db->pg, &statement, pg_deadline(STATEMENT_SECONDS), NULL, err) == 0 ? 0 : -1;
}

int
dead_letter_db_retry(struct dead_letter_db *db, int64_t id, const struct record *record,
    struct dead_letter_reason *reason, struct error *err)
{
	const char *sql = id != 0 ? db->retry_letter_sql.base : db->store_sql.base;
	enum refusal_cause cause;
	struct counts counts;
	int attempts = 0;

	for (unsigned column = 0; column < ROW_COLUMNS; column++)
		row_array(&db->arrays[column], column, &record, 1);
	do {
		int rc = store_row(db, sql, id != 0 ? id : 1, &counts, err);

		if (rc < 0)
			return rc;
		if (rc == 0)
			return !counts.letter  ? DEAD_LETTER_GONE
			       : counts.stored ? DEAD_LETTER_STORED
					       : DEAD_LETTER_DUPLICATE;
		cause = sqlstate_cause(pg_refusal(db->pg));
	} while (cause == CAUSE_RACE && ++attempts < RACE_ATTEMPTS);

	if (cause == CAUSE_RACE || cause == CAUSE_STORE)
		return -1;
	(void)stpcpy(reason->sqlstate, pg_sqlstate(db->pg));
	reason->message = pg_refusal(db->pg)->message;
	/* If the statement fails without a row too, the table or our rights are at fault, not this event. */
	if (cause == CAUSE_UNCLEAR && store_row(db, sql, 0, &counts, err) != 0)
		return -1;
	if (id != 0 && update_reason(db, id, reason, err) != 0)
		return -1;
	return DEAD_LETTER_REFUSED;
}
