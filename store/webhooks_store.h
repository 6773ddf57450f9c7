/*
 * The stores for webhooks, chosen by config->hl_store. Only webhooks_store.c knows which exist. The functions
 * webhooks_store_...() are those of store/store.h for this store; they also accept HL_STORE_OFF, which has nothing to
 * check and no file.
 */
#ifndef STORE_WEBHOOKS_STORE_H
#define STORE_WEBHOOKS_STORE_H

#include "config/config.h"
#include "store/db.h"
#include "store/migration.h"
#include "store/sink_env.h"
#include "store/store.h"

/*
 * Connects to the store named by config->hl_store, and migrates its schema to this program's version
 * (config->auto_migrate), or checks it. config and env are borrowed for the connection's life. 0 with *db, to be
 * released by db_close(), or <0 with *err: not now. Takes up to the deadline of one statement, and for PostgreSQL up to
 * 5 seconds per address and a minute per migration. <0 also for HL_STORE_OFF, and if a move into the store is
 * unfinished (store/webhooks/move_target.h).
 */
int db_open(struct db **db, const struct config *config, const struct db_env *env, struct error *err);

/*
 * The same for a program that only reads: migrates and makes nothing, and fails on another version of the schema. One
 * connection per process. The embedded store's file must exist.
 */
int db_open_to_look(struct db **db, const struct config *config, const struct db_env *env, struct error *err);
/* The same, for the move: also opens a store that is not filled yet. */
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

/* The size of the embedded store's write-ahead log; 0 for another store. Only asks the file system. Any thread. */
uint64_t webhooks_store_log_bytes(const struct config *config);

/*
 * Migrates the schema to this program's version, for DBAs: also without a key for the API, in the database at
 * HL_POSTGRES_URL. 0: done. STORE_NO_DATABASE: webhooks are off and no option names their database. <0: failed.
 */
int webhooks_store_migrate(const struct config *config, struct store_migrated *done, struct error *err);

#endif
