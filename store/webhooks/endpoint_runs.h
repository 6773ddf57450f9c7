/*
 * What deliveries say of an endpoint: since when it has only failed, when it failed last, when it was last well. None
 * of it is a change that a client made.
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
	bool failing; /* attempts have failed since, the first and the last of them so long ago */
	int64_t failing_ago_ms, failed_ago_ms;
	int64_t version; /* the failures count only while this is the endpoint's breaker_version */
	const char *breaker; /* its word; NULL: as it is */
	bool locked; /* a result: another session has locked its row, which stays as it is */
};

/*
 * Writes them in the transaction that jobs_begin() began; an endpoint is named once. It waits for no row that somebody
 * has locked, but where tables are distributed. Returns as db_query().
 */
int endpoint_runs_write(struct db *db, struct endpoint_run *runs, uint32_t count, struct error *err);

#endif
