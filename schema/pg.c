/*
 * libpq in its nonblocking mode: every call sends, then waits in poll(2) for at most what is left of its deadline.
 *
 * Connecting is the exception: it uses libpq's blocking call with connect_timeout, because only that one goes on to
 * the next host of a list when a host does not answer (the nonblocking one leaves time to the application, which
 * cannot tell it to go on).
 */
#include "schema/pg.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "schema/pg_url.h"

/* The longest wait between two calls of the function given to pg_on_wait(). */
#define ASK_US 250000

struct pg {
	PGconn *conn;
	char sqlstate[6];
	struct error message; /* that came with it */
	int64_t (*until)(void *context); /* NULL: nobody wants to be asked */
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
	return pg->sqlstate;
}

const char *
pg_message(const struct pg *pg)
{
	return pg->message.text;
}

uint64_t
pg_rows_affected(PGresult *result)
{
	return strtoull(PQcmdTuples(result), NULL, 10);
}

/* Copies text, several lines perhaps, into one: cut at the end of a character where it is too long. */
static void
one_line(struct error *err, const char *text)
{
	const char *gap = "";
	size_t used = 0;

	while (*text != '\0') {
		size_t len = utf8_length(text, strlen(text));

		if (len == 0) {
			text++;
		} else if ((unsigned char)*text <= ' ') {
			if (used > 0 && *gap != ';')
				gap = *text == '\n' ? "; " : " ";
			text++;
		} else {
			if (used + strlen(gap) + len >= sizeof err->text)
				break;
			used = (size_t)(stpcpy(err->text + used, gap) - err->text);
			memcpy(err->text + used, text, len);
			used += len;
			text += len;
			gap = "";
		}
	}
	err->text[used] = '\0';
}

/* Sets *err to what libpq says about the connection. Returns <0. */
static int
connection_lost(const struct pg *pg, struct error *err)
{
	const char *text = PQerrorMessage(pg->conn);

	one_line(err, text[0] != '\0' ? text : "the connection to PostgreSQL is closed");
	return -1;
}

/* Sets sqlstate, message and *err to what an error result says. */
static void
describe(struct pg *pg, const PGresult *result, struct error *err)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	struct error text;

	(void)snprintf(pg->sqlstate, sizeof pg->sqlstate, "%s", sqlstate != NULL ? sqlstate : "");
	if (primary == NULL) { /* made by libpq, not by the server */
		one_line(err, PQresultErrorMessage(result));
		pg->message = *err;
		return;
	}
	/* The detail of class 23, a constraint violated, is the row itself, which belongs in no log. */
	if (detail != NULL && strncmp(pg->sqlstate, "23", 2) == 0)
		detail = NULL;
	(void)error_set(&text, "%s%s%s", primary, detail != NULL ? ": " : "", detail != NULL ? detail : "");
	one_line(&pg->message, text.text);
	(void)error_set(&text, "%s (SQLSTATE %s)%s%s", primary, pg->sqlstate, detail != NULL ? ": " : "",
	    detail != NULL ? detail : "");
	one_line(err, text.text);
}

static void
log_notice(void *arg, const char *message)
{
	struct error line;

	one_line(&line, message);
	log_debug("PostgreSQL says", LOG_STR("notice", line.text));
}

/* libpq's own words about a string that it cannot read quote it, password and all, so they are not passed on. */
static int
check_url(const char *url, struct error *err)
{
	PQconninfoOption *options;

	if (pg_url_check(url, err) != 0)
		return -1;
	options = PQconninfoParse(url, NULL);
	if (options == NULL)
		return error_set(err, "DATABASE_URL cannot be read: it should look like "
				      "postgresql://user:password@host:5432/database");
	PQconninfoFree(options);
	return 0;
}

int
pg_open(struct pg **out, const char *url, struct error *err)
{
	/* A later word wins: url may set the first two, never the last. */
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
	(void)PQsetNoticeProcessor(pg->conn, log_notice, NULL);
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
		/* A server whose answer nobody reads would stop reading too. */
		if (!PQconsumeInput(pg->conn))
			return connection_lost(pg, err);
	}
	return pending < 0 ? connection_lost(pg, err) : 0;
}

static bool
is_error(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
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
	PGresult *kept = NULL, *result;
	int rc = flush(pg, deadline_us, err);

	while (rc == 0) {
		rc = next_result(pg, deadline_us, &result, err);
		if (rc < 0 || result == NULL)
			break;
		if (kept != NULL && is_error(kept)) {
			/* libpq ran out of memory, and has not told the server, which waits for rows. */
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
	if (rc >= 0 && PQstatus(pg->conn) != CONNECTION_OK)
		rc = rc == 0 ? connection_lost(pg, err) : -1;
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
pg_exec_params(struct pg *pg, const char *sql, const struct pg_param *params, size_t count, int64_t deadline_us,
    PGresult **result, struct error *err)
{
	const char *values[PG_PARAMS_MAX];
	int lengths[PG_PARAMS_MAX], formats[PG_PARAMS_MAX];

	assert(count <= PG_PARAMS_MAX);
	for (size_t i = 0; i < count; i++) {
		assert(params[i].len <= INT_MAX);
		values[i] = params[i].bytes;
		lengths[i] = (int)params[i].len;
		formats[i] = 1;
	}
	if (!PQsendQueryParams(pg->conn, sql, (int)count, NULL, values, lengths, formats, 0))
		return connection_lost(pg, err);
	return finish(pg, deadline_us, result, err);
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
	/* Nonblocking libpq would buffer without bound; the flush is what makes it wait for the server. */
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
 * PgBouncer hands out cancel keys of its own, so that the process that greeted us is none of the server's. Others pass the
 * server's on; but the server sees the pooler's end of a connection then, not ours.
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

	/* What comes to an idle connection is the server's farewell, and then the end of the stream. */
	while (pfd.fd >= 0 && poll(&pfd, 1, 0) > 0) {
		if (!PQconsumeInput(pg->conn))
			return connection_lost(pg, err);
	}
	return PQstatus(pg->conn) == CONNECTION_OK ? 0 : connection_lost(pg, err);
}

int
pg_socket(const struct pg *pg)
{
	return PQsocket(pg->conn);
}
