/* Adds rows read by move_rows.h to the other store. */
#ifndef STORE_WEBHOOKS_MOVE_LOAD_H
#define STORE_WEBHOOKS_MOVE_LOAD_H

#include "base/error.h"
#include "store/db.h"
#include "store/webhooks/move_tables.h"

/* The struct db_table of each of move_tables. Release it with free() after closing the database. */
struct move_load;
struct move_load *move_loads_new(void);

/*
 * Adds rows of move_rows_read() to that table in one transaction. As db_commit(); also <0 if the other database would
 * not store a value unchanged.
 */
int move_load_add(struct db *db, const struct move_table *table, struct move_load *loads, const struct db_rows *rows,
    struct error *err);

#endif
