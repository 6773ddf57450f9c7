/*
 * A session of our own gets its settings once: timeouts by which the server ends statements and dead sessions. A pooler
 * may give each transaction another session, so there each transaction begins with the settings. The isolation level is
 * always given, because with another default, set by a DBA, `changes` and FOR UPDATE would behave differently.
 *
 * A failed connection is closed; the next begin() or reading statement makes a new one, because after a switch-over the
 * name may lead to another server. After a failed attempt follows a pause at least as long as the attempt, in which
 * calls fail at once with the same reason: a server that hangs must not make every caller wait.
 *
 * If hooks_distribute() was called under Citus, statements have texts of their own. Each new connection checks that; an
 * older one learns it when Citus refuses the plain text.
 */
#include "store/postgres/db_postgres.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/postgres/db_bulk.h"
#include "store/postgres/db_texts.h"
#include "store/postgres/migrate.h"
#include "store/postgres/pg.h"

#define PAUSE_US 500000
#define READ_ONLY "the server at %s is read-only"

/*
 * statement_timeout is a little shorter than ours, so that the server ends each statement before we give it up.
 * idle_in_transaction_session_timeout ends the session of a process that is stopped between two statements, and
 * keepalives end the session of a lost machine; both sessions would keep their locks.
 */
#define LIMITS(set)                                                                                                    \
	set " statement_timeout = %" PRIu32 "; " set " idle_in_transaction_session_timeout = %" PRIu32 "; " set        \
	    " tcp_keepalives_idle = 10; " set " tcp_keepalives_interval = 5; " set " tcp_keepalives_count = 4; "

/* Not READ WRITE: an operator may set default_transaction_read_only to fence the server off. */
#define BEGIN_SQL "BEGIN ISOLATION LEVEL READ COMMITTED; " PG_DURABLE_SQL

struct db_postgres {
	struct db super;
	const char *url, *option; /* borrowed; the second names the first */
	struct pg *pg; /* NULL: not connected */
	char settings[384]; /* a transaction begins with these statements; "": the session has the settings */
	int64_t retry_us; /* steady: no new connection before */
	struct error failure; /* why the last attempt failed */
	struct bytes texts; /* of the parameters, or of many rows */
};

static const struct {
	const char *sqlstate; /* or a class */
	int rc;
} meanings[] = {
    {SQLSTATE_CLASS_INTEGRITY, DB_REFUSED}, {SQLSTATE_CLASS_DATA_EXCEPTION, DB_REFUSED},
    {SQLSTATE_CLASS_VIEW_CHECK, DB_REFUSED}, {"21", DB_REFUSED}, /* cardinality violation */
    {"54", DB_REFUSED}, /* program limit exceeded: an index entry too large */
    {"P0", DB_REFUSED}, /* raised by a trigger that somebody has added */
    {"HL", DB_REFUSED}, /* raised by our own functions */
    {SQLSTATE_NOT_SUPPORTED, DB_REFUSED}, /* a number made of a time that somebody has set to infinity */
    {"40", DB_BUSY}, /* deadlock, serialization failure */
    {"55P03", DB_BUSY}, /* lock_timeout, if a DBA has set it */
};

static void
disconnect(struct db_postgres *p)
{
	pg_close(p->pg);
	p->pg = NULL;
}

/* Asks for one boolean. */
static int
ask(struct db_postgres *p, const char *sql, bool *answer, struct error *err)
{
	PGresult *result;

	if (pg_exec(p->pg, sql, db_deadline(&p->super), &result, err) != 0)
		return -1;
	*answer = PQgetvalue(result, 0, 0)[0] == 't';
	PQclear(result);
	return 0;
}

/* A database without Citus has none of its tables. */
static int
find_distributed(struct db_postgres *p, bool *distributed, struct error *err)
{
	int rc = ask(p, "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')", distributed, err);

	if (rc == 0 && *distributed)
		rc = ask(p, "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass('jobs'))",
		    distributed, err);
	return rc;
}

/* Whether the tables have been distributed since this connection was made. Ends the failed transaction. */
static bool
is_outdated(struct db_postgres *p)
{
	struct error unused;
	bool distributed = true;

	return !p->super.distributed && (pg_exec(p->pg, "ROLLBACK", db_deadline(&p->super), NULL, &unused) != 0 ||
					    find_distributed(p, &distributed, &unused) != 0 || distributed);
}

