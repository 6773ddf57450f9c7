/* The stores that there are. No other file of the program knows which. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>

#include "config/config.h"
#include "store/event_reader.h"
#include "store/migration.h"
#include "store/sink.h"
#include "store/sink_env.h"

/*
 * Makes the sink for config->storage; open() opens it. config and env are borrowed for the sink's life. Ends the
 * process when out of memory.
 */
struct sink *store_new(const struct config *config, const struct sink_env *env);

/* Whether the options that name a store can be right, asking nobody. 0, or <0 with a sentence that names the option. */
int store_check_options(const struct config *config, struct error *err);

/*
 * For --check-config: whether the file or database that the options name can be this store, as far as this process may
 * read it. Changes nothing, connects to nothing. 0, or <0 with a sentence that names the option.
 */
int store_check(const struct config *config, struct error *err);

/* The file on this machine that the store writes. */
struct store_file {
	const char *path; /* borrowed from the configuration; NULL: there is none */
	const char *option; /* that names it: "JSONL_PATH" */
	bool has_companions; /* the store makes other files beside it */
};
struct store_file store_file(const struct config *config);

/*
 * Calls found() with each place that a connection to the store reads, as certificates: files and directories, which
 * need not exist. A store that is a file has none. context is found()'s.
 */
void store_credentials_each(const struct config *config, void (*found)(void *context, const char *path), void *context);

/*
 * Brings the schema to the version of this program: of the store's database, or of the one at DATABASE_URL if the store
 * has none. 0: done. STORE_NO_DATABASE: no option names one. <0: failed. Takes up to a minute a migration.
 */
int store_migrate(const struct config *config, struct store_migrated *done, struct error *err);

/*
 * Calls fn with each event of a database, STORAGE_POSTGRES or STORAGE_SQLITE, which the filter lets through. Changes
 * nothing. The schema is this program's, or older than it. 0, or <0: fn's, or the database's.
 */
int store_read(
    const struct config *config, const struct event_wish *filter, event_fn *fn, void *arg, struct error *err);

#endif
