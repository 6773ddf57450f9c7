/*
 * Brings a schema in a database to the version that this program was built for.
 *
 * A migration is one of schema/postgres/NNN_name.sql or schema/webhooks/postgres/NNN_name.sql, embedded at build time
 * (store/migration.h). Each is one transaction that takes an advisory lock, stops when it has been applied before, and
 * records itself in its set's table: any number of replicas, and psql, may run it at the same time, also through
 * PgBouncer in transaction mode. A process that dies in the middle leaves neither a lock nor a part of a migration.
 */
#ifndef STORE_POSTGRES_MIGRATE_H
#define STORE_POSTGRES_MIGRATE_H

#include <stdbool.h>

#include "base/error.h"
#include "store/migration.h"
#include "store/postgres/pg.h"

/*
 * Applies the set's missing migrations and adds their number to *applied. 0: the database is at the target. <0: it is
 * not, for instance because it is newer than this program, and *err says why; only pg_close() may be called then. Takes
 * up to a minute per migration.
 */
int migrate_apply(struct pg *pg, const struct migration_set *set, int *applied, struct error *err);

/* *version: that of the set's schema in the database; 0: there is none. 0 or <0. */
int migrate_read_version(struct pg *pg, const struct migration_set *set, int *version, struct error *err);

/* 0 when the database is at the set's target, else <0 with a sentence that says what to do. Changes nothing. */
int migrate_check(struct pg *pg, const struct migration_set *set, struct error *err);

/*
 * A database for webhooks has two sets: first the hook events', which makes months, then the webhooks' own. With apply
 * as migrate_apply() for both, else as migrate_check() for both.
 */
int migrate_webhooks(struct pg *pg, bool apply, int *applied, struct error *err);

#endif
