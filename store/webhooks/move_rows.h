/*
 * The rows of one table of move_tables.h, as a move reads them: page by page in the order of the key, which is
 * the same in PostgreSQL and SQLite. So the rows that a new store has are always the first ones of the old store, and a
 * move that was interrupted goes on behind the last of them.
 *
 * A row is read in one form from both: times in whole milliseconds, which is all that SQLite keeps, booleans as 0 and
 * 1, arrays as JSON, JSON as it was stored, ids of nodes as MOVE_NODE_ID. Functions return as db_query() does.
 */
#ifndef STORE_WEBHOOKS_MOVE_ROWS_H
#define STORE_WEBHOOKS_MOVE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/error.h"
#include "store/db.h"
#include "store/webhooks/move_tables.h"

/* Behind which row of a table. {0}: before the first one. */
struct move_place {
	char *keys[MOVE_KEYS_MAX];
};

void move_place_free(struct move_place *place);

/* How many rows there are to move. */
int move_rows_count(struct db *db, const struct move_table *table, uint64_t *rows, struct error *err);

/* The place behind the last row. *place is {0} before, and is to be released in any case. */
int move_rows_end(struct db *db, const struct move_table *table, struct move_place *place, struct error *err);

/*
 * The next rows behind *place, which moves behind them: some thousand, or as many as have about 4 MiB. *rows is to be
 * released by db_rows_free(); it has no row when there is none left.
 */
int move_rows_read(
    struct db *db, const struct move_table *table, struct move_place *place, struct db_rows **rows, struct error *err);

/*
 * A checksum over rows in their order, which is that of the rows before as well, if digest has theirs; all zero before
 * the first row.
 */
void move_rows_digest(const struct move_table *table, const struct db_rows *rows, uint8_t digest[SHA256_BYTES]);

#endif
