/*
 * Statements of store/db.h on an SQLite connection: their parameters and rows. The functions return SQLite's code,
 * SQLITE_OK when all went well, and make *rows, also when they fail.
 */
#ifndef STORE_SQLITE_DB_STATEMENTS_H
#define STORE_SQLITE_DB_STATEMENTS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/db_ops.h"

#define DB_KEPT_STATEMENTS 32

/* Statements that are used again and again, prepared. All zero: none yet. */
struct db_kept {
	struct {
		const void *key; /* the struct db_table or struct db_each */
		sqlite3_stmt *statement;
	} at[DB_KEPT_STATEMENTS];
	uint32_t next; /* whose place a new one takes */
};

/* Adds the functions that statements of store/db.h use; hl_now() gives *now_ms, which is borrowed. */
int db_statements_add_functions(sqlite3 *db, const int64_t *now_ms);

/* Before the connection is closed. */
void db_kept_finalize(struct db_kept *kept);

/* Runs a statement once. writes: it may; otherwise it must only read, which is asserted. */
int db_statements_run(sqlite3 *db, const struct db_call *call, bool writes, struct db_rows **rows);

/* Adds rows to a table. */
int db_statements_load(sqlite3 *db, struct db_kept *kept, const struct db_table *table, const struct db_values *values);

/* Runs a statement once a row of values. */
int db_statements_each(sqlite3 *db, struct db_kept *kept, const struct db_each *each, const struct db_values *values,
    struct db_rows **rows);

#endif
