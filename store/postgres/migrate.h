/*
 * Brings the schema in a database to the version that this program was built for.
 *
 * A migration is one of schema/postgres/NNN_name.sql, embedded at build time (store/migration.h). Each is one
 * transaction that takes an advisory lock, stops when it has been applied before, and records itself in
 * hooks_schema_migrations: any number of replicas, and psql, may run it at the same time.
 */
#ifndef STORE_POSTGRES_MIGRATE_H
#define STORE_POSTGRES_MIGRATE_H

#include "base/error.h"
#include "store/postgres/pg.h"

/* The version this program needs. */
int migrate_target(void);

/*
 * Applies the missing migrations and counts them in *applied. 0: the database is at the target. <0: it is not, for
 * instance because it is newer than this program, and *err says why; only pg_close() may be called then. Takes up to a
 * minute per migration.
 */
int migrate_apply(struct pg *pg, int *applied, struct error *err);

/* Connects and applies what is missing, as migrate_apply(). */
int migrate_database(const char *url, int *applied, struct error *err);

/* 0 when the database is at the target, else <0 with a sentence that says what to do. Changes nothing. */
int migrate_check(struct pg *pg, struct error *err);

#endif
