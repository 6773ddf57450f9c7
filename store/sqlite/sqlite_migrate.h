/* The version of the schema in an SQLite database, and bringing it to the one this program was built for. */
#ifndef STORE_SQLITE_SQLITE_MIGRATE_H
#define STORE_SQLITE_SQLITE_MIGRATE_H

#include "base/error.h"
#include "store/sqlite/sqlite_session.h"

/* The version this program needs. */
int sqlite_migrate_target(void);

/*
 * Applies what is missing; *applied counts what this call did. 0: the database is at the target. <0: it is not, and *err
 * says why, a database that is newer than this program included. For a session that is being opened.
 */
int sqlite_migrate_apply(struct sqlite_session *session, int *applied, struct error *err);

/* Opens the database at that path, or makes it, applies what is missing, and closes it. 0 or <0 as above. */
int sqlite_migrate_file(const char *path, uint32_t wait_ms, int *applied, struct error *err);

/* 0 when the database is at the target, else <0 with a sentence that says what to do. Changes nothing. */
int sqlite_migrate_check(struct sqlite_session *session, struct error *err);

#endif
