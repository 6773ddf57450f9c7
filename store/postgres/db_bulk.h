/*
 * Many rows at once, for db_load(), db_insert() and db_each() of store/db.h: COPY, and a statement with an array for
 * each parameter, both in PostgreSQL's binary formats. Values are checked already.
 */
#ifndef STORE_POSTGRES_DB_BULK_H
#define STORE_POSTGRES_DB_BULK_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "store/db_ops.h"
#include "store/postgres/pg.h"

/* buffer is scratch memory of the caller. Return as pg_exec(). */
int db_bulk_copy(struct pg *pg, struct bytes *buffer, const struct db_table *table, const struct db_values *values,
    int64_t deadline_us, struct error *err); /* six: the connection with its buffer and deadline, what, and the error */
int db_bulk_insert(struct pg *pg, struct bytes *buffer, const struct db_table *table, const struct db_values *values,
    int64_t deadline_us, struct error *err); /* six: as above */
int db_bulk_each(struct pg *pg, struct bytes *buffer, const char *sql, const struct db_values *values,
    int64_t deadline_us, PGresult **result, struct error *err); /* seven: the same, and the result */

#endif