/* Translates a result of pg.h to one of store/db.h. Closes a useless connection. */
static int
outcome(struct db_postgres *p, int rc)
{
	if (rc == PG_REFUSED && sqlstate_is(pg_sqlstate(p->pg), SQLSTATE_NOT_SUPPORTED) && is_outdated(p))
		rc = -1; /* a new connection finds out */
	if (rc == PG_REFUSED) {
		const char *sqlstate = pg_sqlstate(p->pg);

		p->super.conflict = sqlstate_is(sqlstate, SQLSTATE_UNIQUE_VIOLATION);
		/* A CHECK would have a name. */
		p->super.lacks_partition =
		    sqlstate_is(sqlstate, SQLSTATE_CHECK_VIOLATION) && pg_refusal(p->pg)->constraint[0] == '\0';
		(void)snprintf(p->super.sqlstate, sizeof p->super.sqlstate, "%s", sqlstate);
		for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
			if (sqlstate_is(sqlstate, meanings[i].sqlstate))
				return meanings[i].rc;
	}
	if (rc != 0)
		disconnect(p);
	return rc != 0 ? -1 : 0;
}

static void
report_session(const struct db_postgres *p, int32_t pid)
{
	if (p->super.env->session != NULL)
		p->super.env->session(p->super.env->session_context, pid);
}

/* Also reports the pid of the server process; 0 if a pooler may change it. */
static int
set_limits(struct db_postgres *p, struct error *err)
{
	uint32_t limit_ms = p->super.config->store_timeout_ms / 10 * 9;
	char sql[sizeof LIMITS("SET") + 64];
	PGresult *result;
	bool pooled;

	p->settings[0] = '\0';
	if (pg_pooled(p->pg, db_deadline(&p->super), &pooled, err) != 0)
		return -1;
	if (pooled) {
		int len = snprintf(
		    p->settings, sizeof p->settings, PG_TEMPORARY_LAST_SQL LIMITS("SET LOCAL"), limit_ms, limit_ms);
		assert(len < (int)sizeof p->settings);
		report_session(p, 0);
		return 0;
	}
	(void)snprintf(sql, sizeof sql, LIMITS("SET") "SELECT pg_backend_pid()", limit_ms, limit_ms);
	if (pg_exec(p->pg, sql, db_deadline(&p->super), &result, err) != 0)
		return -1;
	report_session(p, atoi(PQgetvalue(result, 0, 0)));
	PQclear(result);
	return 0;
}

/* A standby would answer with old data, and refuse writes. */
static int
check_writable(struct db_postgres *p, struct error *err)
{
	PGresult *result;

	if (pg_exec(p->pg, "SHOW transaction_read_only", db_deadline(&p->super), &result, err) != 0)
		return -1;
	bool writable = strcmp(PQgetvalue(result, 0, 0), "off") == 0;
	PQclear(result);
	return writable ? 0 : error_set(err, READ_ONLY ": perhaps it is a standby", p->option);
}

static int
prepare(struct db_postgres *p, struct error *err)
{
	int rc = check_writable(p, err);

	if (rc == 0)
		rc = find_distributed(p, &p->super.distributed, err);
	return rc == 0 ? set_limits(p, err) : rc;
}

/* For pg_on_wait(). */
static int64_t
on_wait(void *context)
{
	const struct db_postgres *p = context;

	db_heartbeat(&p->super);
	return db_env_until_us(&p->super);
}

/* 0, or <0: there is no connection. */
static int
connect_to(struct db_postgres *p, struct error *err)
{
	int64_t began_us = clock_steady_us();
	int rc = pg_open(&p->pg, p->url, &p->failure);

	if (rc == 0) {
		pg_on_wait(p->pg, on_wait, p);
		rc = prepare(p, &p->failure);
	}
	if (rc == 0)
		return 0;
	disconnect(p);
	int64_t now_us = clock_steady_us(), took_us = now_us - began_us;
	p->retry_us = now_us + (took_us > PAUSE_US ? took_us : PAUSE_US);
	*err = p->failure;
	return -1;
}

/* Connects if there is no connection. */
static int
keep_connected(struct db_postgres *p, struct error *err)
{
	struct error unused;

	if (p->pg != NULL && pg_check(p->pg, &unused) == 0)
		return 0;
	disconnect(p);
	if (clock_steady_us() < p->retry_us) {
		*err = p->failure;
		return -1;
	}
	return connect_to(p, err);
}

