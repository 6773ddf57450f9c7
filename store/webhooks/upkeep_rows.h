/* Tasks that one node does for all: the node that finds the task's row due and moves its time. */
#ifndef STORE_WEBHOOKS_UPKEEP_ROWS_H
#define STORE_WEBHOOKS_UPKEEP_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/*
 * *mine: whether this node must run the task now, because no node has begun it in the last period_ms. The next run is
 * due a period from now, whatever the result. The caller has no transaction open. Returns as db_query().
 */
int upkeep_claim(struct db *db, const char *task, int64_t period_ms, bool *mine, struct error *err);

/*
 * Makes the tasks that remove old rows due now: the next node that calls upkeep_asked() runs them. In a transaction.
 * Returns as db_query().
 */
int upkeep_ask_removal(struct db *db, struct error *err);

/* The names of tasks that are due because of a request. Returns as db_query(). */
int upkeep_asked(struct db *db, struct db_rows **tasks, struct error *err);

/* When the last whole run of retention began and ended, in ms since 1970. */
struct upkeep_run {
	int64_t began_ms, ended_ms;
};

/* Write it for all nodes, and read it; *exists: false: no run has ended yet. Both return as db_query(). */
int upkeep_write_run(struct db *db, const struct upkeep_run *run, struct error *err);
int upkeep_read_run(struct db *db, struct upkeep_run *run, bool *exists, struct error *err);

/* Makes the tenant, named by its id, unless it has a row, deleted or not. Returns as db_query(). */
int upkeep_ensure_tenant(struct db *db, const char *tenant_id, struct error *err);

#endif
