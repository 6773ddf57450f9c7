/*
 * Figures of tenants, which upkeep adds up: nobody counts rows when somebody asks. Tables that grow without end are
 * counted a slice at a time, so that no statement takes longer however many rows there are. For one thread.
 */
#ifndef STORE_WEBHOOKS_TENANT_STATS_H
#define STORE_WEBHOOKS_TENANT_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* How far counting is. All zero: it has not begun. */
struct tenant_stats_run {
	uint32_t slice_rows;
	uint32_t part; /* what is counted at once, then the tables that are counted in slices */
	char *tenant_id, *ids; /* owned: rows behind that tenant's row of one or two ids are to be counted */
	int64_t count; /* of this tenant, up to there */
	bool done;
};

/* Counting begins anew, in slices of so many rows, at least 2. */
void tenant_stats_begin(struct tenant_stats_run *run, uint32_t slice_rows);
void tenant_stats_free(struct tenant_stats_run *run);

/*
 * One step of a run that has begun and is not done: counts what is small, or a slice of jobs, dead letters, events or
 * attempts, of all tenants, and writes figures that have changed and are complete into the table tenant_stats. In no
 * transaction. Returns as db_query(); after any result but 0 the same step is to be tried again.
 */
int tenant_stats_step(struct db *db, struct tenant_stats_run *run, struct error *err);

#endif
