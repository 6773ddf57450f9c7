/*
 * A connection to the webhooks' store, PostgreSQL or SQLite, made by db_open() (store/webhooks_store.h). For one
 * thread.
 *
 * Nothing keeps state in a session, so PgBouncer in transaction mode works as well as a server. The next db_begin() or
 * reading statement replaces a lost connection. Functions return:
 *
 *   0           done;
 *   DB_REFUSED  the store has refused the statement for its content: a constraint, a value; store/db_refusal.h has the
 *               reason. *err is the store's message, for the log and not for a client;
 *   DB_BUSY     a conflict with another session (a deadlock, a serialization failure, a time-out of a lock): the same
 *               transaction may succeed at once. *err is the conflict;
 *   <0          the store is unavailable, read-only, full, or did not answer in time: not now. Whether the last
 *               statement took effect matters only for db_commit(): without a commit nothing lasts.
 *
 * After any result but 0 in a transaction call db_rollback() and nothing else. Passwords and values of parameters
 * appear neither in *err nor in the log.
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
 * Sets the deadline (steady) of the following statements, including waits for locks and for the write turn. Without it
 * each statement has config->store_timeout_ms, which is also the most that a deadline allows.
 */
void db_set_deadline(struct db *db, int64_t steady_us);

/*
 * Gives the following statements STORE_TIMEOUT_MS from now together, until db_set_deadline(db, INT64_MAX). A
 * transaction that begins and is committed in that time ends within two STORE_TIMEOUT_MS of its hl_now(), because the
 * server ends a COMMIT by itself (but not one that waits for synchronous standbys). Ascending lists rely on that
 * (control/listing.h): every transaction that adds rows to such a list is limited in this way or by publish_check.h.
 */
void db_share_timeout(struct db *db);

/*
 * late: from now on SQLite lets others see a transaction, and write, before it is on the disk, so that they do not wait
 * for the disk. db_commit() still returns when it is. For transactions that a power cut may take back although others
 * have seen them. PostgreSQL commits as always: its sessions do not wait for each other.
 */
void db_sync_late(struct db *db, bool late);

/* Begins a transaction that writes: BEGIN, or the write turn and BEGIN IMMEDIATE. 0, DB_BUSY or <0. */
int db_begin(struct db *db, struct error *err);

/*
 * Begins a read-only transaction, which blocks no writer: in SQLite it takes no turn. db_rollback() ends it. 0 or <0.
 */
int db_begin_to_read(struct db *db, struct error *err);

/*
 * Commits, durably whatever the server's synchronous_commit says. 0; DB_REFUSED or DB_BUSY: nothing of the transaction
 * holds; <0: in doubt.
 */
int db_commit(struct db *db, struct error *err);

/* Rolls the transaction back. May be called without a transaction, or if the connection is gone. */
void db_rollback(struct db *db);

/*
 * Ends the transaction: commits if rc is 0, and rolls back otherwise or if the commit fails. Returns rc, or the result
 * of db_commit().
 */
int db_end(struct db *db, int rc, struct error *err);

/*
 * Runs a statement with count parameters in the open transaction. Without one it is a transaction of its own, which
 * must only read because it may be run again. rows NULL: no rows are wanted; otherwise on 0 release *rows by
 * db_rows_free().
 */
int db_query(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count,
    struct db_rows **rows, struct error *err); /* six: the result and the error are the tree's last two everywhere */

/* As db_query(), but returns only whether there are rows. *any is set on 0. */
int db_finds(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count,
    bool *any, struct error *err); /* six: as db_query() */

/*
 * Adds many rows to a table: by COPY, or a prepared INSERT. values: the columns of the first row, then of the second,
 * and so on, in the columns' types; a number out of its type's range is refused. In a transaction. As db_query().
 */
int db_load(
    struct db *db, const struct db_table *table, const struct db_param *values, uint32_t rows, struct error *err);

/*
 * As db_load(), but by an INSERT: for few rows, or rows that a distributed PostgreSQL has refused without a reason
 * (db_unexplained()), because it gives the reason for an INSERT.
 */
int db_insert(
    struct db *db, const struct db_table *table, const struct db_param *values, uint32_t rows, struct error *err);

/* One of the two. */
typedef int db_adds(
    struct db *db, const struct db_table *table, const struct db_param *values, uint32_t rows, struct error *err);

/*
 * Runs a statement for many rows of values, which are as for db_load(). In a transaction. PostgreSQL runs it once, with
 * one array for each parameter. SQLite runs it for each row, in order. No two rows of values may concern the same row
 * of a table. result NULL: no rows are wanted; otherwise on 0 *result has the rows of RETURNING for all of them, in any
 * order; release it by db_rows_free(). As db_query(); after DB_REFUSED the refused row is not known.
 */
int db_each(struct db *db, const struct db_each *each, const struct db_param *values, uint32_t rows,
    struct db_rows **result, struct error *err); /* six: as db_query() */

/*
 * Runs a statement that checks the transaction's assumptions, and commits. PostgreSQL gets both in one message, so no
 * time passes between them here. If the check fails, the statement raises an error in PostgreSQL, and returns a row
 * with its SQLSTATE in SQLite. As db_commit(); DB_REFUSED: db_sqlstate() says which check failed, or that a constraint
 * refused the commit. The check's text uses '$' only for parameters.
 */
int db_check_and_commit(
    struct db *db, const struct db_statement *check, const struct db_param *params, size_t count, struct error *err);

/*
 * After db_each() has returned 0, until the next call: the number of rows that it has added, changed or removed in all;
 * for a WITH, by its last part.
 */
uint64_t db_changed(const struct db *db);

/*
 * Whether Citus distributes the tables over its nodes, as of the last connection. A transaction then becomes visible on
 * one node a little earlier than on another.
 */
bool db_distributed(const struct db *db);

#endif
