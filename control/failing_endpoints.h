/* Endpoints that have only failed for five days are disabled (docs/webhooks.md, "What counts as delivered"). */
#ifndef CONTROL_FAILING_ENDPOINTS_H
#define CONTROL_FAILING_ENDPOINTS_H

#include "base/error.h"
#include "base/uuid.h"
#include "shm/segment.h"
#include "store/db.h"

/*
 * Disables those that there are, at most 100, each in a transaction of its own. In no transaction. ids: of the thread,
 * which is upkeep's; it alone counts them in control's slot. Returns as db_query().
 */
int failing_endpoints_disable(const struct segment *segment, struct uuid_source *ids, struct db *db, struct error *err);

#endif
