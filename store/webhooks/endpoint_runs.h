/*
 * What deliveries say of an endpoint: since when it has only failed, when it was last well, and that it is disabled.
 * None of it is a change that a client made.
 */
#ifndef STORE_WEBHOOKS_ENDPOINT_RUNS_H
#define STORE_WEBHOOKS_ENDPOINT_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/* Times are distances from now. endpoint_id is borrowed, 16 bytes. */
struct endpoint_run {
	struct span tenant_id;
	const uint8_t *endpoint_id;
	bool succeeded; /* an attempt has, so long ago: an older run of failures is over */
	int64_t succeeded_ago_ms;
	bool failing; /* attempts have failed since, the first of them so long ago */
	int64_t failing_ago_ms;
	const char *breaker; /* its word; NULL: as it is */
};

/* Writes them in the transaction that db_begin() began; an endpoint is named once. Returns as db_query(). */
int endpoint_runs_write(struct db *db, const struct endpoint_run *runs, uint32_t count, struct error *err);

/*
 * Disables the endpoint in the transaction that db_begin() began. *disabled: it was active and is there. Returns as
 * db_query().
 */
int endpoint_disable(struct db *db, struct span tenant_id, const uint8_t endpoint_id[16], const char *reason,
    bool *disabled, struct error *err); /* six: a key, why, and the result */

#endif
