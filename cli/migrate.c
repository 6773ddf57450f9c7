/* hooksctl migrate: for DBAs who run the service with AUTO_MIGRATE=false. */
#include <stdio.h>

#include "cli/commands.h"
#include "store/postgres/migrate.h"
#include "store/sqlite/sqlite_migrate.h"

static int
migrate_postgres(const struct config *config, int *applied, struct error *err)
{
	struct pg *pg = NULL;
	int rc = pg_open(&pg, config->database_url, err);

	if (rc == 0)
		rc = migrate_apply(pg, applied, err);
	pg_close(pg);
	return rc;
}

static int
migrate_sqlite(const struct config *config, int *applied, struct error *err)
{
	const struct sink_env env = {0};
	struct sqlite_session session;

	sqlite_session_init(&session, config->sqlite_path, &env, config->store_timeout_ms);
	int rc = sqlite_session_open(&session, true, applied, err);
	sqlite_session_close(&session);
	return rc;
}

int
command_migrate(const struct config *config, char *const *words)
{
	bool sqlite = config->storage == STORAGE_SQLITE;
	int target = sqlite ? sqlite_migrate_target() : migrate_target();
	struct error err;
	int applied = 0;

	if (!sqlite && config->database_url == NULL) {
		fprintf(stderr,
		    "hooksctl migrate: DATABASE_URL is not set: set it to the database to migrate, as its owner\n");
		return COMMAND_USAGE;
	}
	int rc = sqlite ? migrate_sqlite(config, &applied, &err) : migrate_postgres(config, &applied, &err);
	if (rc != 0) {
		fprintf(stderr, "hooksctl migrate: %s\n", err.text);
		return COMMAND_FAILED;
	}
	if (applied == 0)
		printf("the schema is at version %d already: nothing to do\n", target);
	else
		printf(
		    "applied %d migration%s: the schema is at version %d\n", applied, applied == 1 ? "" : "s", target);
	return COMMAND_OK;
}
