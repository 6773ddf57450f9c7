/*
 * Finds out whether hook_events takes rows, without storing any. Anything that refuses a statement without rows refuses
 * every row: a missing table, column, key or right, a lock that is held, a server that only reads.
 */
#ifndef STORE_POSTGRES_PG_PROBE_H
#define STORE_POSTGRES_PG_PROBE_H

#include "store/postgres/pg_rows.h"

/*
 * 0: it does, by *method: COPY, or INSERT where only that is allowed (row-level security, a view in the table's place).
 * <0: the store is unavailable, and *err says why.
 */
int pg_probe(struct rows *rows, enum rows_method *method, struct error *err);

#endif
