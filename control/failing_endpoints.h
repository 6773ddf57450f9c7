/* Disables endpoints that have only failed for five days (docs/deliveries.md, "What counts as delivered"). */
#ifndef CONTROL_FAILING_ENDPOINTS_H
#define CONTROL_FAILING_ENDPOINTS_H

#include "base/error.h"
#include "base/repeat.h"
#include "base/uuid.h"
#include "shm/segment.h"
#include "store/db.h"
#include "store/webhooks/endpoint_disabling.h"

/* For upkeep's thread, the only one that counts such endpoints in control's slot. segment is borrowed. */
struct failing_endpoints {
	const struct segment *segment;
	struct uuid_source ids;
	struct only_failed_place place; /* the next turn begins behind it */
	struct repeat refused;
};

/*
 * Disables the next 100 failing endpoints, each in a transaction of its own; after the last one it starts over. Skips
 * an endpoint that the store refuses to disable, or that takes too long. In no transaction. Returns as db_query().
 */
int failing_endpoints_turn(struct failing_endpoints *failing, struct db *db, struct error *err);

void failing_endpoints_free(struct failing_endpoints *failing);

#endif
