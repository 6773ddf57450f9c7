/* The rows that a statement returned, as texts, the same from each database. For one thread. */
#ifndef STORE_DB_ROWS_H
#define STORE_DB_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct db_rows;

/* ---- readers: row and column count from 0, and must exist (asserted) ---- */

/* NULL is no rows. */
uint32_t db_rows_count(const struct db_rows *rows);

bool db_rows_null(const struct db_rows *rows, uint32_t row, uint32_t column);

/* Borrowed until db_rows_free(); a NUL follows the text. base is NULL for null. */
struct span db_rows_text(const struct db_rows *rows, uint32_t row, uint32_t column);

/* Of a column of integers. 0 for null. */
int64_t db_rows_int(const struct db_rows *rows, uint32_t row, uint32_t column);

/* Of a column of booleans. false for null. */
bool db_rows_bool(const struct db_rows *rows, uint32_t row, uint32_t column);

/* NULL is allowed. */
void db_rows_free(struct db_rows *rows);

/* ---- makers: for the databases ---- */

/* Makes an empty result with that many columns. Never NULL. */
struct db_rows *db_rows_new(uint32_t columns);

/*
 * Adds the next value: the columns of the first row, then those of the second, and so on. text NULL: null. The text is
 * copied.
 */
void db_rows_add(struct db_rows *rows, const char *text, size_t len);

#endif
