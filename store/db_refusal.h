/*
 * Why the last call for a connection (store/db.h) did not return 0, as far as callers need it. The next call other than
 * db_rollback() changes these results.
 */
#ifndef STORE_DB_REFUSAL_H
#define STORE_DB_REFUSAL_H

#include <stdbool.h>

struct db;

/* After DB_REFUSED: whether it was a unique key. */
bool db_conflict(const struct db *db);

/* After DB_REFUSED: whether PostgreSQL has no partition for the row, and no default one. */
bool db_lacks_partition(const struct db *db);

/*
 * After <0: whether PostgreSQL ended the statement because it took too long. The store is available then, and may run
 * another statement in time.
 */
bool db_timed_out(const struct db *db);

/*
 * After db_load() has returned DB_REFUSED: whether the reason is unknown. A node of a distributed PostgreSQL has
 * refused a row, or had no room for it, and did not pass on the reason. db_insert() of the same rows in another
 * transaction returns the reason.
 */
bool db_unexplained(const struct db *db);

/* After DB_REFUSED: the SQLSTATE, five characters; "": none. SQLite has only those of checks. */
const char *db_sqlstate(const struct db *db);

#endif
