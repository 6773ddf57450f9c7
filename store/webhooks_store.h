/*
 * The stores that webhooks can have, chosen by config->hl_store. No other file knows which there are. What begins with
 * webhooks_store_ is store/store.h for this store, and also for HL_STORE_OFF, which has nothing to check and no file.
 */
#ifndef STORE_WEBHOOKS_STORE_H
#define STORE_WEBHOOKS_STORE_H

#include "config/config.h"
#include "store/db.h"
#include "store/migration.h"
#include "store/sink_env.h"
#include "store/store.h"

/*
 * Connects to the store that config->hl_store names, which is not HL_STORE_OFF, and brings its schema to this program's
 * version (config->auto_migrate), or checks it. config and env are borrowed for the connection's life. 0 with *db to be
 * released by db_close(), or <0 with *err: not now. Takes up to the deadline of one statement, and for PostgreSQL up to
 * 5 seconds an address and a minute a migration. <0 also when a move has not filled the store yet
 * (store/webhooks/move_target.h).
 */
int db_open(struct db **db, const struct config *config, const struct db_env *env, struct error *err);

/*
 * The same for a program that only reads: nothing is migrated or made, and a schema of another version is a failure.
 * One connection a process. The embedded store's file is there.
 */
int db_open_to_look(struct db **db, const struct config *config, const struct db_env *env, struct error *err);
/* The same, for the move: also a store that is not filled yet. */
int db_open_unfinished(struct db **db, const struct config *config, const struct db_env *env, struct error *err);

/* As store_new(): the sink of published events, which publishers use. */
struct sink *webhooks_sink_new(const struct config *config, const struct sink_env *env);

/* As store_check_options(). */
int webhooks_store_check_options(const struct config *config, struct error *err);

/* As store_check(). */
int webhooks_store_check(const struct config *config, struct error *err);

/* As store_file(). */
struct store_file webhooks_store_file(const struct config *config);

/* As store_credentials_each(). */
void webhooks_store_credentials_each(
    const struct config *config, void (*found)(void *context, const char *path), void *context);

/* The size of the embedded store's write-ahead log; 0 for another store. It only asks the file system. Any thread. */
uint64_t webhooks_store_log_bytes(const struct config *config);

/*
 * Brings the schema to this program's version, for DBAs: also without a key for the API, in the database that
 * HL_POSTGRES_URL names. 0: done. STORE_NO_DATABASE: webhooks are off and no option names their database. <0: failed.
 */
int webhooks_store_migrate(const struct config *config, struct store_migrated *done, struct error *err);

#endif
