/* There are only two stores, so there is no table. */
#include "store/webhooks_store.h"

#include <assert.h>
#include <string.h>

#include "store/postgres/db_postgres.h"
#include "store/postgres/migrate.h"
#include "store/postgres/pg.h"
#include "store/postgres/pg_files.h"
#include "store/postgres/pg_url.h"
#include "store/sqlite/db_sqlite.h"
#include "store/sqlite/sqlite_identity.h"
#include "store/sqlite/sqlite_migrate.h"
#include "store/sqlite/sqlite_session.h"
#include "store/webhooks/identity_rows.h"
#include "store/webhooks/sink_publish.h"

int
db_open_unfinished(struct db **db, const struct config *config, const struct db_env *env, struct error *err)
{
	if (config->hl_store == HL_STORE_OFF)
		return error_set(
		    err, "webhooks are off: published events of an earlier run wait until they are on again");
	assert(config->hl_store == HL_STORE_POSTGRES || config->hl_store == HL_STORE_EMBEDDED);
	return config->hl_store == HL_STORE_POSTGRES ? db_postgres_open(db, config, env, err)
						     : db_sqlite_open(db, config, env, err);
}

static int
check_usable(struct db *db, struct error *err)
{
	struct store_identity identity;
	bool exists;

	if (identity_rows_read(db, false, &identity, &exists, err) != 0)
		return -1;
	const char *refusal = identity_refusal(&identity);
	return refusal == NULL ? 0 : error_set(err, "%s", refusal);
}

int
db_open(struct db **db, const struct config *config, const struct db_env *env, struct error *err)
{
	int rc = db_open_unfinished(db, config, env, err);

	if (rc == 0 && (rc = check_usable(*db, err)) != 0) {
		db_close(*db);
		*db = NULL;
	}
	return rc;
}

int
db_open_to_look(struct db **db, const struct config *config, const struct db_env *env, struct error *err)
{
	assert(config->hl_store == HL_STORE_POSTGRES || config->hl_store == HL_STORE_EMBEDDED);
	return config->hl_store == HL_STORE_POSTGRES ? db_postgres_open_to_look(db, config, env, err)
						     : db_sqlite_open_to_look(db, config, env, err);
}

int
webhooks_store_check_options(const struct config *config, struct error *err)
{
	/* Checked for both stores: hooksctl may be asked about either. */
	if (config->hl_postgres_url != NULL && pg_url_check("HL_POSTGRES_URL", config->hl_postgres_url, err) != 0)
		return -1;
	if (config->hl_store == HL_STORE_EMBEDDED && config->storage == STORAGE_SQLITE &&
	    strcmp(config->hl_data_path, config->sqlite_path) == 0)
		return error_set(err, "HL_DATA_PATH and SQLITE_PATH are the same file, %s: set another path for one",
		    config->hl_data_path);
	return 0;
}

int
webhooks_store_check(const struct config *config, struct error *err)
{
	return config->hl_store == HL_STORE_EMBEDDED
		   ? sqlite_identity_check(&sqlite_webhooks, config->hl_data_path, err)
		   : 0;
}

struct store_file
webhooks_store_file(const struct config *config)
{
	if (config->hl_store != HL_STORE_EMBEDDED)
		return (struct store_file){0};
	return (struct store_file){.path = config->hl_data_path, .option = "HL_DATA_PATH", .has_companions = true};
}

void
webhooks_store_credentials_each(
    const struct config *config, void (*found)(void *context, const char *path), void *context)
{
	if (config->hl_store == HL_STORE_POSTGRES)
		pg_files_each(config->hl_postgres_url, found, context);
}

uint64_t
webhooks_store_log_bytes(const struct config *config)
{
	return config->hl_store == HL_STORE_EMBEDDED ? sqlite_session_log_size(config->hl_data_path) : 0;
}

int
webhooks_store_migrate(const struct config *config, struct store_migrated *done, struct error *err)
{
	struct pg *pg = NULL;

	if (config->hl_store == HL_STORE_EMBEDDED) {
		*done = (struct store_migrated){.option = "HL_DATA_PATH", .version = webhooks_sqlite_migrations.target};
		return sqlite_migrate_file(
		    &sqlite_webhooks, config->hl_data_path, config->store_timeout_ms, &done->applied, err);
	}
	*done = (struct store_migrated){.option = "HL_POSTGRES_URL", .version = webhooks_postgres_migrations.target};
	if (config->hl_postgres_url == NULL)
		return STORE_NO_DATABASE;
	int rc = pg_open(&pg, config->hl_postgres_url, err);
	if (rc == 0)
		rc = migrate_webhooks(pg, true, &done->applied, err);
	pg_close(pg);
	return rc;
}

struct sink *
webhooks_sink_new(const struct config *config, const struct sink_env *env)
{
	return sink_publish_new(config, env, db_open);
}
