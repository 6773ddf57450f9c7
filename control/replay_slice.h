/*
 * A slice of a replay: the next events of those that it names, in the order of ids, and new jobs of them by the
 * subscriptions of this moment. A slice looks at 200 events at most, and ends early where their jobs are many, or where
 * the topic fits few of the next 1,000 events. For a thread that has a connection to the webhooks' store.
 *
 * A job is made for each pair of endpoint and transform that a matching subscription names, unless an earlier job of
 * the same three still waits or is under way. Events count for the limit when a job was made of them or still waits: so
 * a request that is sent again meets the same events.
 */
#ifndef CONTROL_REPLAY_SLICE_H
#define CONTROL_REPLAY_SLICE_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/error.h"
#include "control/replay_request.h"
#include "shm/node.h"
#include "store/db.h"
#include "store/webhooks/replay_rows.h"
#include "store/webhooks/routes.h"

/* Of which results tell. */
#define REPLAY_RESULTS_MAX 100

struct replay_slice {
	/* Borrowed. */
	struct db *db; /* in a transaction of jobs_begin(), which holds the tenant's routes */
	const char *tenant_id;
	const struct replay_request *request;
	struct routes *routes;
	cJSON *results; /* an array; entries are added up to REPLAY_RESULTS_MAX */

	uint8_t replay_id[16];
	int64_t node_id; /* delivers the jobs; 0: none are made, they are only counted */
	int64_t before_ms; /* events that are younger do not count */
	uint32_t most; /* events that may count for the limit now; at least 1 */
};

/* Goes on behind progress->place, and sets all of *progress but next_ms. Returns as db_query(). */
int replay_slice_run(const struct replay_slice *slice, struct replay_progress *progress, struct error *err);

#endif
