/* A record as a row of hook_events in SQLite: the one place here that knows the columns. */
#ifndef STORE_SQLITE_SQLITE_ROW_H
#define STORE_SQLITE_SQLITE_ROW_H

#include <sqlite3.h>

#include "event/record.h"

/*
 * Inserts the row bound by sqlite_row_bind(). An existing row with the same key stays as it is; a unique key that
 * somebody added can refuse the row.
 */
extern const char sqlite_row_sql[];

/* Binds all values of the record, which is borrowed until the next call. Returns SQLite's result code. */
int sqlite_row_bind(sqlite3_stmt *insert, const struct record *record);

#endif
