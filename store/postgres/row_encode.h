/*
 * A record as a row of hook_events, in PostgreSQL's binary formats: for COPY, row by row, and for INSERT, as one array
 * per column. The columns are those of event/fields.h, and tenant_id if any record of the batch is not the default
 * tenant's.
 *
 * Both forms hold a value as the same bytes: its length in network byte order, or -1 for null, then its send/recv form.
 */
#ifndef STORE_POSTGRES_ROW_ENCODE_H
#define STORE_POSTGRES_ROW_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "event/fields.h"
#include "event/record.h"

#define ROW_SYMBOL(symbol, ...) ROW_##symbol,
enum row_column {
	ROW_EVENT_ID,
	HOOK_EVENT_FIELDS(ROW_SYMBOL, ROW_SYMBOL, ROW_SYMBOL) ROW_TENANT_ID,
	ROW_COLUMNS,
};
#undef ROW_SYMBOL

/* A row has all columns, or only those before tenant_id: the argument `columns` of the functions below. */
#define ROW_COLUMNS_OF_DEFAULT_TENANT ROW_TENANT_ID

/* How many columns the rows of all these records need. */
uint32_t row_columns(const struct record *const *records, uint32_t count);

/* The columns' names, separated by ", "; without and with tenant_id. */
#define ROW_COMMA_NAME(symbol, key, limit, required, column, type) ", " column
#define ROW_NAMES_OF_DEFAULT_TENANT "event_id" HOOK_EVENT_FIELDS(ROW_COMMA_NAME, ROW_COMMA_NAME, ROW_COMMA_NAME)
#define ROW_NAMES ROW_NAMES_OF_DEFAULT_TENANT ", tenant_id"

/* Whether hooksd writes the column of that name for every record. */
bool row_has_column(const char *name);

/* The statement whose data row_copy_begin(), row_copy() for each record, and row_copy_end() append to out. */
const char *row_copy_sql(uint32_t columns);

void row_copy_begin(struct bytes *out);
void row_copy(struct bytes *out, const struct record *record, uint32_t columns);
void row_copy_end(struct bytes *out);

/* Appends "unnest($1::uuid[], ...)": the rows for which row_array() of column c makes parameter $(c + 1). */
void row_add_unnest_sql(struct bytes *sql, uint32_t columns);

/* Existing rows stay as they are. A unique key added by a DBA can still refuse a row. */
#define ROW_CONFLICT_SQL "ON CONFLICT (event_id, created_date) DO NOTHING"

/*
 * Appends the INSERT of these rows, in the order of the key, so that writers that store the same events do not
 * deadlock. RETURNING makes Citus count the rows inserted instead of the rows given; in PostgreSQL it costs no
 * measurable time. With logged it also adds the rows that it has stored to hook_event_log.
 */
void row_add_insert_sql(struct bytes *sql, uint32_t columns, bool logged);

/* Appends the statement, with a semicolon, that adds these records, at least one, to hook_event_log: for COPY. */
void row_add_log_sql(struct bytes *sql, const struct record *const *records, uint32_t count);

/* Replaces out's contents by the column's values of all records. */
void row_array(struct bytes *out, enum row_column column, const struct record *const *records, uint32_t count);

#endif
