/* Adding the rows that move_rows.h has read to the other store. */
#ifndef STORE_WEBHOOKS_MOVE_LOAD_H
#define STORE_WEBHOOKS_MOVE_LOAD_H

#include "base/error.h"
#include "store/db.h"
#include "store/webhooks/move_tables.h"

/* What tables look like for db_load(), for each of move_tables. To be released with free() after the database. */
struct move_load;
struct move_load *move_loads_new(void);

/*
 * Adds rows of move_rows_read() to that table, as one transaction. As db_commit(); also <0: a value is none that the
 * other database keeps as it is.
 */
int move_load_add(struct db *db, const struct move_table *table, struct move_load *loads, const struct db_rows *rows,
    struct error *err);

#endif
