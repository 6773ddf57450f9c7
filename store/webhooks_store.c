/* Two stores, so two words and no table. */
#include "store/webhooks_store.h"

#include <assert.h>

#include "store/postgres/db_postgres.h"
#include "store/sqlite/db_sqlite.h"

int
db_open(struct db **db, const struct config *config, const struct db_env *env, struct error *err)
{
	assert(config->hl_store == HL_STORE_POSTGRES || config->hl_store == HL_STORE_EMBEDDED);
	return config->hl_store == HL_STORE_POSTGRES ? db_postgres_open(db, config, env, err)
						     : db_sqlite_open(db, config, env, err);
}
