/*
 * libpq in its nonblocking mode: every call sends, then waits in poll(2) for at most what is left of its deadline.
 *
 * Connecting is the exception: it uses libpq's blocking call with connect_timeout, because only that one goes on to
 * the next host of a list when a host does not answer. The nonblocking one leaves time-outs to the application, which
 * cannot tell it to go on.
 */
#include "store/postgres/pg.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/postgres/pg_message.h"
#include "store/postgres/pg_url.h"
#include "store/postgres/sqlstate.h"

/* The longest wait between two calls of the function given to pg_on_wait(). */
#define ASK_US 250000

struct pg {
	PGconn *conn;
	struct pg_refusal refusal; /* the last PG_REFUSED */
	struct pg_refusal farewell; /* why the server ended the session; SQLSTATE "": no reason received */
	struct error farewell_text;
	int64_t (*until)(void *context); /* NULL: none was given */
	void *until_context;
};

int64_t
pg_deadline(unsigned seconds)
{
	return clock_steady_us() + (int64_t)seconds * 1000000;
}

const char *
pg_sqlstate(const struct pg *pg)
{
	return pg->refusal.sqlstate;
}

const struct pg_refusal *
pg_refusal(const struct pg *pg)
{
	return &pg->refusal;
}

const char *
pg_tls(const struct pg *pg)
{
	return PQsslInUse(pg->conn) ? PQsslAttribute(pg->conn, "protocol") : NULL;
}

uint64_t
pg_rows_affected(PGresult *result)
{
	return strtoull(PQcmdTuples(result), NULL, 10);
}

