/* How many jobs wait, for those who must know it sooner than tenant_stats tells. For one thread. */
#ifndef STORE_WEBHOOKS_QUEUE_DEPTH_H
#define STORE_WEBHOOKS_QUEUE_DEPTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/*
 * The ids of tenants of which more than depth jobs have rows, at most so many, in the order of their ids. Of no tenant
 * are more than depth + 1 rows looked at. postgres: which store it is. In no transaction of the caller, and it takes no
 * turn to write. Returns as db_query().
 */
int queue_depth_above(
    struct db *db, bool postgres, int64_t depth, uint32_t most, struct db_rows **rows, struct error *err);

#endif
