/*
 * Why the last call for a connection (store/db.h) did not return 0, as far as callers act by it. db_rollback() is no
 * such call; the next one changes what these functions return.
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
 * After <0: whether PostgreSQL has ended the statement because it took too long. The store is there then, and may do
 * another one in time.
 */
bool db_timed_out(const struct db *db);

/*
 * After db_load() has returned DB_REFUSED: whether nobody knows why. A node of a distributed PostgreSQL has refused a
 * row, or had no room for it, and only that was passed on. db_insert() of the same rows, in another transaction, tells.
 */
bool db_unexplained(const struct db *db);

/* After DB_REFUSED: the SQLSTATE, five characters; "" when there is none: SQLite has those of checks alone. */
const char *db_sqlstate(const struct db *db);

#endif
