/* The webhooks' store in PostgreSQL: the functions of store/db_ops.h on a connection of store/postgres/pg.h. */
#ifndef STORE_POSTGRES_DB_POSTGRES_H
#define STORE_POSTGRES_DB_POSTGRES_H

#include "store/db_ops.h"

/* db_open() for HL_STORE_POSTGRES: connects to config->hl_postgres_url. 0 or <0. */
int db_postgres_open(struct db **db, const struct config *config, const struct db_env *env, struct error *err);

/* db_open_to_look() for HL_STORE_POSTGRES. */
int db_postgres_open_to_look(struct db **db, const struct config *config, const struct db_env *env, struct error *err);

/* store_open_events() for STORAGE_POSTGRES. */
int db_postgres_open_events(struct db **db, const struct config *config, const struct db_env *env, struct error *err);

#endif
