/* Finds tenants with many waiting jobs, sooner than tenant_stats shows it. For one thread. */
#ifndef STORE_WEBHOOKS_QUEUE_DEPTH_H
#define STORE_WEBHOOKS_QUEUE_DEPTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/*
 * The ids of tenants with more than `depth` rows of jobs, at most `most` tenants, in order. Reads at most depth + 1
 * rows of a tenant. postgres: the store is PostgreSQL. The caller has no transaction open; takes no write turn. Returns
 * as db_query().
 */
int queue_depth_above(
    struct db *db, bool postgres, int64_t depth, uint32_t most, struct db_rows **rows, struct error *err);

#endif
