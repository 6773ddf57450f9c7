/*
 * Whether hook_events takes rows, asked without storing any. Whatever refuses a statement with no rows refuses every
 * row: a missing table, column or key, a missing right, a lock that is held, a server that only reads.
 */
#ifndef STORE_POSTGRES_PG_PROBE_H
#define STORE_POSTGRES_PG_PROBE_H

#include "store/postgres/pg_rows.h"

/*
 * 0: it does, by *method: COPY, or INSERT where that is allowed and COPY is not (row-level security, a view in the
 * table's place). <0: the store is unavailable, and *err says why.
 */
int pg_probe(struct rows *rows, enum rows_method *method, struct error *err);

#endif
