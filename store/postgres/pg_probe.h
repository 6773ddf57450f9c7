/*
 * Finds out whether hook_events takes rows, without storing any. A cause that refuses a statement without rows refuses
 * every row: a missing table, column, key or right, a lock that is held, a read-only server.
 */
#ifndef STORE_POSTGRES_PG_PROBE_H
#define STORE_POSTGRES_PG_PROBE_H

#include "store/postgres/pg_rows.h"

/*
 * 0: it does, by *method: COPY, or INSERT if only that is allowed (row-level security, a view in the table's place).
 * <0: the store is unavailable, and *err says why.
 */
int pg_probe(struct rows *rows, enum rows_method *method, struct error *err);

#endif
