/* Whose file stands at a path: another program's file is refused before a byte of it changes. */
#ifndef STORE_SQLITE_SQLITE_IDENTITY_H
#define STORE_SQLITE_SQLITE_IDENTITY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "store/migration.h"

/* A database of hooksd. */
struct sqlite_kind {
	const char *option; /* that names its file */
	const struct migration_set *migrations; /* its tables; by their table of versions it is known */
	bool local; /* refused on a network file system */
	mode_t mode; /* of a new file */
	const char *settings; /* statements for each connection, before the first table is made */
};

/* SQLITE_PATH and HL_DATA_PATH. */
extern const struct sqlite_kind sqlite_events, sqlite_webhooks;

/*
 * Looks at the file at path without changing it or anything beside it. Returns <0 when it can be no database of that
 * kind: on a network file system, no regular file, no SQLite database, or one that has tables but not the kind's. 0
 * otherwise, also when there is no file or this process cannot read it: opening the database will say so.
 *
 * Only while this process has no connection to the file: it closes a descriptor of it, and with that the kernel gives
 * up all locks that this process has on it.
 */
int sqlite_identity_check(const struct sqlite_kind *kind, const char *path, struct error *err);

/*
 * Opens the database at path to read it, and makes no file beside it. Where there is no write-ahead log nobody writes,
 * and SQLite reads the file alone. Returns SQLite's code; *db is to be closed in any case.
 */
int sqlite_open_unchanged(const char *path, sqlite3 **db);

/*
 * As sqlite_identity_check(), for an open database, which may have tables that stand only in its write-ahead log. 0;
 * <0: it belongs to another application; >0: SQLite's error code, and *err is not set.
 */
int sqlite_identity_of(const struct sqlite_kind *kind, sqlite3 *db, const char *path, struct error *err);

#endif
