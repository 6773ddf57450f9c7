/*
 * Stores rows of hook_events by one statement: all of them or none, with the deadline of the session. A statement that
 * runs out of time means that the store is unavailable. In case it is only slow, the next statements take fewer rows.
 */
#ifndef STORE_POSTGRES_PG_ROWS_H
#define STORE_POSTGRES_PG_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "event/record.h"
#include "base/bytes.h"
#include "store/postgres/pg_session.h"
#include "store/postgres/row_encode.h"
#include "store/sink.h"
#include "store/sink_env.h"

/* COPY is faster. INSERT skips rows that exist already, and may be allowed when COPY is not. */
enum rows_method { ROWS_COPY, ROWS_INSERT };

struct rows {
	struct session *session; /* borrowed */
	const struct sink_env *env; /* borrowed; for the count of statements */
	uint32_t most; /* rows in one statement; at least 1 */
	bool sent; /* the last statement was sent completely */
	bool in_doubt; /* some rows may be stored; the caller clears it */
	struct bytes insert_sql[2][2]; /* texts: of rows without and with tenant_id, not logged and logged */
	struct bytes copy_sql;
	struct bytes chunk;
	struct bytes arrays[ROW_COLUMNS];
};

void rows_init(struct rows *rows, struct session *session, const struct sink_env *env);

/* Releases everything but the struct. */
void rows_free(struct rows *rows);

/* Whether one statement may take these records. It always takes a single record. */
bool rows_fit(const struct rows *rows, enum rows_method method, const struct batch *batch);

/*
 * Stores the records of *batch, which may be empty: then the statement has no rows. 0 with *stored, which for
 * ROWS_INSERT does not count rows that were there already; PG_REFUSED; <0: the store is unavailable.
 */
int rows_store(
    struct rows *rows, enum rows_method method, const struct batch *batch, uint64_t *stored, struct error *err);

#endif
