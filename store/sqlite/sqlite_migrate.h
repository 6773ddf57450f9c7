/* The version of the schema in an SQLite database, and bringing it to the one this program was built for. */
#ifndef STORE_SQLITE_SQLITE_MIGRATE_H
#define STORE_SQLITE_SQLITE_MIGRATE_H

#include "base/error.h"
#include "store/sqlite/sqlite_session.h"

/*
 * Brings the schema of an open session's kind to this program's version if migrate, and else only checks it; *applied
 * counts the migrations that this call has applied. Before sqlite_session_begin_log(): then the database file itself
 * has the tables, by which it is known. 0, or <0 with a sentence that says what to do.
 */
int sqlite_migrate_schema(struct sqlite_session *session, bool migrate, int *applied, struct error *err);

/*
 * Opens the database of a closed session, making it if there is none, and brings the schema of its kind to this
 * program's version if migrate, and else only checks it. 0: it is open and writes by its log; *applied counts the
 * migrations that this call has applied. <0: it is closed, and *err says why, a database that is newer than this
 * program included.
 */
int sqlite_migrate_open(struct sqlite_session *session, bool migrate, int *applied, struct error *err);

/* Does this with the database at that path, and closes it. 0 or <0. */
int sqlite_migrate_file(
    const struct sqlite_kind *kind, const char *path, uint32_t wait_ms, int *applied, struct error *err);

#endif
