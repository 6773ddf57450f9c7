/* The webhooks' store in an SQLite file: the functions of store/db_ops.h on a store/sqlite/sqlite_session.h. */
#ifndef STORE_SQLITE_DB_SQLITE_H
#define STORE_SQLITE_DB_SQLITE_H

#include "store/db_ops.h"

/*
 * db_open() for HL_STORE_EMBEDDED: opens config->hl_data_path, and makes missing file and directories. A file that env
 * has seen before was removed, with acknowledged data, so it is not made again. 0 or <0.
 */
int db_sqlite_open(struct db **db, const struct config *config, const struct db_env *env, struct error *err);

/* db_open_to_look() for HL_STORE_EMBEDDED. */
int db_sqlite_open_to_look(struct db **db, const struct config *config, const struct db_env *env, struct error *err);

/* store_open_events() for STORAGE_SQLITE. */
int db_sqlite_open_events(struct db **db, const struct config *config, const struct db_env *env, struct error *err);

#endif
