/* Removes old rows: one slice of one table, in a transaction of its own. For upkeep. */
#ifndef STORE_WEBHOOKS_OLD_ROWS_H
#define STORE_WEBHOOKS_OLD_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/*
 * Runs a statement that deletes a bounded number of rows and returns a row for each. 0 with the number in *removed;
 * otherwise as db_query(), and *removed is unchanged. The caller has no transaction open.
 */
int old_rows_remove(struct db *db, const struct db_statement *remove, const struct db_param *params, size_t count,
    uint32_t *removed, struct error *err);

#endif
