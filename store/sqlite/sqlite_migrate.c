/*
 * Each file is one transaction that fails if it was applied before, so the sqlite3 program may run it as well as
 * hooksd. The first one runs before the database has a write-ahead log: so the database file itself has the tables by
 * which sqlite_identity_check() recognises it.
 */
#include "store/sqlite/sqlite_migrate.h"

#include <stdio.h>

#include "base/log.h"

int
sqlite_migrate_read_version(struct sqlite_session *session, int *version, struct error *err)
{
	const char *table = session->kind->migrations->table;
	char queries[2][128];

	(void)snprintf(queries[0], sizeof queries[0], "SELECT 1 FROM sqlite_schema WHERE name = '%s'", table);
	(void)snprintf(queries[1], sizeof queries[1], "SELECT max(version) FROM %s", table);
	*version = 1;
	for (int i = 0; i < 2 && *version > 0; i++) {
		sqlite3_stmt *statement;
		int code = sqlite3_prepare_v2(session->db, queries[i], -1, &statement, NULL);

		*version = 0;
		if (code == SQLITE_OK) {
			if (sqlite3_step(statement) == SQLITE_ROW)
				*version = sqlite3_column_int(statement, 0);
			code = sqlite3_finalize(statement);
		}
		if (code != SQLITE_OK)
			return sqlite_session_failed(session, code, err);
	}
	return 0;
}

static int
check_schema(struct sqlite_session *session, struct error *err)
{
	int version;

	return sqlite_migrate_read_version(session, &version, err) != 0
		   ? -1
		   : migration_check_version(session->kind->migrations, version, err);
}

/* Applies a migration, or finds that another process has just applied it. */
static int
apply(struct sqlite_session *session, const struct migration *migration, int *applied, struct error *err)
{
	struct error cause;
	int version;

	if (sqlite_session_exec(session, migration->sql, &cause) == 0) {
		log_info("schema migrated", LOG_STR("schema", session->kind->migrations->schema),
		    LOG_INT("version", migration->version), LOG_STR("name", migration->name));
		++*applied;
		return 0;
	}
	if (!sqlite3_get_autocommit(session->db) && sqlite_session_exec(session, "ROLLBACK", err) != 0)
		return -1;
	if (sqlite_migrate_read_version(session, &version, err) != 0)
		return -1;
	if (version >= migration->version)
		return 0;
	return error_set(err, "migration %d (%s) failed: %s", migration->version, migration->name, cause.text);
}

static int
apply_missing(struct sqlite_session *session, int *applied, struct error *err)
{
	const struct migration_set *set = session->kind->migrations;
	int version;

	if (sqlite_migrate_read_version(session, &version, err) != 0)
		return -1;
	if (version > set->target)
		return migration_check_version(set, version, err);
	for (int i = version; i < set->target; i++)
		if (apply(session, &set->migrations[i], applied, err) != 0)
			return -1;
	return 0;
}

int
sqlite_migrate_schema(struct sqlite_session *session, bool migrate, int *applied, struct error *err)
{
	*applied = 0;
	return migrate ? apply_missing(session, applied, err) : check_schema(session, err);
}

int
sqlite_migrate_open(struct sqlite_session *session, bool migrate, int *applied, struct error *err)
{
	*applied = 0;
	if (sqlite_session_connect(session, err) != 0)
		return -1;
	int rc = sqlite_migrate_schema(session, migrate, applied, err);
	if (rc == 0)
		rc = sqlite_session_begin_log(session, err);
	if (rc != 0)
		sqlite_session_close(session);
	return rc;
}

int
sqlite_migrate_file(const struct sqlite_kind *kind, const char *path, uint32_t wait_ms, int *applied, struct error *err)
{
	const struct sink_env env = {0};
	struct sqlite_session session;

	sqlite_session_init(&session, kind, path, &env);
	session.wait_ms = wait_ms;
	int rc = sqlite_migrate_open(&session, true, applied, err);
	sqlite_session_close(&session);
	return rc;
}
