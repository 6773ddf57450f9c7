/*
 * A process takes the write turn before it writes (struct db_env), so BEGIN IMMEDIATE waits only for programs outside
 * the service. Opening writes too: it migrates, and empties the log.
 */
#include "store/sqlite/db_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/sqlite/db_statements.h"
#include "store/sqlite/sqlite_checkpointer.h"
#include "store/sqlite/sqlite_migrate.h"
#include "store/sqlite/sqlite_session.h"

/* After this many instructions of its machine SQLite asks whether a statement has taken too long. */
#define ASK_INSTRUCTIONS 10000

struct db_sqlite {
	struct db super;
	struct sqlite_session session;
	struct sink_env session_env; /* called by the session when it waits */
	struct db_kept kept; /* statements of the session */
	struct sqlite_checkpointer *checkpointer; /* of the session */
	bool has_turn;
	bool looks; /* opened by db_sqlite_open_to_look(): never opened again */
	bool follows; /* opened by db_sqlite_open_events(): reads only, and is not counted in `connections` */
	int64_t now_ms; /* wall clock, when the transaction began */
	int64_t until_us; /* steady: deadline of the statement, or of the wait for the turn */
};

/*
 * The kernel drops all locks of a process on a file when the process closes any descriptor of it. So a process inspects
 * a file before opening it only if it has no connection (struct sqlite_session, shared). Per process, like the locks.
 */
static struct {
	pthread_mutex_t lock;
	uint32_t open;
} connections = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
beat(void *context)
{
	const struct db_sqlite *s = context;

	db_heartbeat(&s->super);
}

static int64_t
env_until(void *context)
{
	const struct db_sqlite *s = context;

	return db_env_until_us(&s->super);
}

/* Called while a call waits or takes long. Returns its deadline. */
static int64_t
on_wait(void *context)
{
	const struct db_sqlite *s = context;
	int64_t until_us = env_until(context);

	beat(context);
	return until_us < s->until_us ? until_us : s->until_us;
}

static int
take_turn(struct db_sqlite *s, struct error *err)
{
	const struct db_env *env = s->super.env;

	s->until_us = db_deadline(&s->super);
	int rc = env->take_write_turn != NULL ? env->take_write_turn(env->context, on_wait, s, err) : 0;
	s->has_turn = rc == 0;
	return rc;
}

static void
give_turn(struct db_sqlite *s)
{
	const struct db_env *env = s->super.env;

	if (s->has_turn && env->give_write_turn != NULL)
		env->give_write_turn(env->context);
	s->has_turn = false;
}

static void
stop_checkpointer(struct db_sqlite *s)
{
	sqlite_checkpointer_stop(s->checkpointer);
	s->checkpointer = NULL;
}

static void
close_session(struct db_sqlite *s)
{
	if (s->session.db == NULL)
		return;
	stop_checkpointer(s);
	db_kept_finalize(&s->kept);
	(void)pthread_mutex_lock(&connections.lock);
	sqlite_session_close(&s->session);
	connections.open -= !s->follows;
	(void)pthread_mutex_unlock(&connections.lock);
}

static int
is_late(void *context)
{
	return clock_steady_us() >= on_wait(context);
}

static int
add_functions(struct db_sqlite *s, struct error *err)
{
	int code = db_statements_add_functions(s->session.db, &s->now_ms);

	if (code != SQLITE_OK)
		return sqlite_session_failed(&s->session, code, err);
	sqlite3_progress_handler(s->session.db, ASK_INSTRUCTIONS, is_late, s);
	return 0;
}

/* Begins a call: sets its deadline. */
static void
begin_call(struct db_sqlite *s)
{
	s->until_us = s->session.wait_until_us = db_deadline(&s->super);
}

static int
connect_session(struct db_sqlite *s, struct error *err)
{
	int64_t left_us = db_deadline(&s->super) - clock_steady_us();
	bool *seen = s->super.env->database_seen;

	(void)pthread_mutex_lock(&connections.lock);
	s->session.shared = connections.open > 0 || (seen != NULL && *seen);
	s->session.wait_ms = left_us > 0 ? (uint32_t)(left_us / 1000) : 0;
	int rc = sqlite_session_connect(&s->session, err);
	if (rc == 0)
		connections.open++;
	if (rc == 0 && seen != NULL)
		*seen = true;
	(void)pthread_mutex_unlock(&connections.lock);
	return rc;
}

/* With the turn. 0 with an open session, or <0. */
static int
open_with_turn(struct db_sqlite *s, struct error *err)
{
	int applied, rc = connect_session(s, err);

	if (rc != 0)
		return rc;
	begin_call(s);
	rc = sqlite_migrate_schema(&s->session, s->super.config->auto_migrate, &applied, err);
	if (rc == 0)
		rc = add_functions(s, err);
	if (rc == 0)
		rc = sqlite_session_begin_log(&s->session, err);
	if (rc == 0)
		s->checkpointer = sqlite_checkpointer_start(s->session.db, s->session.fd);
	else
		close_session(s);
	return rc;
}

