/*
 * A writer's session with PostgreSQL, and the settings that its statements need whatever the server, the database or
 * the role are set to: commits that are on disk when they are answered, statements that the server ends by itself.
 *
 * A session of the writer's own is told once. A pooler may give each transaction another session, so behind one each
 * transaction begins with its settings; that takes a tenth of the CPU of small COPYs.
 */
#ifndef STORE_POSTGRES_PG_SESSION_H
#define STORE_POSTGRES_PG_SESSION_H

#include <stdbool.h>

#include "base/error.h"
#include "store/postgres/pg.h"
#include "store/postgres/deadline.h"

#define SESSION_SETTINGS_MAX 384

struct session {
	struct pg *pg; /* NULL: not open */
	struct deadline *deadline; /* borrowed */
	bool citus; /* the database has the extension */
	bool pooled;
	char settings
	    [SESSION_SETTINGS_MAX]; /* statements before the first of a transaction; "" where the session has them */
	struct error warned; /* what the log knows of the server's settings; "": nothing */
};

/* Not open. deadline is borrowed. */
void session_init(struct session *session, struct deadline *deadline);

/* Connects; what is open is closed first. 0 or <0. Its pg is for any statement then, the others below come later. */
int session_open(struct session *session, const char *url, struct error *err);
void session_close(struct session *session);

/* Takes up the settings. Once after session_open(), when the schema is there. 0, or <0: it cannot be used. */
int session_prepare(struct session *session, struct error *err);

/*
 * Looks at what a DBA may have changed since: takes over another synchronous_commit, and logs a warning, once, where
 * PostgreSQL may lose what it has committed. 0, or <0: it cannot be used, hook_events is missing perhaps.
 */
int session_look(struct session *session, struct error *err);

/* As pg_exec_params(), with the session's settings and deadline. */
int session_exec_params(
    struct session *session, const struct pg_statement *statement, PGresult **result, struct error *err);

#endif