static bool
ends_the_session(const PGresult *result)
{
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (severity == NULL) /* PgBouncer's errors have only PG_DIAG_SEVERITY */
		severity = PQresultErrorField(result, PG_DIAG_SEVERITY);
	return severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

/* Sets refusal and *err from an error result. */
static void
describe(struct pg *pg, const PGresult *result, struct error *err)
{
	pg_message_read(result, &pg->refusal, err);
	if (ends_the_session(result)) {
		pg->farewell = pg->refusal;
		pg->farewell_text = *err;
	}
}

static bool
is_error(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
}

/* Reads what came before the end of the stream: perhaps the reason for it. Does not wait. */
static void
read_last_words(struct pg *pg)
{
	struct error ignored;
	PGresult *result;

	(void)PQputCopyEnd(pg->conn, NULL); /* before this libpq reads only notices during a COPY */
	while (!PQisBusy(pg->conn) && (result = PQgetResult(pg->conn)) != NULL) {
		if (is_error(result))
			describe(pg, result, &ignored);
		PQclear(result);
	}
}

/* Sets *err to why there is no connection: the server's last words, else libpq's. Returns <0. */
static int
connection_lost(struct pg *pg, struct error *err)
{
	struct error own;

	pg_message_line(&own, PQerrorMessage(pg->conn));
	read_last_words(pg);
	if (pg->farewell.sqlstate[0] != '\0')
		*err = pg->farewell_text;
	else if (own.text[0] != '\0')
		*err = own;
	else
		return error_set(err, "the connection to PostgreSQL is closed");
	return -1;
}

/*
 * libpq also passes a message to an idle connection here: why the server is about to close it. A server that stops at
 * once, or after another session's crash, sends a warning (57P...), also while a statement runs.
 */
static void
on_notice(void *arg, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	struct pg *pg = arg;
	struct error line;

	if (ends_the_session(result) || (sqlstate != NULL && sqlstate_is(sqlstate, SQLSTATE_SHUTDOWNS))) {
		pg_message_read(result, &pg->farewell, &pg->farewell_text);
		return;
	}
	pg_message_line(&line, PQresultErrorMessage(result));
	log_debug("PostgreSQL says", LOG_STR("notice", line.text));
}

/* libpq's message about a string that it cannot parse quotes it with the password, so it is not passed on. */
static int
check_url(const char *url, struct error *err)
{
	PQconninfoOption *options;

	if (pg_url_check("the URL of the database", url, err) != 0)
		return -1;
	options = PQconninfoParse(url, NULL);
	if (options == NULL)
		return error_set(err, "the URL of the database cannot be read: it should look like "
				      "postgresql://user:password@host:5432/database");
	PQconninfoFree(options);
	return 0;
}

/*
 * In another encoding jsonb refuses escapes of characters that the encoding lacks, and texts differ from what the
 * client sent. Every server reports its encoding at the start of a connection.
 */
static int
check_encoding(const struct pg *pg, struct error *err)
{
	const char *encoding = PQparameterStatus(pg->conn, "server_encoding");

	if (encoding == NULL || strcmp(encoding, "UTF8") == 0)
		return 0;
	return error_set(err,
	    "the database %s has the encoding %s and must have UTF8: make another one with CREATE DATABASE ... "
	    "ENCODING 'UTF8' TEMPLATE template0",
	    PQdb(pg->conn), encoding);
}

static bool
reports_on(const struct pg *pg, const char *setting)
{
	const char *value = PQparameterStatus(pg->conn, setting);

	return value != NULL && strcmp(value, "on") == 0;
}

bool
pg_is_read_only(const struct pg *pg)
{
	return reports_on(pg, "default_transaction_read_only") || reports_on(pg, "in_hot_standby");
}

int
pg_open(struct pg **out, const char *url, struct error *err)
{
	/* A later keyword wins: url may override the first two, but not the last. */
	const char *const keywords[] = {
	    "connect_timeout", "fallback_application_name", "dbname", "client_encoding", NULL};
	const char *const values[] = {"5", "hooksd", url, "UTF8", NULL};

	if (check_url(url, err) < 0)
		return -1;

	struct pg *pg = mem_new(1, sizeof *pg);
	pg->conn = PQconnectdbParams(keywords, values, 1);
	if (PQstatus(pg->conn) != CONNECTION_OK || PQsetnonblocking(pg->conn, 1) != 0) {
		(void)connection_lost(pg, err);
		pg_close(pg);
		return -1;
	}
	(void)PQsetNoticeReceiver(pg->conn, on_notice, pg);
	if (check_encoding(pg, err) < 0) {
		pg_close(pg);
		return -1;
	}
	*out = pg;
	return 0;
}

void
pg_close(struct pg *pg)
{
	if (pg == NULL)
		return;
	PQfinish(pg->conn);
	free(pg);
}

void
pg_on_wait(struct pg *pg, int64_t (*until)(void *context), void *context)
{
	pg->until = until;
	pg->until_context = context;
}

/* Waits until the socket is ready for one of events. 0 or <0. */
static int
wait_socket(struct pg *pg, short events, int64_t deadline_us, struct error *err)
{
	for (;;) {
		struct pollfd pfd = {.fd = PQsocket(pg->conn), .events = events};
		int64_t until_us = pg->until != NULL ? pg->until(pg->until_context) : INT64_MAX;
		int64_t left_us = (until_us < deadline_us ? until_us : deadline_us) - clock_steady_us();

		if (pfd.fd < 0)
			return connection_lost(pg, err);
		if (left_us <= 0)
			return error_set(err, "PostgreSQL does not answer in time");
		if (pg->until != NULL && left_us > ASK_US)
			left_us = ASK_US;

		int64_t left_ms = left_us / 1000 + 1;
		int ready = poll(&pfd, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX);
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return error_errno(err, "poll on the connection to PostgreSQL");
	}
}

/* Hands everything libpq holds to the kernel. 0 or <0. */
static int
flush(struct pg *pg, int64_t deadline_us, struct error *err)
{
	int pending;

	while ((pending = PQflush(pg->conn)) > 0) {
		if (wait_socket(pg, POLLIN | POLLOUT, deadline_us, err) < 0)
			return -1;
		/* A server whose answer is not read stops reading. */
		if (!PQconsumeInput(pg->conn))
			return connection_lost(pg, err);
	}
	return pending < 0 ? connection_lost(pg, err) : 0;
}

/* The next result (NULL: no more), waiting for it. 0 or <0. */
static int
next_result(struct pg *pg, int64_t deadline_us, PGresult **result, struct error *err)
{
	while (PQisBusy(pg->conn)) {
		if (wait_socket(pg, POLLIN, deadline_us, err) < 0)
			return -1;
		if (!PQconsumeInput(pg->conn))
			return connection_lost(pg, err);
	}
	*result = PQgetResult(pg->conn);
	return 0;
}

/*
 * Sends what is pending and waits for the statement to end, or for the server to ask for COPY data. Of several
 * results the first error counts, else the last. The result goes to *out if out is not NULL.
 */
static int
finish(struct pg *pg, int64_t deadline_us, PGresult **out, struct error *err)
{
	PGresult *kept = NULL, *result = NULL;
	int rc = flush(pg, deadline_us, err);

	while (rc == 0) {
		rc = next_result(pg, deadline_us, &result, err);
		if (rc < 0 || result == NULL)
			break;
		if (kept != NULL && is_error(kept)) {
			/* libpq ran out of memory without informing the server, which waits for rows. */
			bool copying = PQresultStatus(result) == PGRES_COPY_IN;

			PQclear(result);
			if (!copying)
				continue;
			rc = -1;
			break;
		}
		PQclear(kept);
		kept = result;
		if (PQresultStatus(kept) == PGRES_COPY_IN)
			break;
	}

	if (kept != NULL && is_error(kept)) {
		/* "terminating connection due to administrator command" says more than the closed socket after it. */
		describe(pg, kept, err);
		if (rc == 0)
			rc = PG_REFUSED;
	}
	if (rc >= 0 && PQstatus(pg->conn) != CONNECTION_OK) {
		if (rc == 0 || pg->farewell.sqlstate[0] != '\0')
			(void)connection_lost(pg, err);
		rc = -1;
	}
	if (rc == 0 && out != NULL)
		*out = kept;
	else
		PQclear(kept);
	return rc;
}

int
pg_exec(struct pg *pg, const char *sql, int64_t deadline_us, PGresult **result, struct error *err)
{
	if (!PQsendQuery(pg->conn, sql))
		return connection_lost(pg, err);
	return finish(pg, deadline_us, result, err);
}

int
pg_exec_params(
    struct pg *pg, const struct pg_statement *statement, int64_t deadline_us, PGresult **result, struct error *err)
{
	const char *values[PG_PARAMS_MAX];
	int lengths[PG_PARAMS_MAX], formats[PG_PARAMS_MAX];

	if (statement->texts != NULL) {
		if (!PQsendQueryParams(
			pg->conn, statement->sql, (int)statement->count, NULL, statement->texts, NULL, NULL, 0))
			return connection_lost(pg, err);
		return finish(pg, deadline_us, result, err);
	}
	assert(statement->count <= PG_PARAMS_MAX);
	for (size_t i = 0; i < statement->count; i++) {
		assert(statement->params[i].len <= INT_MAX);
		values[i] = statement->params[i].bytes;
		lengths[i] = (int)statement->params[i].len;
		formats[i] = 1;
	}
	if (!PQsendQueryParams(pg->conn, statement->sql, (int)statement->count, NULL, values, lengths, formats, 0))
		return connection_lost(pg, err);
	return finish(pg, deadline_us, result, err);
}

int
pg_exec_durably(
    struct pg *pg, const struct pg_statement *statement, int64_t deadline_us, PGresult **result, struct error *err)
{
	const char *settings = statement->settings != NULL ? statement->settings : "";
	PGresult *kept = NULL;
	struct error ignored;
	char begin[512];

	int len = snprintf(begin, sizeof begin, "BEGIN; " PG_DURABLE_SQL "%s", settings);
	assert(len < (int)sizeof begin);
	int rc = pg_exec(pg, begin, deadline_us, NULL, err);
	if (rc == 0)
		rc = pg_exec_params(pg, statement, deadline_us, &kept, err);
	if (rc == 0)
		rc = pg_exec(pg, "COMMIT", deadline_us, NULL, err);
	if (rc == PG_REFUSED && pg_exec(pg, "ROLLBACK", deadline_us, NULL, &ignored) != 0)
		rc = -1;
	if (rc == 0 && result != NULL)
		*result = kept;
	else
		PQclear(kept);
	return rc;
}

int
pg_copy_begin(struct pg *pg, const char *sql, int64_t deadline_us, struct error *err)
{
	PGresult *result;
	int rc = pg_exec(pg, sql, deadline_us, &result, err);

	if (rc != 0)
		return rc;
	assert(PQresultStatus(result) == PGRES_COPY_IN);
	PQclear(result);
	return 0;
}

int
pg_copy_send(struct pg *pg, const void *bytes, size_t len, int64_t deadline_us, struct error *err)
{
	assert(len <= INT_MAX);
	/* Nonblocking libpq would buffer without bound: the flush makes this call wait for the server. */
	if (PQputCopyData(pg->conn, bytes, (int)len) != 1)
		return connection_lost(pg, err);
	return flush(pg, deadline_us, err);
}

int
pg_copy_end(struct pg *pg, int64_t deadline_us, uint64_t *rows, struct error *err)
{
	PGresult *result;

	if (PQputCopyEnd(pg->conn, NULL) != 1)
		return connection_lost(pg, err);

	int rc = finish(pg, deadline_us, &result, err);
	if (rc != 0)
		return rc;
	*rows = pg_rows_affected(result);
	PQclear(result);
	return 0;
}

/* The port of this end of the connection, or 0 where there are none. */
static int
local_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage storage;
	} address = {0};
	socklen_t len = sizeof address;

	if (getsockname(fd, &address.any, &len) != 0)
		return 0;
	return address.any.sa_family == AF_INET    ? ntohs(address.in.sin_port)
	       : address.any.sa_family == AF_INET6 ? ntohs(address.in6.sin6_port)
						   : 0;
}

