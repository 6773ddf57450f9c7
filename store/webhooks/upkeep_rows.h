/* Tasks that one node does for all: the node that finds a task's row due, and moves its time. */
#ifndef STORE_WEBHOOKS_UPKEEP_ROWS_H
#define STORE_WEBHOOKS_UPKEEP_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/*
 * Whether this node is to run the task now: no node has begun it in the last period_ms. The next one is due a period
 * after this moment, whatever comes of the task. In no transaction of the caller. Returns as db_query().
 */
int upkeep_claim(struct db *db, const char *task, int64_t period_ms, bool *mine, struct error *err);

/* Makes the tenant with its id as its name unless there is a row of it, deleted or not. Returns as db_query(). */
int upkeep_ensure_tenant(struct db *db, const char *tenant_id, struct error *err);

#endif
