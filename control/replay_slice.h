/*
 * A slice of a replay: takes the next of its events, in the order of ids, and makes new jobs by the present
 * subscriptions. A slice reads at most 200 events, and ends early if they have many jobs, or if the topic matches few
 * of the next 1,000 events. For a thread that has a connection to the webhooks' store.
 *
 * A job is made for each pair of endpoint and transform in a matching subscription, unless an earlier job for the same
 * event, endpoint and transform still waits or is under way. An event counts for the limit if a job of it was made or
 * still waits, so a repeated request takes the same events.
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

/* The most entries of results. */
#define REPLAY_RESULTS_MAX 100

struct replay_slice {
	/* Borrowed. */
	struct db *db; /* in a transaction of jobs_begin() that has locked the tenant's routes */
	const char *tenant_id;
	const struct replay_request *request;
	struct routes *routes;
	cJSON *results; /* an array; entries are added, up to REPLAY_RESULTS_MAX */

	uint8_t replay_id[16];
	int64_t node_id; /* the node that delivers the jobs; 0: only count them */
	int64_t before_ms; /* younger events are ignored */
	uint32_t most; /* most events that may count for the limit; at least 1 */
};

/* Runs the slice behind progress->place, and updates *progress except next_ms. Returns as db_query(). */
int replay_slice_run(const struct replay_slice *slice, struct replay_progress *progress, struct error *err);

#endif
