/*
 * Each file is one transaction that fails when it has been applied before, so that the sqlite3 program is no different
 * from hooksd. The first one runs before the database has a write-ahead log: afterwards the database file itself has
 * the tables, by which sqlite_identity_check() knows it.
 */
#include "store/sqlite/sqlite_migrate.h"

#include "base/log.h"
#include "store/migration.h"

int
sqlite_migrate_target(void)
{
	return sqlite_migrations[sqlite_migrations_count - 1].version;
}

/* *version is 0 when there is no schema. */
static int
read_version(struct sqlite_session *session, int *version, struct error *err)
{
	static const char table[] = "SELECT 1 FROM sqlite_schema WHERE name = 'hooks_schema_migrations'";
	static const char newest[] = "SELECT max(version) FROM hooks_schema_migrations";
	const char *queries[] = {table, newest};

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
check_version(int version, struct error *err)
{
	int target = sqlite_migrate_target();

	if (version > target)
		return error_set(err,
		    "the database schema is at version %d, this program knows versions up to %d: install the newer one",
		    version, target);
	if (version < target)
		return error_set(err,
		    "the database schema is at version %d, this program needs %d: run `hooksctl migrate`, or start "
		    "hooksd with AUTO_MIGRATE=true",
		    version, target);
	return 0;
}

static int
check_schema(struct sqlite_session *session, struct error *err)
{
	int version;

	return read_version(session, &version, err) != 0 ? -1 : check_version(version, err);
}

/* Applies one, or finds that another process just did. */
static int
apply(struct sqlite_session *session, const struct migration *migration, int *applied, struct error *err)
{
	struct error cause;
	int version;

	if (sqlite_session_exec(session, migration->sql, &cause) == 0) {
		log_info("schema migrated", LOG_INT("version", migration->version), LOG_STR("name", migration->name));
		++*applied;
		return 0;
	}
	if (!sqlite3_get_autocommit(session->db) && sqlite_session_exec(session, "ROLLBACK", err) != 0)
		return -1;
	if (read_version(session, &version, err) != 0)
		return -1;
	if (version >= migration->version)
		return 0;
	return error_set(err, "migration %d (%s) failed: %s", migration->version, migration->name, cause.text);
}

static int
migrate_schema(struct sqlite_session *session, int *applied, struct error *err)
{
	int version;

	if (read_version(session, &version, err) != 0)
		return -1;
	if (version > sqlite_migrate_target())
		return check_version(version, err);
	for (int i = version; i < sqlite_migrations_count; i++)
		if (apply(session, &sqlite_migrations[i], applied, err) != 0)
			return -1;
	return 0;
}

int
sqlite_migrate_open(struct sqlite_session *session, bool migrate, int *applied, struct error *err)
{
	*applied = 0;
	if (sqlite_session_connect(session, err) != 0)
		return -1;
	int rc = migrate ? migrate_schema(session, applied, err) : check_schema(session, err);
	if (rc == 0)
		rc = sqlite_session_begin_log(session, err);
	if (rc != 0)
		sqlite_session_close(session);
	return rc;
}

int
sqlite_migrate_file(const char *path, uint32_t wait_ms, int *applied, struct error *err)
{
	const struct sink_env env = {0};
	struct sqlite_session session;

	sqlite_session_init(&session, &sqlite_events, path, &env);
	session.wait_ms = wait_ms;
	int rc = sqlite_migrate_open(&session, true, applied, err);
	sqlite_session_close(&session);
	return rc;
}
