/*
 * A connection to the webhooks' store, PostgreSQL or SQLite, which db_open() (store/webhooks_store.h) has made. For one
 * thread.
 *
 * Nothing keeps state in a session, so PgBouncer in transaction mode works as well as a server. A connection that was
 * lost is made again by the next db_begin() or reading statement. Functions return:
 *
 *   0           done;
 *   DB_REFUSED  the store has refused the statement for what it says: a constraint, a value; store/db_refusal.h tells
 *               which. *err is the store's message, for the log and not for a client;
 *   DB_BUSY     another session was in the way (a deadlock, a serialization failure, a lock that was waited for): the
 *               same transaction may succeed at once. *err says so;
 *   <0          the store is away, is read-only, has no room, or did not answer in time: not now. Whether the last
 *               statement took effect matters for db_commit() only, because no other one lasts.
 *
 * After any result but 0 in a transaction the caller calls db_rollback() and nothing else. Passwords and values of
 * parameters appear neither in *err nor in the log.
 *
 * The texts of a statement agree for both databases by three functions that exist in both: hl_ms(time) is a time in
 * milliseconds since 1970, hl_time(ms) the reverse, hl_now() the time at which the transaction began. UUIDs are texts
 * of 36 characters in lower case on both sides.
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db_env.h"
#include "store/db_rows.h"
#include "store/db_statement.h"

enum db_condition { DB_REFUSED = 1, DB_BUSY = 2 };

struct db;

/* Rolls back an open transaction. Never waits for a server. NULL is allowed. */
void db_close(struct db *db);

/*
 * The instant of the steady clock by which the statements that follow, waits for locks and for the write turn included,
 * have ended. Without it each has config->store_timeout_ms, which no instant exceeds.
 */
void db_set_deadline(struct db *db, int64_t steady_us);

/*
 * The statements that follow have STORE_TIMEOUT_MS from now together, until db_set_deadline(db, INT64_MAX). A
 * transaction that begins and is committed in between is over two STORE_TIMEOUT_MS after its hl_now(), because the
 * server ends a COMMIT by itself (but not one that waits for synchronous standbys). Ascending lists rest on that
 * (control/listing.h): transactions that add rows of such a list are limited in this way, or by publish_check.h.
 */
void db_share_timeout(struct db *db);

/* Begins a transaction that writes: BEGIN, or the write turn and BEGIN IMMEDIATE. 0, DB_BUSY or <0. */
int db_begin(struct db *db, struct error *err);

/*
 * Begins a transaction that only reads, and keeps nobody from writing: in SQLite it takes no turn. db_rollback() ends
 * it. 0 or <0.
 */
int db_begin_to_read(struct db *db, struct error *err);

/*
 * Commits, durably whatever the server's synchronous_commit says. 0; DB_REFUSED or DB_BUSY: nothing of the transaction
 * holds; <0: in doubt.
 */
int db_commit(struct db *db, struct error *err);

/* Ends the transaction without a trace. Also fine when there is none, or when the connection is gone. */
void db_rollback(struct db *db);

/*
 * Ends the transaction by what was done in it: commits when rc is 0, rolls back otherwise and when the commit failed.
 * Returns rc, or what db_commit() returned.
 */
int db_end(struct db *db, int rc, struct error *err);

/*
 * Runs a statement with count parameters: in the transaction that db_begin() began, else as a transaction of its own,
 * which must only read since it may be run again. rows NULL: no rows are wanted; else on 0 *rows are to be released by
 * db_rows_free().
 */
int db_query(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count,
    struct db_rows **rows, struct error *err); /* six: the result and the error are the tree's last two everywhere */

/* As db_query(), of which only this is wanted: whether there are rows. *any is set on 0. */
int db_finds(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count,
    bool *any, struct error *err); /* six: as db_query() */

/*
 * Adds rows to a table, many at once: COPY, or a prepared INSERT. values: of the first row the columns' values, then of
 * the second, ... They are of the columns' types; a number that its type does not hold is refused. In a transaction.
 * As db_query().
 */
int db_load(
    struct db *db, const struct db_table *table, const struct db_param *values, uint32_t rows, struct error *err);

/*
 * As db_load(), of rows that a distributed PostgreSQL has refused without a reason (db_unexplained()), or that are few:
 * by an INSERT, for which it has one. Otherwise the same.
 */
int db_insert(
    struct db *db, const struct db_table *table, const struct db_param *values, uint32_t rows, struct error *err);

/* One of the two. */
typedef int db_adds(
    struct db *db, const struct db_table *table, const struct db_param *values, uint32_t rows, struct error *err);

/*
 * Runs a statement for many rows of values, which are as those of db_load(). In a transaction. PostgreSQL gets it
 * once, with one array for each parameter. SQLite runs it for each row, in their order. No two rows of values may be
 * about the same row of a table. result NULL: no rows are wanted; else on 0 *result has the rows that RETURNING gave
 * for all of them, in any order; release it by db_rows_free(). As db_query(); after DB_REFUSED it is not known which
 * row was refused.
 */
int db_each(struct db *db, const struct db_each *each, const struct db_param *values, uint32_t rows,
    struct db_rows **result, struct error *err); /* six: as db_query() */

/*
 * Runs a statement that checks what the transaction rests on, and commits, in one message to PostgreSQL, so that no
 * time passes between them here. When the check fails the statement raises an error in PostgreSQL, and returns a row
 * with its SQLSTATE in SQLite. As db_commit(); DB_REFUSED: db_sqlstate() says which check failed, or that a constraint
 * refused the commit.
 * The check's text has no '$' but for parameters.
 */
int db_check_and_commit(
    struct db *db, const struct db_statement *check, const struct db_param *params, size_t count, struct error *err);

/*
 * After db_each() has returned 0, until the next call: how many rows its statement has added, changed or removed for
 * all rows of values; of a WITH those of its last part.
 */
uint64_t db_changed(const struct db *db);

/*
 * Whether the tables are distributed over the nodes of Citus. Then a transaction is seen on one node a little earlier
 * than on another. As the last connection found it.
 */
bool db_distributed(const struct db *db);

#endif
