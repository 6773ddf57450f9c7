/*
 * The SQLite store: a batch is one transaction with one row per record. If a row is refused for its content (by a CHECK
 * or a trigger that somebody added, or for its size) it becomes a dead letter, and the rest of the batch is stored. Any
 * other error is the store's, and nothing of the batch is stored.
 *
 * A refused row may leave traces: a trigger that fails after the insert need not undo the row. So the first refusal
 * ends the transaction, and the batch is stored in another one, with a savepoint before each row.
 */
#include "store/sqlite/sink_sqlite.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/repeat.h"
#include "store/dead_letter_file.h"
#include "store/sqlite/sqlite_migrate.h"
#include "store/sqlite/sqlite_row.h"
#include "store/sqlite/sqlite_session.h"

/* A log of this size means that a reader does not end its transaction. */
#define LARGE_LOG_BYTES ((uint64_t)256 << 20)

/* Dead letters of all stores have an SQLSTATE. SQLite has none, so these are the general ones of their classes. */
#define SQLSTATE_DATA_EXCEPTION "22000"
#define SQLSTATE_INTEGRITY_VIOLATION "23000"
#define SQLSTATE_LIMIT_EXCEEDED "54000"

struct sink_sqlite {
	struct sink super;
	const struct config *config;
	struct sqlite_session session;
	sqlite3_stmt *insert;
	struct dead_letter_file dead_letters;
	bool reopen;
	struct repeat refuses, large_log;
	uint64_t refused_unlogged;
	struct error refusal; /* the last one */
	const char *refusal_sqlstate;
};

enum { ROW_REFUSED = 1 };

/*
 * Writes the log into the database before closing it. SQLite does that only for a database at its path, and a moved
 * database must be complete where it is now.
 */
static void
close_database(struct sink_sqlite *s)
{
	struct error unused;
	uint64_t left;

	if (s->insert != NULL) {
		(void)sqlite3_finalize(s->insert);
		s->insert = NULL;
		if (!sqlite3_get_autocommit(s->session.db))
			(void)sqlite_session_exec(&s->session, "ROLLBACK", &unused);
		(void)sqlite_session_checkpoint(&s->session, &left, &unused);
	}
	sqlite_session_close(&s->session);
}

/*
 * Begins a transaction for a moment: that shows that no other program has the lock before the writer relies on the
 * store.
 */
static int
open_database(struct sink_sqlite *s, struct error *err)
{
	int applied;

	s->reopen = false;
	close_database(s);
	int rc = sqlite_migrate_open(&s->session, s->config->auto_migrate, &applied, err);
	if (rc == 0) {
		int code =
		    sqlite3_prepare_v3(s->session.db, sqlite_row_sql, -1, SQLITE_PREPARE_PERSISTENT, &s->insert, NULL);
		if (code != SQLITE_OK)
			rc = sqlite_session_failed(&s->session, code, err);
	}
	if (rc == 0)
		rc = sqlite_session_exec(&s->session, "BEGIN IMMEDIATE; ROLLBACK", err);
	if (rc != 0)
		close_database(s);
	return rc;
}

static int
sqlite_open(struct sink *sink, struct error *err)
{
	struct sink_sqlite *s = (struct sink_sqlite *)sink;

	s->session.beats = false; /* in the connector's thread: the main loop sends the heartbeats */
	int rc = open_database(s, err);
	s->session.beats = true;
	return rc;
}

/* Checks that no other file has replaced the database or its log since the last call. */
static int
keep_in_place(struct sink_sqlite *s, struct error *err)
{
	bool in_place = sqlite_session_in_place(&s->session);

	if (in_place && !s->reopen)
		return 0;
	if (!in_place)
		log_warning("the SQLite database or its log was moved, replaced or removed: opening it again",
		    LOG_STR("path", s->config->sqlite_path));
	return open_database(s, err);
}

static void
log_refused(struct sink_sqlite *s)
{
	log_warning("SQLite refused events: they are in the dead letters", LOG_UINT("events", s->refused_unlogged),
	    LOG_STR("last_refusal", s->refusal.text));
	s->refused_unlogged = 0;
}

/*
 * Whether the statement compiles. If so, a row's values caused the failure: a function in a trigger or an index refuses
 * them.
 */
