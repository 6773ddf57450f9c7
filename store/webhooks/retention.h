/*
 * Events and attempts that are older than somebody wants to keep them. PostgreSQL drops whole months; rows go in slices
 * where there are no months, or where they are too long. What a job or a replay still needs stays. All functions return
 * as db_query(), and are for one thread, in no transaction of the caller.
 */
#ifndef STORE_WEBHOOKS_RETENTION_H
#define STORE_WEBHOOKS_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

enum retention_table { RETENTION_EVENTS, RETENTION_ATTEMPTS };

/*
 * Drops the oldest month that ended before_ms or earlier and that nothing needs, and says so in the log. *dropped:
 * there may be another. A month that is in use for longer than a moment is left for the next call, as is one that is
 * needed. SQLite has none.
 */
int retention_drop_month(
    struct db *db, enum retention_table table, int64_t before_ms, bool *dropped, struct error *err);

/*
 * The removal of one table's rows that are older than before_ms. Begins with these two members set, and all else zero.
 */
struct retention_run {
	enum retention_table table;
	int64_t before_ms;
	char *tenant_id; /* owned; of the tenant that it has come to */
	uint8_t after[16]; /* the tenant's rows up to that id are done */
	bool in_tenant; /* the tenant may have more of them */
	bool done; /* no tenant is left */
};

void retention_run_free(struct retention_run *run);

/* The greatest slice. */
#define RETENTION_SLICE_ROWS 5000

/*
 * Removes up to so many rows of one tenant, or finds the next tenant that has old rows: a transaction. An event stays
 * while a job needs it: one that waits, unless it was requeued, since the event is beside it then; or one that a replay
 * may still make. *removed: so many rows.
 */
int retention_slice(struct db *db, struct retention_run *run, uint32_t rows, uint32_t *removed, struct error *err);

/*
 * Gives pages that removed rows have left back to the disk: a few, in a transaction. *more: there are others that the
 * file gives back. SQLite alone.
 */
int retention_give_pages_back(struct db *db, bool *more, struct error *err);

#endif
