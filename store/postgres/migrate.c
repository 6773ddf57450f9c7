/*
 * The loop around migrations. The SQL files themselves lock and check whether they were applied before, so that psql
 * may run them as well as hooksd.
 */
#include "store/postgres/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/postgres/sqlstate.h"

#define READ_SECONDS 10
#define APPLY_SECONDS 60

/* One number from the first row and column of sql's result. */
static int
read_number(struct pg *pg, const char *sql, int *number, struct error *err)
{
	struct error cause;
	PGresult *result;

	if (pg_exec(pg, sql, pg_deadline(READ_SECONDS), &result, &cause) != 0)
		return error_set(err, "the schema's version cannot be read: %s", cause.text);
	*number = atoi(PQgetvalue(result, 0, 0));
	PQclear(result);
	return 0;
}

int
migrate_read_version(struct pg *pg, const struct migration_set *set, int *version, struct error *err)
{
	char sql[128];
	int exists;

	*version = 0;
	(void)snprintf(sql, sizeof sql, "SELECT count(to_regclass('%s'))", set->table);
	if (read_number(pg, sql, &exists, err) < 0)
		return -1;
	if (!exists)
		return 0;
	(void)snprintf(sql, sizeof sql, "SELECT coalesce(max(version), 0) FROM %s", set->table);
	if (read_number(pg, sql, version, err) < 0)
		return -1;
	if (*version == 0) /* each migration writes its row in its own transaction */
		return error_set(err,
		    "the table %s shows no version to this role: is row-level security enabled on it?", set->table);
	return 0;
}

/* Applies a migration, or finds that another process has just applied it. */
static int
apply(struct pg *pg, const struct migration_set *set, int number, int *applied, struct error *err)
{
	const struct migration *migration = &set->migrations[number];
	struct error cause;
	int version;

	int rc = pg_exec(pg, migration->sql, pg_deadline(APPLY_SECONDS), NULL, &cause);
	if (rc == 0) {
		log_info("schema migrated", LOG_STR("schema", set->schema), LOG_INT("version", migration->version),
		    LOG_STR("name", migration->name));
		++*applied;
		return 0;
	}

	bool forbidden = rc == PG_REFUSED && sqlstate_is(pg_sqlstate(pg), SQLSTATE_INSUFFICIENT_PRIVILEGE);
	if (rc == PG_REFUSED && pg_exec(pg, "ROLLBACK", pg_deadline(READ_SECONDS), NULL, err) == 0) {
		if (migrate_read_version(pg, set, &version, err) < 0)
			return -1;
		if (version >= migration->version)
			return 0;
	}
	return error_set(err, "migration %d (%s) failed: %s%s", migration->version, migration->name, cause.text,
	    forbidden ? ": run `hooksctl migrate` as the owner of the tables" : "");
}

int
migrate_apply(struct pg *pg, const struct migration_set *set, int *applied, struct error *err)
{
	int version;

	if (migrate_read_version(pg, set, &version, err) < 0)
		return -1;
	if (version > set->target)
		return migration_check_version(set, version, err);
	for (int i = version; i < set->target; i++)
		if (apply(pg, set, i, applied, err) < 0)
			return -1;
	return 0;
}

int
migrate_check(struct pg *pg, const struct migration_set *set, struct error *err)
{
	int version;

	return migrate_read_version(pg, set, &version, err) < 0 ? -1 : migration_check_version(set, version, err);
}

int
migrate_webhooks(struct pg *pg, bool apply_missing, int *applied, struct error *err)
{
	static const struct migration_set *const sets[] = {&postgres_migrations, &webhooks_postgres_migrations};
	int rc = 0;

	for (int i = 0; i < 2 && rc == 0; i++)
		rc = apply_missing ? migrate_apply(pg, sets[i], applied, err) : migrate_check(pg, sets[i], err);
	return rc;
}
