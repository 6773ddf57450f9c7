/*
 * The results of deliveries in an endpoint's row: since when it has only failed, its last failure, its last success.
 * Writing them does not count as a client's change.
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
	bool succeeded; /* an attempt succeeded this long ago: an older run of failures is over */
	int64_t succeeded_ago_ms;
	bool failing; /* attempts have failed since: how long ago the first and the last one */
	int64_t failing_ago_ms, failed_ago_ms;
	int64_t version; /* the failures count only while this is the endpoint's breaker_version */
	const char *breaker; /* the breaker's word; NULL: unchanged */
	bool locked; /* result: another session has locked the row, which is unchanged */
};

/*
 * Writes them in a transaction of jobs_begin(). Each endpoint may occur once. Skips locked rows; if tables are
 * distributed, a row that stays locked for a moment fails the whole call with DB_BUSY. Returns as db_query().
 */
int endpoint_runs_write(struct db *db, struct endpoint_run *runs, uint32_t count, struct error *err);

#endif