static int
open_session(struct db_sqlite *s, struct error *err)
{
	int rc = take_turn(s, err);

	if (rc != 0)
		return rc;
	rc = open_with_turn(s, err);
	give_turn(s);
	return rc;
}

/* Leaves a moved database. Writes the log into it first: the moved file must be complete where it is now. */
static void
leave_moved(struct db_sqlite *s)
{
	struct error unused;
	uint64_t left;

	log_warning("the SQLite database or its log was moved, replaced or removed: opening it again",
	    LOG_STR("path", s->session.path));
	stop_checkpointer(s);
	(void)sqlite_session_checkpoint(&s->session, &left, &unused);
	close_session(s);
}

/* Opens the database to read it beside the process that writes it. Closing a descriptor of O_PATH gives up no locks. */
static int
open_to_follow(struct db_sqlite *s, struct error *err)
{
	const char *path = s->session.path;
	int applied, code = sqlite3_open_v2(path, &s->session.db, SQLITE_OPEN_READONLY, NULL);
	int rc = code == SQLITE_OK ? 0 : sqlite_session_failed(&s->session, code, err);

	s->session.fd = open(path, O_PATH | O_CLOEXEC);
	begin_call(s);
	if (rc == 0)
		code = sqlite_identity_of(s->session.kind, s->session.db, path, err);
	if (rc == 0 && code != 0)
		rc = code < 0 ? -1 : sqlite_session_failed(&s->session, code, err);
	if (rc == 0)
		rc = sqlite_migrate_schema(&s->session, false, &applied, err);
	if (rc == 0)
		rc = add_functions(s, err);
	if (rc != 0)
		close_session(s);
	return rc;
}

static int
keep_following(struct db_sqlite *s, struct error *err)
{
	if (s->session.db != NULL && files_in_place(s->session.fd, s->session.path))
		return 0;
	close_session(s);
	return open_to_follow(s, err);
}

/*
 * Opens the database if it is closed, or if another file has replaced the open one. A file that is gone may be put
 * back, so it stays open until then.
 */
static int
keep_open(struct db_sqlite *s, struct error *err)
{
	if (s->follows)
		return keep_following(s, err);
	if (s->session.db != NULL && (s->looks || sqlite_session_in_place(&s->session)))
		return 0;
	if (s->looks)
		return error_set(err, "%s=%s could be read no further", s->session.kind->option, s->session.path);
	if (s->session.db != NULL && access(s->session.path, F_OK) != 0 && errno == ENOENT)
		return sqlite_session_removed(&s->session, err);
	if (s->session.db != NULL)
		leave_moved(s);
	return open_session(s, err);
}

/* Translates a failed call to a result of store/db.h. */
static int
failed(struct db_sqlite *s, int code, struct error *err)
{
	switch (code & 0xff) {
	case SQLITE_CONSTRAINT:
		s->super.conflict = code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY;
		(void)error_set(err, "%s", sqlite3_errmsg(s->session.db));
		return DB_REFUSED;
	case SQLITE_TOOBIG:
	case SQLITE_MISMATCH:
		(void)error_set(err, "%s", sqlite3_errmsg(s->session.db));
		return DB_REFUSED;
	case SQLITE_INTERRUPT:
		return error_set(
		    err, "%s=%s: a statement takes longer than its deadline", s->session.kind->option, s->session.path);
	default:
		return sqlite_session_failed(&s->session, code, err);
	}
}

