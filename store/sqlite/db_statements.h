/*
 * Runs statements of store/db.h on an SQLite connection. The functions return SQLite's code, SQLITE_OK for success, and
 * make *rows, also when they fail.
 */
#ifndef STORE_SQLITE_DB_STATEMENTS_H
#define STORE_SQLITE_DB_STATEMENTS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/db_ops.h"

#define DB_KEPT_STATEMENTS 32

/* Prepared statements, kept for reuse. All zero: none yet. */
struct db_kept {
	struct {
		const void *key; /* the struct db_table or struct db_each */
		sqlite3_stmt *statement;
	} at[DB_KEPT_STATEMENTS];
	uint32_t next; /* the next one to be replaced */
};

/* Adds the functions that statements of store/db.h use; hl_now() returns *now_ms, which is borrowed. */
int db_statements_add_functions(sqlite3 *db, const int64_t *now_ms);

/* Call it before closing the connection. */
void db_kept_finalize(struct db_kept *kept);

/* Runs a statement once. writes: it may write; otherwise it must only read, which is asserted. */
int db_statements_run(sqlite3 *db, const struct db_call *call, bool writes, struct db_rows **rows);

/* Adds rows to a table. */
int db_statements_load(sqlite3 *db, struct db_kept *kept, const struct db_table *table, const struct db_values *values);

/* Runs a statement once for each row of values. */
int db_statements_each(sqlite3 *db, struct db_kept *kept, const struct db_each *each, const struct db_values *values,
    struct db_rows **rows);

#endif
