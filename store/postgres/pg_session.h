/*
 * A writer's session with PostgreSQL. Its statements need their own settings, whatever the server, the database or the
 * role have: commits that are on disk when they are answered, and time-outs by which the server ends statements.
 *
 * A session of the writer's own is set once. A pooler may give each transaction another session, so there each
 * transaction begins with the settings, which takes a tenth of the CPU of small COPYs.
 */
#ifndef STORE_POSTGRES_PG_SESSION_H
#define STORE_POSTGRES_PG_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/postgres/pg.h"
#include "store/postgres/deadline.h"

#define SESSION_SETTINGS_MAX 384

struct session {
	struct pg *pg; /* NULL: not open */
	struct deadline *deadline; /* borrowed */
	bool citus; /* the database has the extension */
	bool wants_log; /* set by the owner, after session_init(): batches shall be in hook_event_log */
	bool logs; /* they can be, as session_check() has found */
	bool warned_of_log; /* a warning says that they cannot */
	int64_t log_look_us; /* steady: when to look again whether they can; INT64_MAX: they can, or shall not */
	bool pooled;
	char settings[SESSION_SETTINGS_MAX]; /* statements that begin a transaction; "": the session has the settings */
	struct error warned; /* the last warning about the server's settings; "": none */
};

/* Not open. deadline is borrowed. */
void session_init(struct session *session, struct deadline *deadline);

/*
 * Connects, after closing an open connection. 0: session->pg can be used; call session_prepare() before the other
 * functions. Or <0.
 */
int session_open(struct session *session, const char *url, struct error *err);
void session_close(struct session *session);

/*
 * Applies the settings. Call it once after session_open(), when the schema exists. 0, or <0: the session cannot be
 * used.
 */
int session_prepare(struct session *session, struct error *err);

/*
 * Checks for changes by a DBA: applies a new synchronous_commit, and logs a warning, once, if PostgreSQL may lose
 * committed data. 0, or <0: the session cannot be used; perhaps hook_events is missing.
 */
int session_check(struct session *session, struct error *err);

/*
 * Whether to call session_check() before the next batch: batches are stored without the log that they should be in, and
 * some seconds ago it could not be written.
 */
bool session_misses_log(const struct session *session);

/* As pg_exec_params(), with the session's settings and deadline. */
int session_exec_params(
    struct session *session, const struct pg_statement *statement, PGresult **result, struct error *err);

#endif
