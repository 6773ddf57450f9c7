/* Reads page by page in the order of rowid: a long transaction would keep a running service from emptying its log. */
#include "store/sqlite/event_reader_sqlite.h"

#include <unistd.h>

#include "store/sqlite/sqlite_migrate.h"
#include "store/sqlite/sqlite_session.h"

#define COMMA_NAME(symbol, key, limit, required, column, type) ", \"" column "\""

static const char page_sql[] = "SELECT event_id" HOOK_EVENT_FIELDS(
    COMMA_NAME, COMMA_NAME, COMMA_NAME) ", tenant_id, rowid FROM hook_events"
					" WHERE rowid > ?1 AND (?2 IS NULL OR session_id = ?2)"
					" AND (?3 IS NULL OR event_type = ?3)"
					" AND (?4 IS NULL OR \"timestamp\" >= ?4)"
					" AND (?5 IS NULL OR \"timestamp\" < ?5)"
					" ORDER BY rowid LIMIT 500";

static int
bind_text(sqlite3_stmt *statement, int place, const char *text)
{
	return sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC);
}

static int
bind_filter(sqlite3_stmt *statement, const struct event_wish *filter)
{
	int code = bind_text(statement, 2, filter->session_id);

	if (code == SQLITE_OK)
		code = bind_text(statement, 3, filter->event_type);
	if (code == SQLITE_OK)
		code = bind_text(statement, 4, filter->since);
	return code == SQLITE_OK ? bind_text(statement, 5, filter->until) : code;
}

static int
give_row(sqlite3_stmt *statement, event_fn *fn, void *arg, struct error *err)
{
	struct event_row event;

	for (int column = 0; column < HOOK_COLUMNS; column++) {
		const char *text = (const char *)sqlite3_column_text(statement, column);

		event.columns[column] = (struct span){text, (size_t)sqlite3_column_bytes(statement, column)};
	}
	return fn(arg, &event, err);
}

/*
 * Gives the events behind *place, and moves *place behind the last one. *any: there was one. 0, <0, or SQLite's
 * code.
 */
static int
give_page(sqlite3_stmt *statement, sqlite3_int64 *place, bool *any, event_fn *fn, void *arg, struct error *err)
{
	int rc = 0, code = sqlite3_bind_int64(statement, 1, *place);

	*any = false;
	if (code != SQLITE_OK)
		return code;
	while (rc == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		*any = true;
		*place = sqlite3_column_int64(statement, HOOK_COLUMNS);
		rc = give_row(statement, fn, arg, err);
	}
	int end = sqlite3_reset(statement);
	return rc != 0 ? rc : end;
}

static int
give_all(struct sqlite_session *session, const struct event_wish *filter, event_fn *fn, void *arg, struct error *err)
{
	sqlite3_stmt *statement;
	sqlite3_int64 place = INT64_MIN;
	bool any = true;
	int code = sqlite3_prepare_v2(session->db, page_sql, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = bind_filter(statement, filter);
	while (code == SQLITE_OK && any) {
		sqlite_session_start_wait(session);
		code = give_page(statement, &place, &any, fn, arg, err);
	}
	if (code > 0)
		code = sqlite_session_failed(session, code, err);
	(void)sqlite3_finalize(statement);
	return code;
}

int
event_reader_sqlite(
    const struct config *config, const struct event_wish *filter, event_fn *fn, void *arg, struct error *err)
{
	static const struct sink_env no_env = {0};
	struct sqlite_session session;
	int applied;

	if (access(config->sqlite_path, R_OK) != 0)
		return error_errno(err, "%s", config->sqlite_path);
	sqlite_session_init(&session, &sqlite_events, config->sqlite_path, &no_env);
	session.wait_ms = config->store_timeout_ms;
	int rc = sqlite_migrate_open(&session, false, &applied, err);
	if (rc == 0) {
		rc = give_all(&session, filter, fn, arg, err);
		sqlite_session_close(&session);
	}
	return rc;
}