static int
begin(struct db_postgres *p, int64_t deadline_us, struct error *err)
{
	char sql[sizeof BEGIN_SQL + sizeof p->settings];

	(void)snprintf(sql, sizeof sql, BEGIN_SQL "%s", p->settings);
	return pg_exec(p->pg, sql, deadline_us, NULL, err);
}

static int
read_once(struct db_postgres *p, struct pg_statement *statement, PGresult **result, struct error *err)
{
	int64_t deadline_us = db_deadline(&p->super);

	statement->settings = p->settings;
	return p->settings[0] != '\0' ? pg_exec_durably(p->pg, statement, deadline_us, result, err)
				      : pg_exec_params(p->pg, statement, deadline_us, result, err);
}

/* Runs a statement, or BEGIN if it is NULL. Discards the answer of a server that has become read-only. */
static int
run_once(struct db_postgres *p, struct pg_statement *statement, PGresult **result, struct error *err)
{
	int rc = statement != NULL ? read_once(p, statement, result, err) : begin(p, db_deadline(&p->super), err);

	if (rc != 0 || !pg_is_read_only(p->pg))
		return rc;
	if (statement != NULL)
		PQclear(*result);
	return error_set(err, READ_ONLY ": perhaps another server has taken its place", p->option);
}

static int64_t
earlier(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

/*
 * Runs a statement that only reads, or BEGIN if statement is NULL. If the connection turns out to be gone it is
 * repeated once on a new one, because it had no effect. So callers do not notice a restart of the server or the pooler,
 * or a switch-over to a writable server.
 */
static int
run_from_idle(struct db_postgres *p, struct pg_statement *statement, PGresult **result, struct error *err)
{
	int64_t deadline_us = db_deadline(&p->super);

	for (int tries = 1;; tries++) {
		if (keep_connected(p, err) != 0)
			return -1;
		int rc = run_once(p, statement, result, err);
		if (rc >= 0 || tries == 2 || clock_steady_us() >= earlier(deadline_us, db_env_until_us(&p->super)))
			return outcome(p, rc);
		disconnect(p);
	}
}

static int
postgres_begin(struct db *db, bool to_read, struct error *err)
{
	struct db_postgres *p = (struct db_postgres *)db;
	int rc = run_from_idle(p, NULL, NULL, err);

	(void)to_read; /* a transaction blocks nobody here before it writes */
	if (rc > 0) /* the server may be waiting for a ROLLBACK */
		disconnect(p);
	return rc > 0 ? -1 : rc;
}

/* sql ends with COMMIT. */
static int
commit(struct db_postgres *p, const char *sql, struct error *err)
{
	PGresult *result;
	int rc = outcome(p, pg_exec(p->pg, sql, db_deadline(&p->super), &result, err));

	if (rc != 0)
		return rc;
	/* A server answers ROLLBACK to the COMMIT of a failed transaction. */
	bool committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
	PQclear(result);
	return committed ? 0 : error_set(err, "PostgreSQL has rolled back a transaction in the place of its commit");
}

static int
postgres_commit(struct db *db, struct error *err)
{
	return commit((struct db_postgres *)db, "COMMIT", err);
}

static void
postgres_rollback(struct db *db)
{
	struct db_postgres *p = (struct db_postgres *)db;
	struct error unused;

	if (p->pg != NULL && pg_exec(p->pg, "ROLLBACK", db_deadline(db), NULL, &unused) != 0)
		disconnect(p);
}

static struct db_rows *
read_rows(const PGresult *result)
{
	int columns = PQnfields(result), count = PQntuples(result);
	struct db_rows *rows = db_rows_new((uint32_t)columns);

	for (int row = 0; row < count; row++)
		for (int column = 0; column < columns; column++)
			db_rows_add(rows, PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column),
			    (size_t)PQgetlength(result, row, column));
	return rows;
}

static const char *
text_of(const struct db_postgres *p, const struct db_statement *statement)
{
	return p->super.distributed && statement->citus != NULL ? statement->citus : statement->postgres;
}

static int
postgres_query(struct db *db, const struct db_call *call, struct db_rows **rows, struct error *err)
{
	struct db_postgres *p = (struct db_postgres *)db;
	const char *texts[DB_PARAMS_MAX];
	PGresult *result;
	int rc;

	db_texts(&p->texts, call, texts);
	struct pg_statement statement = {.sql = text_of(p, call->statement), .texts = texts, .count = call->count};
	if (db->state == DB_IDLE)
		rc = run_from_idle(p, &statement, &result, err);
	else
		rc = outcome(p, pg_exec_params(p->pg, &statement, db_deadline(db), &result, err));
	if (rc != 0)
		return rc;
	if (rows != NULL)
		*rows = read_rows(result);
	PQclear(result);
	return 0;
}

