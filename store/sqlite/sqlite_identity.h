/* Checks whose file is at a path: another program's file is refused before a byte of it changes. */
#ifndef STORE_SQLITE_SQLITE_IDENTITY_H
#define STORE_SQLITE_SQLITE_IDENTITY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "store/migration.h"

/* A database of hooksd. */
struct sqlite_kind {
	const char *option; /* the option that names its file */
	const struct migration_set *migrations; /* its migrations; their table of versions identifies it */
	bool local; /* refused on a network file system */
	mode_t mode; /* of a new file */
	const char *settings; /* statements for each connection, before the first table is made */
};

/* SQLITE_PATH and HL_DATA_PATH. */
extern const struct sqlite_kind sqlite_events, sqlite_webhooks;

/*
 * Checks the file at path without changing it or anything beside it. Returns <0 if it cannot be a database of that
 * kind: it is on a network file system, no regular file, no SQLite database, or has tables but not the kind's. Returns
 * 0 otherwise, also if there is no file or it cannot be read: opening the database reports that.
 *
 * Call it only while this process has no connection to the file: it closes a descriptor of the file, which makes the
 * kernel drop all locks that this process has on it.
 */
int sqlite_identity_check(const struct sqlite_kind *kind, const char *path, struct error *err);

/*
 * Opens the database at path for reading, and makes no file beside it. Without a write-ahead log nobody writes, and
 * SQLite reads only this file. Returns SQLite's code; close *db in any case.
 */
int sqlite_open_unchanged(const char *path, sqlite3 **db);

/*
 * As sqlite_identity_check(), for an open database, whose tables may still be only in its write-ahead log. 0; <0: it
 * belongs to another application; >0: SQLite's error code, and *err is not set.
 */
int sqlite_identity_of(const struct sqlite_kind *kind, sqlite3 *db, const char *path, struct error *err);

#endif