static bool
statement_compiles(const struct sink_sqlite *s)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(s->session.db, sqlite_row_sql, -1, &statement, NULL);

	(void)sqlite3_finalize(statement);
	return code == SQLITE_OK;
}

/* Handles SQLite's code of a failed insert. ROW_REFUSED: the row was refused for its content. <0: the store failed. */
static int
handle_failure(struct sink_sqlite *s, int code, struct error *err)
{
	(void)error_set(&s->refusal, "%s", sqlite3_errmsg(s->session.db));
	switch (code & 0xff) {
	case SQLITE_CONSTRAINT:
		s->refusal_sqlstate = SQLSTATE_INTEGRITY_VIOLATION;
		return ROW_REFUSED;
	case SQLITE_TOOBIG:
		s->refusal_sqlstate = SQLSTATE_LIMIT_EXCEEDED;
		return ROW_REFUSED;
	case SQLITE_MISMATCH:
	case SQLITE_ERROR:
		(void)sqlite_session_failed(&s->session, code, err);
		s->refusal_sqlstate = SQLSTATE_DATA_EXCEPTION;
		return statement_compiles(s) ? ROW_REFUSED : -1;
	default:
		return sqlite_session_failed(&s->session, code, err);
	}
}

/* 0 with the row counted, ROW_REFUSED, or <0. */
static int
insert_record(struct sink_sqlite *s, const struct record *record, struct sink_result *result, struct error *err)
{
	int rc = 0, code = sqlite_row_bind(s->insert, record);

	if (code == SQLITE_OK)
		code = sqlite3_step(s->insert);
	if (code != SQLITE_DONE)
		rc = handle_failure(s, code, err);
	else if (sqlite3_changes(s->session.db) > 0)
		result->stored++;
	else /* or a trigger drops rows on purpose */
		result->duplicates++;
	(void)sqlite3_reset(s->insert);
	return rc;
}

/* Writes a dead letter. 0: it is durable after dead_letter_file_sync(). */
static int
add_dead_letter(struct sink_sqlite *s, const struct record *record, struct error *err)
{
	const struct refused refused = {
	    .at_us = clock_wall_us(), .sqlstate = s->refusal_sqlstate, .message = s->refusal.text};

	/* RAISE(ROLLBACK) has also taken back the rows before this one. */
	if (sqlite3_get_autocommit(s->session.db))
		return error_set(err,
		    "a trigger of hook_events ends the transaction of a whole batch (%s): let it RAISE(ABORT)",
		    s->refusal.text);
	s->refused_unlogged++;
	return dead_letter_file_append(&s->dead_letters, &refused, record, err);
}

/* Stores a record, or makes it a dead letter that leaves no trace in the database. */
static int
insert_or_dead_letter(struct sink_sqlite *s, const struct record *record, struct sink_result *result, struct error *err)
{
	if (sqlite_session_exec(&s->session, "SAVEPOINT record", err) != 0)
		return -1;
	int rc = insert_record(s, record, result, err);
	if (rc == ROW_REFUSED) {
		result->dead_lettered++;
		rc = add_dead_letter(s, record, err);
		if (rc == 0)
			rc = sqlite_session_exec(&s->session, "ROLLBACK TO record", err);
	}
	return rc == 0 ? sqlite_session_exec(&s->session, "RELEASE record", err) : rc;
}

/*
 * Commits. A commit that failed after its last page was written may be found in the log, and be valid, when the
 * database is opened next.
 */
static int
commit(struct sink_sqlite *s, struct sink_result *result, struct error *err)
{
	int code = sqlite3_exec(s->session.db, "COMMIT", NULL, NULL, NULL);

	if (code == SQLITE_OK)
		return 0;
	result->in_doubt = code != SQLITE_FULL && code != SQLITE_IOERR_WRITE && (code & 0xff) != SQLITE_BUSY;
	return sqlite_session_failed(&s->session, code, err);
}

/* Inserts all records into a transaction that is left open. 0, ROW_REFUSED, or <0. */
static int
insert_batch(struct sink_sqlite *s, const struct batch *batch, struct sink_result *result, struct error *err)
{
	int rc = sqlite_session_exec(&s->session, "BEGIN IMMEDIATE", err);

	for (uint32_t i = 0; rc == 0 && i < batch->count; i++)
		rc = insert_record(s, batch->records[i], result, err);
	return rc;
}

