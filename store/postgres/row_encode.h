/*
 * A record as a row of hook_events, in PostgreSQL's binary formats: for COPY, row by row, and for INSERT, as one array
 * per column. This is the one place that knows the columns hooksd writes; tenant_id is left to its default.
 *
 * Both forms hold a value as the same bytes: its length in network byte order, or -1 for null, then its send/recv form.
 */
#ifndef STORE_POSTGRES_ROW_ENCODE_H
#define STORE_POSTGRES_ROW_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "event/record.h"
#include "base/bytes.h"

#define ROW_COLUMNS 11

#define ROW_NAMES                                                                                                      \
	"event_id, timestamp, received_at, created_date, client_event_id, event_type, session_id, workflow_id, "       \
	"phase_id, milestone_id, data"

/* Whether hooksd writes the column of that name. */
bool row_has_column(const char *name);

/* The statement whose data row_copy_begin(), row_copy() for each record, and row_copy_end() append to out. */
#define ROW_COPY_SQL "COPY hook_events (" ROW_NAMES ") FROM STDIN (FORMAT binary)"

void row_copy_begin(struct bytes *out);
void row_copy(struct bytes *out, const struct record *record);
void row_copy_end(struct bytes *out);

/* The rows whose column makes parameter $(column + 1) by row_array(). */
#define ROW_UNNEST_SQL                                                                                                 \
	"unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::date[], $5::text[], $6::text[], $7::text[], "    \
	"$8::text[], $9::text[], $10::text[], $11::jsonb[])"

/* Rows that are there already stay as they are; a key that somebody added is not the event's and refuses. */
#define ROW_CONFLICT_SQL "ON CONFLICT (event_id, created_date) DO NOTHING"

/*
 * In the order of the key: writers that store the same events meet them in the same order, and do not deadlock. With
 * RETURNING Citus counts the rows that it has inserted, and without it the rows that it was given; PostgreSQL needs no
 * measurable time for it.
 */
#define ROW_INSERT_SQL                                                                                                 \
	"INSERT INTO hook_events (" ROW_NAMES ") SELECT * FROM " ROW_UNNEST_SQL " ORDER BY 1, 4 " ROW_CONFLICT_SQL     \
	" RETURNING 1"

/* Replaces out's contents by the column's values of all records. column < ROW_COLUMNS. */
void row_array(struct bytes *out, unsigned column, const struct record *const *records, uint32_t count);

#endif