static int
exec(struct db_sqlite *s, const char *sql, struct error *err)
{
	int code = sqlite3_exec(s->session.db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : failed(s, code, err);
}

static int
sqlite_begin(struct db *db, bool to_read, struct error *err)
{
	struct db_sqlite *s = (struct db_sqlite *)db;
	int rc = keep_open(s, err);

	if (rc == 0 && !to_read)
		rc = sqlite_session_sync_late(&s->session, db->syncs_late, err);
	if (rc == 0 && !to_read)
		rc = take_turn(s, err);
	if (rc != 0)
		return rc;
	begin_call(s);
	rc = exec(s, to_read ? "BEGIN" : "BEGIN IMMEDIATE", err);
	s->now_ms = clock_wall_us() / 1000;
	if (rc != 0) {
		close_session(s);
		give_turn(s);
	}
	return rc != 0 ? -1 : 0;
}

static int
sqlite_commit(struct db *db, struct error *err)
{
	struct db_sqlite *s = (struct db_sqlite *)db;

	begin_call(s);
	int rc = exec(s, "COMMIT", err);
	if (rc == 0) {
		sqlite_checkpointer_in_turn(s->checkpointer);
		give_turn(s);
		rc = sqlite_session_end_commit(&s->session, err);
	}
	if (rc == 0)
		sqlite_checkpointer_after_commit(s->checkpointer);
	if (rc < 0)
		close_session(s);
	return rc;
}

/* A failed session may show data that another connection would not see, so the next call opens a new one. */
static void
sqlite_rollback(struct db *db)
{
	struct db_sqlite *s = (struct db_sqlite *)db;
	struct error unused;

	if (s->session.db != NULL && !sqlite3_get_autocommit(s->session.db) && exec(s, "ROLLBACK", &unused) != 0)
		close_session(s);
	give_turn(s);
}

/* Ends a call with SQLite's code: gives its rows to *rows, or frees them. */
static int
end_call(struct db_sqlite *s, int code, struct db_rows *read, struct db_rows **rows, struct error *err)
{
	int rc = code == SQLITE_OK ? 0 : failed(s, code, err);

	if (rc < 0)
		close_session(s);
	if (rc == 0 && rows != NULL)
		*rows = read;
	else
		db_rows_free(read);
	return rc;
}

static int
sqlite_query(struct db *db, const struct db_call *call, struct db_rows **rows, struct error *err)
{
	struct db_sqlite *s = (struct db_sqlite *)db;
	struct db_rows *read;
	int rc = 0;

	if (db->state == DB_IDLE) {
		rc = keep_open(s, err);
		s->now_ms = clock_wall_us() / 1000;
	}
	if (rc != 0)
		return rc;
	begin_call(s);
	int code = db_statements_run(s->session.db, call, db->state == DB_IN_TRANSACTION, &read);
	return end_call(s, code, read, rows, err);
}

static int
sqlite_load(struct db *db, const struct db_table *table, const struct db_values *values, struct error *err)
{
	struct db_sqlite *s = (struct db_sqlite *)db;

	begin_call(s);
	return end_call(s, db_statements_load(s->session.db, &s->kept, table, values), NULL, NULL, err);
}

static int
sqlite_each(
    struct db *db, const struct db_each *each, const struct db_values *values, struct db_rows **rows, struct error *err)
{
	struct db_sqlite *s = (struct db_sqlite *)db;
	struct db_rows *read;

	begin_call(s);
	int before = sqlite3_total_changes(s->session.db);
	int code = db_statements_each(s->session.db, &s->kept, each, values, &read);
	db->changed = (uint32_t)(sqlite3_total_changes(s->session.db) - before);
	return end_call(s, code, read, rows, err);
}

static int
sqlite_check_and_commit(struct db *db, const struct db_call *check, struct error *err)
{
	struct db_rows *failure;
	int rc = sqlite_query(db, check, &failure, err);

	if (rc != 0)
		return rc;
	if (db_rows_count(failure) > 0) {
		struct span sqlstate = db_rows_text(failure, 0, 0);

		(void)snprintf(db->sqlstate, sizeof db->sqlstate, "%.*s", (int)sqlstate.len, sqlstate.base);
		(void)error_set(err, "the check before the commit has failed (%s)", db->sqlstate);
		rc = DB_REFUSED;
	}
	db_rows_free(failure);
	return rc == 0 ? sqlite_commit(db, err) : rc;
}

static void
sqlite_close(struct db *db)
{
	struct db_sqlite *s = (struct db_sqlite *)db;

	close_session(s);
	free(s);
}

static const struct db_ops ops = {
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .query = sqlite_query,
    .load = sqlite_load,
    .insert = sqlite_load,
    .each = sqlite_each,
    .check_and_commit = sqlite_check_and_commit,
    .close = sqlite_close,
};

static struct db_sqlite *
make(const struct config *config, const struct db_env *env, const struct sqlite_kind *kind, const char *path)
{
	struct db_sqlite *s = mem_new(1, sizeof *s);

	s->super = (struct db){.ops = &ops, .config = config, .env = env, .deadline_us = INT64_MAX};
	s->session_env = (struct sink_env){.context = s, .store_until_us = env_until, .heartbeat = beat};
	sqlite_session_init(&s->session, kind, path, &s->session_env);
	return s;
}

int
db_sqlite_open(struct db **out, const struct config *config, const struct db_env *env, struct error *err)
{
	struct db_sqlite *s = make(config, env, &sqlite_webhooks, config->hl_data_path);

	if (open_session(s, err) != 0) {
		free(s);
		return -1;
	}
	*out = &s->super;
	return 0;
}

int
db_sqlite_open_to_look(struct db **out, const struct config *config, const struct db_env *env, struct error *err)
{
	struct db_sqlite *s = make(config, env, &sqlite_webhooks, config->hl_data_path);
	int applied, code = sqlite_open_unchanged(config->hl_data_path, &s->session.db);
	int rc = code == SQLITE_OK ? 0 : sqlite_session_failed(&s->session, code, err);

	s->looks = true;
	connections.open++;
	begin_call(s);
	if (rc == 0)
		rc = sqlite_migrate_schema(&s->session, false, &applied, err);
	if (rc == 0)
		rc = add_functions(s, err);
	if (rc != 0) {
		sqlite_close(&s->super);
		return -1;
	}
	*out = &s->super;
	return 0;
}

int
db_sqlite_open_events(struct db **out, const struct config *config, const struct db_env *env, struct error *err)
{
	struct db_sqlite *s = make(config, env, &sqlite_events, config->sqlite_path);

	s->follows = true;
	if (open_to_follow(s, err) != 0) {
		free(s);
		return -1;
	}
	*out = &s->super;
	return 0;
}
