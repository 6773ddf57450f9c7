/*
 * Figures of tenants, counted by upkeep, so that a request counts no rows. Large tables are counted a slice at a time,
 * so that no statement takes longer however many rows there are. For one thread.
 */
#ifndef STORE_WEBHOOKS_TENANT_STATS_H
#define STORE_WEBHOOKS_TENANT_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* The progress of counting. All zero: not begun. */
struct tenant_stats_run {
	uint32_t slice_rows;
	uint32_t part; /* 0: the small tables; then the tables counted in slices */
	char *tenant_id, *ids; /* owned: rows behind that tenant's row of one or two ids are to be counted */
	int64_t count; /* the tenant's rows up to there */
	bool done;
};

/* Starts counting, in slices of slice_rows rows, at least 2. */
void tenant_stats_begin(struct tenant_stats_run *run, uint32_t slice_rows);
void tenant_stats_free(struct tenant_stats_run *run);

/*
 * Does one step of a run that has begun and is not done: counts the small tables, or a slice of jobs, dead letters,
 * events or attempts of all tenants, and writes complete, changed figures to the table tenant_stats. In no transaction.
 * Returns as db_query(); after any result but 0 the step must be repeated.
 */
int tenant_stats_step(struct db *db, struct tenant_stats_run *run, struct error *err);

#endif
