/* A row for each store. */
#include "store/store.h"

#include <assert.h>

#include "store/jsonl/jsonl_look.h"
#include "store/jsonl/sink_jsonl.h"
#include "store/null/sink_null.h"
#include "store/postgres/pg_url.h"
#include "store/postgres/sink_postgres.h"
#include "store/sqlite/sink_sqlite.h"
#include "store/sqlite/sqlite_identity.h"

static int
check_jsonl(const struct config *config, struct error *err)
{
	return jsonl_check(config->jsonl_path, err);
}

static int
check_sqlite(const struct config *config, struct error *err)
{
	return sqlite_identity_check(config->sqlite_path, err);
}

/* check may be NULL. */
static const struct {
	struct sink *(*new)(const struct config *config, const struct sink_env *env);
	int (*check)(const struct config *config, struct error *err);
} stores[] = {
    [STORAGE_POSTGRES] = {.new = sink_postgres_new},
    [STORAGE_JSONL] = {.new = sink_jsonl_new, .check = check_jsonl},
    [STORAGE_SQLITE] = {.new = sink_sqlite_new, .check = check_sqlite},
    [STORAGE_NULL] = {.new = sink_null_new},
};

struct sink *
store_new(const struct config *config, const struct sink_env *env)
{
	assert(config->storage < sizeof stores / sizeof *stores && stores[config->storage].new != NULL);
	return stores[config->storage].new(config, env);
}

int
store_check_options(const struct config *config, struct error *err)
{
	/* Also where another store is used: hooksctl takes DATABASE_URL for what it does with PostgreSQL. */
	return config->database_url != NULL ? pg_url_check(config->database_url, err) : 0;
}

int
store_check(const struct config *config, struct error *err)
{
	return stores[config->storage].check != NULL ? stores[config->storage].check(config, err) : 0;
}
