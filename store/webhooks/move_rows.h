/*
 * The rows of one table of move_tables.h, read page by page in the order of the key, which is the same in PostgreSQL
 * and SQLite. So the new store always has the first rows of the old one, and an interrupted move goes on behind the
 * last of them.
 *
 * Rows have the same form from both: times in whole milliseconds, the precision of SQLite, booleans as 0 and 1, arrays
 * as JSON, JSON as stored, node ids as MOVE_NODE_ID. Functions return as db_query() does.
 */
#ifndef STORE_WEBHOOKS_MOVE_ROWS_H
#define STORE_WEBHOOKS_MOVE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/error.h"
#include "store/db.h"
#include "store/webhooks/move_tables.h"

/* A place behind a row of a table. {0}: before the first one. */
struct move_place {
	char *keys[MOVE_KEYS_MAX];
};

void move_place_free(struct move_place *place);

/* Counts the rows to move. */
int move_rows_count(struct db *db, const struct move_table *table, uint64_t *rows, struct error *err);

/* Finds the place behind the last row. *place must be {0}; release it in any case. */
int move_rows_end(struct db *db, const struct move_table *table, struct move_place *place, struct error *err);

/*
 * Reads the next rows behind *place and advances it: some thousand rows, or about 4 MiB. Release *rows by
 * db_rows_free(); it is empty when no row is left.
 */
int move_rows_read(
    struct db *db, const struct move_table *table, struct move_place *place, struct db_rows **rows, struct error *err);

/* Continues a checksum over rows in order. digest: that of the rows before; all zero before the first row. */
void move_rows_digest(const struct move_table *table, const struct db_rows *rows, uint8_t digest[SHA256_BYTES]);

#endif