/* Citus reports each refusal or failure of its workers during a COPY as an internal error. */
static int
postgres_load(struct db *db, const struct db_table *table, const struct db_values *values, struct error *err)
{
	struct db_postgres *p = (struct db_postgres *)db;
	int rc = db_bulk_copy(p->pg, &p->texts, table, values, db_deadline(db), err);

	if (rc != PG_REFUSED || !db->distributed || !sqlstate_is(pg_sqlstate(p->pg), SQLSTATE_INTERNAL_ERROR))
		return outcome(p, rc);
	db->unexplained = true;
	(void)snprintf(db->sqlstate, sizeof db->sqlstate, "%s", SQLSTATE_INTERNAL_ERROR);
	return DB_REFUSED;
}

static int
postgres_insert(struct db *db, const struct db_table *table, const struct db_values *values, struct error *err)
{
	struct db_postgres *p = (struct db_postgres *)db;

	if (!db->distributed)
		return postgres_load(db, table, values, err);
	return outcome(p, db_bulk_insert(p->pg, &p->texts, table, values, db_deadline(db), err));
}

static int
postgres_each(
    struct db *db, const struct db_each *each, const struct db_values *values, struct db_rows **rows, struct error *err)
{
	struct db_postgres *p = (struct db_postgres *)db;
	PGresult *result;
	const char *sql = text_of(p, &each->statement);
	int rc = outcome(p, db_bulk_each(p->pg, &p->texts, sql, values, db_deadline(db), &result, err));

	if (rc != 0)
		return rc;
	db->changed = pg_rows_affected(result);
	if (rows != NULL)
		*rows = read_rows(result);
	PQclear(result);
	return 0;
}

/* Several statements in one message are a simple query, which has no parameters. It ends at the first error. */
static int
postgres_check_and_commit(struct db *db, const struct db_call *check, struct error *err)
{
	struct db_postgres *p = (struct db_postgres *)db;
	const char *texts[DB_PARAMS_MAX];
	struct bytes sql = {0};

	db_texts(&p->texts, check, texts);
	db_texts_add_statement(&sql, check, texts);
	bytes_add(&sql, "; COMMIT", sizeof "; COMMIT");
	int rc = commit(p, sql.base, err);
	bytes_free(&sql);
	return rc;
}

static void
postgres_close(struct db *db)
{
	struct db_postgres *p = (struct db_postgres *)db;

	disconnect(p);
	bytes_free(&p->texts);
	free(p);
}

/* Checks the schema once: under a running service it can only become newer, which does no harm. */
static int
open_db(struct db **out, const struct config *config, const struct db_env *env, bool of_events, bool migrate,
    struct error *err) /* six: which database, and what to do there */
{
	static const struct db_ops ops = {
	    .begin = postgres_begin,
	    .commit = postgres_commit,
	    .rollback = postgres_rollback,
	    .query = postgres_query,
	    .load = postgres_load,
	    .insert = postgres_insert,
	    .each = postgres_each,
	    .check_and_commit = postgres_check_and_commit,
	    .close = postgres_close,
	};
	struct db_postgres *p = mem_new(1, sizeof *p);
	int rc, applied = 0;

	p->super = (struct db){.ops = &ops, .config = config, .env = env, .deadline_us = INT64_MAX};
	p->url = of_events ? config->database_url : config->hl_postgres_url;
	p->option = of_events ? "DATABASE_URL" : "HL_POSTGRES_URL";
	rc = connect_to(p, err);
	if (rc == 0)
		rc = of_events ? migrate_check(p->pg, &postgres_migrations, err)
			       : migrate_webhooks(p->pg, migrate, &applied, err);
	if (rc == 0)
		*out = &p->super;
	else
		postgres_close(&p->super);
	return rc;
}

int
db_postgres_open(struct db **out, const struct config *config, const struct db_env *env, struct error *err)
{
	return open_db(out, config, env, false, config->auto_migrate, err);
}

int
db_postgres_open_to_look(struct db **out, const struct config *config, const struct db_env *env, struct error *err)
{
	return open_db(out, config, env, false, false, err);
}

int
db_postgres_open_events(struct db **out, const struct config *config, const struct db_env *env, struct error *err)
{
	return open_db(out, config, env, true, false, err);
}
