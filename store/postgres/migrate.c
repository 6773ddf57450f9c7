/*
 * The loop around migrations. The SQL files themselves lock and check whether they were applied before, so that psql
 * may run them as well as hooksd.
 */
#include "store/postgres/migrate.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/migration.h"
#include "store/postgres/sqlstate.h"

#define READ_SECONDS 10
#define APPLY_SECONDS 60

int
migrate_target(void)
{
	return postgres_migrations[postgres_migrations_count - 1].version;
}

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

/* *version is 0 when there is no schema. */
static int
read_version(struct pg *pg, int *version, struct error *err)
{
	int exists;

	*version = 0;
	if (read_number(pg, "SELECT count(to_regclass('hooks_schema_migrations'))", &exists, err) < 0)
		return -1;
	if (!exists)
		return 0;
	if (read_number(pg, "SELECT coalesce(max(version), 0) FROM hooks_schema_migrations", version, err) < 0)
		return -1;
	if (*version == 0) /* each migration writes its row in its own transaction */
		return error_set(err, "the table hooks_schema_migrations shows no version to this role: is row-level "
				      "security enabled on it?");
	return 0;
}

static int
refuse_newer(int version, struct error *err)
{
	return error_set(err,
	    "the database schema is at version %d, this program knows versions up to %d: install the newer one",
	    version, migrate_target());
}

/* Applies one, or finds that another process has just applied it. */
static int
apply(struct pg *pg, const struct migration *migration, int *applied, struct error *err)
{
	struct error cause;
	int version;

	int rc = pg_exec(pg, migration->sql, pg_deadline(APPLY_SECONDS), NULL, &cause);
	if (rc == 0) {
		log_info("schema migrated", LOG_INT("version", migration->version), LOG_STR("name", migration->name));
		++*applied;
		return 0;
	}

	bool forbidden = rc == PG_REFUSED && sqlstate_is(pg_sqlstate(pg), SQLSTATE_INSUFFICIENT_PRIVILEGE);
	if (rc == PG_REFUSED && pg_exec(pg, "ROLLBACK", pg_deadline(READ_SECONDS), NULL, err) == 0) {
		if (read_version(pg, &version, err) < 0)
			return -1;
		if (version >= migration->version)
			return 0;
	}
	return error_set(err, "migration %d (%s) failed: %s%s", migration->version, migration->name, cause.text,
	    forbidden ? ": run `hooksctl migrate` as the owner of the tables" : "");
}

int
migrate_apply(struct pg *pg, int *applied, struct error *err)
{
	int version;

	*applied = 0;
	if (read_version(pg, &version, err) < 0)
		return -1;
	if (version > migrate_target())
		return refuse_newer(version, err);
	for (int i = version; i < postgres_migrations_count; i++)
		if (apply(pg, &postgres_migrations[i], applied, err) < 0)
			return -1;
	return 0;
}

int
migrate_database(const char *url, int *applied, struct error *err)
{
	struct pg *pg = NULL;
	int rc = pg_open(&pg, url, err);

	if (rc == 0)
		rc = migrate_apply(pg, applied, err);
	pg_close(pg);
	return rc;
}

int
migrate_check(struct pg *pg, struct error *err)
{
	int version;

	if (read_version(pg, &version, err) < 0)
		return -1;
	if (version > migrate_target())
		return refuse_newer(version, err);
	if (version < migrate_target())
		return error_set(err,
		    "the database schema is at version %d, this program needs %d: run `hooksctl migrate`, or start "
		    "hooksd with "
		    "AUTO_MIGRATE=true",
		    version, migrate_target());
	return 0;
}
