/* The table of stores. Only store.c knows which exist. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>

#include "config/config.h"
#include "store/db.h"
#include "store/event_reader.h"
#include "store/migration.h"
#include "store/sink.h"
#include "store/sink_env.h"

/*
 * Makes the sink for config->storage; open() opens it. config and env are borrowed for the sink's life. Ends the
 * process when out of memory.
 */
struct sink *store_new(const struct config *config, const struct sink_env *env);

/* Checks the options that name a store, without connecting. 0, or <0 with a sentence that names the option. */
int store_check_options(const struct config *config, struct error *err);

/*
 * For --check-config: checks that the file or database named by the options can be this store, as far as this process
 * may read it. Changes nothing, connects to nothing. 0, or <0 with a sentence that names the option.
 */
int store_check(const struct config *config, struct error *err);

/* The file on this machine that the store writes. */
struct store_file {
	const char *path; /* borrowed from the configuration; NULL: there is none */
	const char *option; /* the option that names it: "JSONL_PATH" */
	bool has_companions; /* the store makes other files beside it */
};
struct store_file store_file(const struct config *config);

/*
 * Calls found(context) with each file or directory that a connection to the store reads, such as certificates. They
 * need not exist. A store that is a file has none.
 */
void store_credentials_each(const struct config *config, void (*found)(void *context, const char *path), void *context);

/*
 * Migrates the schema of the store's database to this program's version, or of the one at DATABASE_URL if the store has
 * none. 0: done. STORE_NO_DATABASE: no option names one. <0: failed. Takes up to a minute per migration.
 */
int store_migrate(const struct config *config, struct store_migrated *done, struct error *err);

/*
 * Calls fn with each event that passes the filter, of a database, STORAGE_POSTGRES or STORAGE_SQLITE. Changes nothing.
 * The schema must be this program's or older. 0, or <0: fn's error, or the database's.
 */
int store_read(
    const struct config *config, const struct event_wish *filter, event_fn *fn, void *arg, struct error *err);

/*
 * Connects to the database of hook events, STORAGE_POSTGRES or STORAGE_SQLITE, to read it beside the processes that
 * write it (store/event_log.h). config and env are borrowed for the connection's life. 0 with *db to be released by
 * db_close(), or <0: not now, because the database is away or its schema is not this program's, for instance.
 */
int store_open_events(struct db **db, const struct config *config, const struct db_env *env, struct error *err);

#endif
