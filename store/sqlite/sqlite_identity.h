/* Whose file stands at SQLITE_PATH: another program's file is refused before a byte of it changes. */
#ifndef STORE_SQLITE_SQLITE_IDENTITY_H
#define STORE_SQLITE_SQLITE_IDENTITY_H

#include <sqlite3.h>

#include "base/error.h"

/*
 * Looks at the file at path without changing it or anything beside it. Returns <0 when it can be no database of hooksd:
 * no regular file, no SQLite database, or one that has tables but not hooksd's. 0 otherwise, also when there is no file
 * or this process cannot read it: opening the database will say so.
 *
 * Only while this process has no connection to the file: it closes a descriptor of it, and with that the kernel gives
 * up all locks that this process has on it.
 */
int sqlite_identity_check(const char *path, struct error *err);

/*
 * The same for an open database, which may have tables that stand only in its write-ahead log. 0; <0: it belongs to
 * another application; >0: SQLite's error code, and *err is not set.
 */
int sqlite_identity_of(sqlite3 *db, const char *path, struct error *err);

#endif
