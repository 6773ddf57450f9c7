/* The session's own settings, and those of the server that decide whether a commit is durable. */
#include "store/postgres/pg_session.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/*
 * The server ends a statement just before the writer gives it up. Otherwise each attempt at a locked table would
 * leave a backend waiting, until there is no connection left. statement_timeout does not end a backend that waits for
 * COPY data: when the writer's machine or the network is gone, keepalives end that one in half a minute instead of
 * two hours, and release its locks on these keys.
 */
#define LIMITS(set)                                                                                                    \
	set " statement_timeout = %" PRIu32 "; " set " tcp_keepalives_idle = 10; " set                                 \
	    " tcp_keepalives_interval = 5; " set " tcp_keepalives_count = 4; "

/*
 * Sets synchronous_commit for the session to the present value of the server, the database and the role, or to on
 * instead of off. A value set by the session survives a reload of the server's configuration, so off cannot come back
 * unnoticed. The server does not report changes of this setting, and asking before each COPY would cost a statement: a
 * DBA's change to another value takes effect at the next session_check().
 */
#define KEEP_DURABLE_SQL                                                                                               \
	"SET synchronous_commit TO DEFAULT; SELECT set_config('synchronous_commit', "                                  \
	"coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), false); "

/* A crash empties an UNLOGGED table. Reads the catalogs only: a VACUUM FULL may lock a partition for hours. */
#define CHECK_SQL                                                                                                      \
	"SELECT concat_ws(', ', CASE current_setting('fsync') WHEN 'off' THEN 'fsync=off' END, "                       \
	"(SELECT string_agg(relname || ' is UNLOGGED', ', ' ORDER BY relname) FROM pg_class "                          \
	"WHERE relpersistence = 'u' AND oid IN (SELECT inhrelid FROM pg_inherits "                                     \
	"WHERE inhparent = 'hook_events'::regclass UNION ALL VALUES ('hook_events'::regclass), "                       \
	"(to_regclass('hook_events_dead_letters'))))), EXISTS (SELECT FROM pg_extension WHERE extname = 'citus'), "    \
	"coalesce(has_table_privilege(to_regclass('hook_event_log'), 'INSERT'), false)"

/* Clients of streams miss what is stored without the log once it could be written (control/stream_log.c). */
#define LOG_LOOK_US (INT64_C(5) * 1000000)

void
session_init(struct session *session, struct deadline *deadline)
{
	*session = (struct session){.deadline = deadline, .log_look_us = INT64_MAX};
}

void
session_close(struct session *session)
{
	pg_close(session->pg);
	session->pg = NULL;
}

int
session_open(struct session *session, const char *url, struct error *err)
{
	session_close(session);
	int rc = pg_open(&session->pg, url, err);
	if (rc == 0)
		deadline_watch(session->deadline, session->pg);
	return rc;
}

/* 0, PG_REFUSED or <0. */
static int
run(struct session *session, const char *sql, PGresult **result, struct error *err)
{
	int rc = pg_exec(session->pg, sql, deadline_begin(session->deadline), result, err);

	if (rc < 0)
		(void)deadline_expired(session->deadline, err);
	return rc;
}

int
session_prepare(struct session *session, struct error *err)
{
	uint32_t limit_ms = deadline_server_ms(session->deadline);
	char sql[sizeof LIMITS("SET") + 16];
	int len;

	session->settings[0] = '\0';
	if (pg_pooled(session->pg, deadline_begin(session->deadline), &session->pooled, err) != 0)
		return -1;
	if (session->pooled) {
		len = snprintf(
		    session->settings, sizeof session->settings, PG_TEMPORARY_LAST_SQL LIMITS("SET LOCAL"), limit_ms);
		assert(len < (int)sizeof session->settings);
	} else {
		(void)snprintf(sql, sizeof sql, LIMITS("SET"), limit_ms);
		if (run(session, sql, NULL, err) != 0)
			return -1;
	}
	return session_check(session, err);
}

/* Citus takes neither a second statement beside COPY nor one that stores into two tables. */
static void
find_log(struct session *session, bool may_insert)
{
	bool logs = session->wants_log && may_insert && !session->citus;

	if (session->wants_log && !logs && !session->warned_of_log)
		log_warning("hook events are stored without the log that /events/stream reads",
		    LOG_STR("reason",
			session->citus ? "the database has Citus" : "this role may not insert into hook_event_log"));
	session->warned_of_log = session->wants_log && !logs;
	session->logs = logs;
	session->log_look_us = session->warned_of_log ? clock_steady_us() + LOG_LOOK_US : INT64_MAX;
}

bool
session_misses_log(const struct session *session)
{
	return clock_steady_us() >= session->log_look_us;
}

int
session_check(struct session *session, struct error *err)
{
	PGresult *result;
	int rc = run(session, session->pooled ? CHECK_SQL : KEEP_DURABLE_SQL CHECK_SQL, &result, err);

	if (rc != 0)
		return -1;
	const char *warning = PQgetvalue(result, 0, 0);
	if (warning[0] != '\0' && strcmp(warning, session->warned.text) != 0)
		log_warning("PostgreSQL may lose what it has committed when it crashes", LOG_STR("reason", warning));
	(void)error_set(&session->warned, "%s", warning);
	session->citus = PQgetvalue(result, 0, 1)[0] == 't';
	find_log(session, PQgetvalue(result, 0, 2)[0] == 't');
	PQclear(result);
	return 0;
}

int
session_exec_params(struct session *session, const struct pg_statement *statement, PGresult **result, struct error *err)
{
	int64_t deadline_us = deadline_begin(session->deadline);
	struct pg_statement with_settings = *statement;

	if (!session->pooled)
		return pg_exec_params(session->pg, statement, deadline_us, result, err);
	with_settings.settings = session->settings;
	return pg_exec_durably(session->pg, &with_settings, deadline_us, result, err);
}