/*
 * PgBouncer makes its own cancel keys, so libpq has a wrong pid of the server process. Other poolers pass the server's
 * keys on, but then the server sees the pooler's port, not ours.
 */
int
pg_pooled(struct pg *pg, int64_t deadline_us, bool *pooled, struct error *err)
{
	PGresult *result;
	int rc = pg_exec(pg, "SELECT pg_backend_pid(), coalesce(inet_client_port(), 0)", deadline_us, &result, err);

	if (rc != 0)
		return rc;
	*pooled = atoi(PQgetvalue(result, 0, 0)) != PQbackendPID(pg->conn) ||
		  atoi(PQgetvalue(result, 0, 1)) != local_port(PQsocket(pg->conn));
	PQclear(result);
	return 0;
}

int
pg_check(struct pg *pg, struct error *err)
{
	struct pollfd pfd = {.fd = PQsocket(pg->conn), .events = POLLIN};

	/* An idle connection receives only the reason for its end, and then the end of the stream. */
	while (pfd.fd >= 0 && poll(&pfd, 1, 0) > 0) {
		if (!PQconsumeInput(pg->conn))
			return connection_lost(pg, err);
	}
	return PQstatus(pg->conn) == CONNECTION_OK ? 0 : connection_lost(pg, err);
}

bool
pg_idle_closed(const struct pg *pg)
{
	return sqlstate_is(pg->farewell.sqlstate, SQLSTATE_IDLE_SESSION_TIMEOUT) ||
	       strstr(pg->farewell.message.text, "client_idle_timeout") != NULL;
}

int
pg_socket(const struct pg *pg)
{
	return PQsocket(pg->conn);
}