/* Repeats a transaction in which a row was refused: refused records become dead letters. 0 or <0. */
static int
insert_rest(struct sink_sqlite *s, const struct batch *batch, struct sink_result *result, struct error *err)
{
	*result = (struct sink_result){0};
	if (!sqlite3_get_autocommit(s->session.db) && sqlite_session_exec(&s->session, "ROLLBACK", err) != 0)
		return -1;
	int rc = sqlite_session_exec(&s->session, "BEGIN IMMEDIATE", err);
	for (uint32_t i = 0; rc == 0 && i < batch->count; i++)
		rc = insert_or_dead_letter(s, batch->records[i], result, err);
	if (rc == 0 && result->dead_lettered > 0)
		rc = dead_letter_file_sync(&s->dead_letters, err);
	return rc;
}

static int
store_batch(struct sink_sqlite *s, const struct batch *batch, struct sink_result *result, struct error *err)
{
	int rc = insert_batch(s, batch, result, err);

	if (rc == ROW_REFUSED)
		rc = insert_rest(s, batch, result, err);
	return rc == 0 ? commit(s, result, err) : rc;
}

static int
sqlite_store(struct sink *sink, const struct batch *batch, struct sink_result *result, struct error *err)
{
	struct sink_sqlite *s = (struct sink_sqlite *)sink;

	*result = (struct sink_result){0};
	sqlite_session_start_wait(&s->session);
	int rc = keep_in_place(s, err);
	if (rc != 0)
		return rc;
	rc = store_batch(s, batch, result, err);
	if (rc != 0) {
		result->in_doubt |= result->dead_lettered > 0; /* perhaps only dead letters of the batch were stored */
		close_database(s);
		return rc;
	}
	if (result->dead_lettered > 0 && repeat_met(&s->refuses, clock_steady_us()) > 0)
		log_refused(s);
	return 0;
}

/* Empties the log, so that it is small when the service stops, and grows only while a reader holds it. */
static int
sqlite_upkeep(struct sink *sink, struct error *err)
{
	struct sink_sqlite *s = (struct sink_sqlite *)sink;
	uint64_t left, times;

	sqlite_session_start_wait(&s->session);
	int rc = keep_in_place(s, err);
	if (rc == 0)
		rc = sqlite_session_checkpoint(&s->session, &left, err);
	if (rc != 0) {
		close_database(s);
		return rc;
	}
	if (left > LARGE_LOG_BYTES && (times = repeat_met(&s->large_log, clock_steady_us())) > 0)
		log_warning("the write-ahead log of the SQLite database grows: a reader keeps its transaction open",
		    LOG_STR("path", s->config->sqlite_path), LOG_UINT("bytes", left));
	if (s->refused_unlogged > 0)
		log_refused(s);
	return 0;
}

static void
sqlite_reopen(struct sink *sink)
{
	struct sink_sqlite *s = (struct sink_sqlite *)sink;

	s->reopen = true;
	dead_letter_file_close(&s->dead_letters);
}

static void
sqlite_close(struct sink *sink)
{
	struct sink_sqlite *s = (struct sink_sqlite *)sink;

	close_database(s);
	dead_letter_file_free(&s->dead_letters);
	free(s);
}

struct sink *
sink_sqlite_new(const struct config *config, const struct sink_env *env)
{
	static const struct sink_ops ops = {
	    .name = "sqlite",
	    .opens_in_thread = true,
	    .keyed = true,
	    .open = sqlite_open,
	    .store = sqlite_store,
	    .upkeep = sqlite_upkeep,
	    .reopen = sqlite_reopen,
	    .close = sqlite_close,
	};
	struct sink_sqlite *s = mem_new(1, sizeof *s);

	s->super.ops = &ops;
	s->config = config;
	sqlite_session_init(&s->session, &sqlite_events, config->sqlite_path, env);
	s->session.wait_ms = config->store_timeout_ms;
	dead_letter_file_init(&s->dead_letters, config->data_dir);
	return &s->super;
}
