/* Checks the schema's version in an SQLite database, or migrates it to this program's version. */
#ifndef STORE_SQLITE_SQLITE_MIGRATE_H
#define STORE_SQLITE_SQLITE_MIGRATE_H

#include "base/error.h"
#include "store/sqlite/sqlite_session.h"

/* The version of the schema in an open session's database; 0: there is none. 0 or <0. */
int sqlite_migrate_read_version(struct sqlite_session *session, int *version, struct error *err);

/*
 * migrate: brings the schema of an open session's kind to this program's version; otherwise only checks it. *applied:
 * the number of migrations applied by this call. Call it before sqlite_session_begin_log(), so that the database file
 * itself has the tables that identify it. 0, or <0 with a sentence that says what to do.
 */
int sqlite_migrate_schema(struct sqlite_session *session, bool migrate, int *applied, struct error *err);

/*
 * Opens the database of a closed session, or makes it. migrate: brings its schema to this program's version; otherwise
 * only checks it. 0: it is open and uses its log; *applied: the number of migrations applied by this call. <0: it is
 * closed, and *err says why, for instance because it is newer than this program.
 */
int sqlite_migrate_open(struct sqlite_session *session, bool migrate, int *applied, struct error *err);

/* Opens and migrates the database at that path, and closes it. 0 or <0. */
int sqlite_migrate_file(
    const struct sqlite_kind *kind, const char *path, uint32_t wait_ms, int *applied, struct error *err);

#endif
