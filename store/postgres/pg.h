/*
 * A PostgreSQL connection (libpq) whose calls all end in bounded time, also when the server hangs in the middle of an
 * answer or the network drops packets.
 *
 * Nothing here keeps state in a session (no SET, no prepared statements), so PgBouncer in transaction mode works as
 * well as a server. A caller that wants a SET to last calls pg_pooled() first. Deadlines are instants of
 * clock_steady_us(). The functions return:
 *
 *   0            done;
 *   PG_REFUSED   the server answered with an error: *err is its message, pg_sqlstate() its code. The connection can be
 *                used further (inside an explicit transaction: for ROLLBACK);
 *   <0           the connection is gone or hangs; only pg_close() may be called. Whether the last statement took effect
 *                is unknown.
 *
 * Passwords appear neither in *err nor in the log. For one thread.
 */
#ifndef STORE_POSTGRES_PG_H
#define STORE_POSTGRES_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/error.h"
#include "store/postgres/sqlstate.h"

enum pg_condition { PG_REFUSED = 1 };

struct pg;

/* A parameter in PostgreSQL's binary format. */
struct pg_param {
	const void *bytes;
	size_t len; /* up to INT_MAX */
};

#define PG_PARAMS_MAX 32

/* One statement with parameters $1..$count, whose types it implies. Borrowed for the call. */
struct pg_statement {
	const char *sql;
	const struct pg_param *params;
	size_t count; /* of params up to PG_PARAMS_MAX */
	const char *settings; /* for pg_exec_durably(): see there; NULL: none */
	const char *const *texts; /* not NULL: the parameters as text, NULL for null, in the place of params */
};

/*
 * Connects, to a database in UTF-8 only. url is a postgresql:// URI or a connection string of libpq, which reads
 * hosts, their order, TLS and so on from it. 0 with *pg to be released by pg_close(), or <0. Each address gets 5
 * seconds unless url says connect_timeout; looking up a host name takes as long as the system's resolver does.
 */
int pg_open(struct pg **pg, const char *url, struct error *err);

/*
 * Makes later calls ask until(context) before they wait for the server, and several times a second while they wait. If
 * the returned time is earlier than their deadline it becomes the deadline. So until() can send heartbeats and end a
 * wait.
 */
void pg_on_wait(struct pg *pg, int64_t (*until)(void *context), void *context);

/* Never waits. NULL is allowed. */
void pg_close(struct pg *pg);

/*
 * Runs sql, one statement or several separated by semicolons (one transaction unless it says BEGIN). On 0 *result,
 * unless result is NULL, is the last statement's; release it with PQclear().
 */
int pg_exec(struct pg *pg, const char *sql, int64_t deadline_us, PGresult **result, struct error *err);

/* The same for one statement with parameters; its settings are ignored. */
int pg_exec_params(
    struct pg *pg, const struct pg_statement *statement, int64_t deadline_us, PGresult **result, struct error *err);

/*
 * If synchronous_commit is off, a commit is answered before it is on disk. After this statement the transaction waits
 * for the disk, and for the standbys that the server is configured to wait for. Other values stay as a DBA has set
 * them.
 */
#define PG_DURABLE_SQL                                                                                                 \
	"SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'; "

/*
 * For a pooler's session, until the transaction ends: another client may have left a temporary table with the name of
 * one of ours, which would be found first.
 */
#define PG_TEMPORARY_LAST_SQL                                                                                          \
	"SELECT set_config('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), 'pg_temp'), "    \
	"true); "

/*
 * As pg_exec_params(), in a transaction of its own that is durable in that sense. The transaction begins with the
 * statement's settings: statements that end with a semicolon, up to 384 bytes in all.
 */
int pg_exec_durably(
    struct pg *pg, const struct pg_statement *statement, int64_t deadline_us, PGresult **result, struct error *err);

/*
 * COPY ... FROM STDIN: pg_copy_begin() with the statement, pg_copy_send() any number of times (each returns when the
 * bytes, at most INT_MAX, have gone to the kernel; 0 or <0), pg_copy_end(). pg_copy_end() returns the server's
 * refusal of a row. On 0 *rows is the count of rows that the server reports.
 */
int pg_copy_begin(struct pg *pg, const char *sql, int64_t deadline_us, struct error *err);
int pg_copy_send(struct pg *pg, const void *bytes, size_t len, int64_t deadline_us, struct error *err);
int pg_copy_end(struct pg *pg, int64_t deadline_us, uint64_t *rows, struct error *err);

/*
 * Whether a pooler between this process and the server, such as PgBouncer, may give each transaction another session.
 * *pooled is false if the server process is the one that accepted the connection and sees our port at its other end; so
 * it is also true behind NAT. 0, PG_REFUSED or <0.
 */
int pg_pooled(struct pg *pg, int64_t deadline_us, bool *pooled, struct error *err);

/*
 * Whether the server has reported on this connection that it is read-only: an operator has set
 * default_transaction_read_only, or it is a standby. A server reports a change with its next answer; a pooler may not
 * pass it on. Does not wait.
 */
bool pg_is_read_only(const struct pg *pg);

/* 0: an idle connection is open, as far as this side knows; <0: not. Does not wait or ask the server. */
int pg_check(struct pg *pg, struct error *err);

/*
 * After <0: whether the server or PgBouncer ended the connection because it was idle for too long
 * (idle_session_timeout, client_idle_timeout). A new connection is enough then.
 */
bool pg_idle_closed(const struct pg *pg);

/* The socket of an idle connection: when it is readable, call pg_check(). */
int pg_socket(const struct pg *pg);

/* The SQLSTATE (5 characters) of the last PG_REFUSED. Valid until the next call. */
const char *pg_sqlstate(const struct pg *pg);

/* The server's error of the last PG_REFUSED. Valid until the next call. */
const struct pg_refusal *pg_refusal(const struct pg *pg);

/* The version of TLS that the connection uses: "TLSv1.3". NULL: it is not encrypted. */
const char *pg_tls(const struct pg *pg);

/* Rows that the result's statement inserted, updated, deleted or copied. */
uint64_t pg_rows_affected(PGresult *result);

/* The deadline that many seconds from now. */
int64_t pg_deadline(unsigned seconds);

#endif
