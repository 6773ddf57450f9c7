/*
 * The table pauses: a row for each tenant whose deliveries are paused, and one for a pause of all deliveries. The
 * functions return what db_query() does (store/db.h).
 */
#ifndef STORE_WEBHOOKS_PAUSE_ROWS_H
#define STORE_WEBHOOKS_PAUSE_ROWS_H

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/* Stands for all tenants; no tenant has that id. */
#define PAUSE_OF_ALL "*"

enum pause_column {
	PAUSE_COLUMN_TENANT_ID,
	PAUSE_COLUMN_REASON, /* may be null */
	PAUSE_COLUMN_PAUSED_BY, /* may be null: the service itself */
	PAUSE_COLUMN_PAUSED_MS
};

/* All rows, in the order of tenant_id. */
int pause_rows_list(struct db *db, struct db_rows **rows, struct error *err);

/* The row of that tenant, or of PAUSE_OF_ALL; none: it is not paused. */
int pause_rows_get(struct db *db, const char *tenant_id, struct db_rows **rows, struct error *err);

/* Adds the row, or changes its reason and key but not its beginning. paused_by may be NULL. */
int pause_rows_set(struct db *db, const char *tenant_id, struct span reason, const char *paused_by, struct error *err);

/*
 * Removes the row, if it exists, in a transaction. Also resets the runs of failures of the tenant's endpoints, or of
 * all, because no attempt was made during the pause. A courier stores a run within a minute, so it can hardly restore
 * an older one.
 */
int pause_rows_end(struct db *db, const char *tenant_id, struct error *err);

#endif
