/* The table of stores. */
#include "store/store.h"

#include <assert.h>

#include "store/jsonl/jsonl_inspect.h"
#include "store/jsonl/sink_jsonl.h"
#include "store/null/sink_null.h"
#include "store/postgres/db_postgres.h"
#include "store/postgres/event_reader_postgres.h"
#include "store/postgres/migrate.h"
#include "store/postgres/pg_files.h"
#include "store/postgres/pg_url.h"
#include "store/postgres/sink_postgres.h"
#include "store/sqlite/db_sqlite.h"
#include "store/sqlite/event_reader_sqlite.h"
#include "store/sqlite/sink_sqlite.h"
#include "store/sqlite/sqlite_identity.h"
#include "store/sqlite/sqlite_migrate.h"

static int
check_jsonl(const struct config *config, struct error *err)
{
	return jsonl_check(config->jsonl_path, err);
}

static struct store_file
file_jsonl(const struct config *config)
{
	return (struct store_file){.path = config->jsonl_path, .option = "JSONL_PATH"};
}

static int
check_sqlite(const struct config *config, struct error *err)
{
	return sqlite_identity_check(&sqlite_events, config->sqlite_path, err);
}

static struct store_file
file_sqlite(const struct config *config)
{
	return (struct store_file){.path = config->sqlite_path, .option = "SQLITE_PATH", .has_companions = true};
}

static int
migrate_sqlite(const struct config *config, struct store_migrated *done, struct error *err)
{
	*done = (struct store_migrated){.option = "SQLITE_PATH", .version = sqlite_migrations.target};
	return sqlite_migrate_file(&sqlite_events, config->sqlite_path, config->store_timeout_ms, &done->applied, err);
}

static int
migrate_postgres(const struct config *config, struct store_migrated *done, struct error *err)
{
	struct pg *pg = NULL;

	*done = (struct store_migrated){.option = "DATABASE_URL", .version = postgres_migrations.target};
	if (config->database_url == NULL)
		return STORE_NO_DATABASE;
	int rc = pg_open(&pg, config->database_url, err);
	if (rc == 0)
		rc = migrate_apply(pg, &postgres_migrations, &done->applied, err);
	pg_close(pg);
	return rc;
}

/* Any function but new may be NULL. */
static const struct store {
	struct sink *(*new)(const struct config *config, const struct sink_env *env);
	int (*check)(const struct config *config, struct error *err);
	struct store_file (*file)(const struct config *config);
	int (*migrate)(const struct config *config, struct store_migrated *done, struct error *err);
	int (*read)(
	    const struct config *config, const struct event_wish *filter, event_fn *fn, void *arg, struct error *err);
	int (*open_events)(struct db **db, const struct config *config, const struct db_env *env, struct error *err);
} stores[] = {
    [STORAGE_POSTGRES] = {.new = sink_postgres_new,
	.migrate = migrate_postgres,
	.read = event_reader_postgres,
	.open_events = db_postgres_open_events},
    [STORAGE_JSONL] = {.new = sink_jsonl_new, .check = check_jsonl, .file = file_jsonl},
    [STORAGE_SQLITE] = {.new = sink_sqlite_new,
	.check = check_sqlite,
	.file = file_sqlite,
	.migrate = migrate_sqlite,
	.read = event_reader_sqlite,
	.open_events = db_sqlite_open_events},
    [STORAGE_NULL] = {.new = sink_null_new},
};

static const struct store *
store_of(const struct config *config)
{
	assert(config->storage < sizeof stores / sizeof *stores && stores[config->storage].new != NULL);
	return &stores[config->storage];
}

struct sink *
store_new(const struct config *config, const struct sink_env *env)
{
	return store_of(config)->new (config, env);
}

int
store_check_options(const struct config *config, struct error *err)
{
	/* Checked for all stores: hooksctl connects to DATABASE_URL whatever the store is. */
	return config->database_url != NULL ? pg_url_check("DATABASE_URL", config->database_url, err) : 0;
}

int
store_check(const struct config *config, struct error *err)
{
	const struct store *store = store_of(config);

	return store->check != NULL ? store->check(config, err) : 0;
}

struct store_file
store_file(const struct config *config)
{
	const struct store *store = store_of(config);

	return store->file != NULL ? store->file(config) : (struct store_file){0};
}

void
store_credentials_each(const struct config *config, void (*found)(void *context, const char *path), void *context)
{
	if (config->storage == STORAGE_POSTGRES)
		pg_files_each(config->database_url, found, context);
}

int
store_migrate(const struct config *config, struct store_migrated *done, struct error *err)
{
	const struct store *store = store_of(config);

	return (store->migrate != NULL ? store->migrate : migrate_postgres)(config, done, err);
}

int
store_read(const struct config *config, const struct event_wish *filter, event_fn *fn, void *arg, struct error *err)
{
	const struct store *store = store_of(config);

	assert(store->read != NULL);
	return store->read(config, filter, fn, arg, err);
}

int
store_open_events(struct db **db, const struct config *config, const struct db_env *env, struct error *err)
{
	const struct store *store = store_of(config);

	assert(store->open_events != NULL);
	return store->open_events(db, config, env, err);
}
