/*
 * Removes old events and attempts. PostgreSQL drops whole months; single rows are removed in slices where there are no
 * months, or where a month is too long. Rows that a job or a replay still needs stay. All functions return as
 * db_query(), and are for one thread; the caller has no transaction open.
 */
#ifndef STORE_WEBHOOKS_RETENTION_H
#define STORE_WEBHOOKS_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

enum retention_table { RETENTION_EVENTS, RETENTION_ATTEMPTS };

/*
 * Drops the oldest month that ended at or before before_ms and that nothing needs, and logs it. *dropped: there may be
 * another. A month that is needed, or stays locked for longer than a moment, is left to the next call. SQLite has no
 * months.
 */
int retention_drop_month(
    struct db *db, enum retention_table table, int64_t before_ms, bool *dropped, struct error *err);

/* The removal of one table's rows that are older than before_ms. Set these two members, and all others to zero. */
struct retention_run {
	enum retention_table table;
	int64_t before_ms;
	char *tenant_id; /* owned; the present tenant */
	uint8_t after[16]; /* the tenant's rows up to this id are done */
	bool in_tenant; /* the tenant may have more old rows */
	bool done; /* no tenant is left */
};

void retention_run_free(struct retention_run *run);

/* The largest slice. */
#define RETENTION_SLICE_ROWS 5000

/*
 * Removes up to `rows` rows of one tenant, or finds the next tenant that has old rows, in a transaction. An event stays
 * while a job needs it: a waiting job, except a requeued one, which has its copy in dlq_events; or a job that a replay
 * may still make. *removed: number of rows.
 */
int retention_slice(struct db *db, struct retention_run *run, uint32_t rows, uint32_t *removed, struct error *err);

/* Returns some free pages of the file to the disk, in a transaction. *more: there are more to return. SQLite only. */
int retention_give_pages_back(struct db *db, bool *more, struct error *err);

#endif
