/*
 * Couriers learn of new jobs by the tenant's change_version. A slice raises it if the last time was a while ago, and so
 * does the last slice: couriers need not read the tenant's rows again for each of many slices.
 */
#include "control/replay_work.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "control/propagation.h"
#include "control/replay_request.h"
#include "control/replay_slice.h"
#include "shm/node.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/replay_jobs.h"
#include "store/webhooks/replay_rows.h"
#include "store/webhooks/routing.h"

#define TURN_US (400 * 1000)

/* How long a replay that cannot go on waits, so that others go first: after a conflict; after a failure. */
#define BUSY_MS 5000
#define FAILED_MS 60000
#define TELL_EACH_MS 1000
#define BURST_MS 1000 /* a late replay catches up at most this much */
#define SLICE_MOST 200

static struct replay_progress
progress_of(const struct db_rows *rows)
{
	struct replay_progress progress = {
	    .matched = db_rows_int(rows, 0, REPLAY_COLUMN_MATCHED),
	    .taken = db_rows_int(rows, 0, REPLAY_COLUMN_TAKEN),
	    .replayed = db_rows_int(rows, 0, REPLAY_COLUMN_REPLAYED),
	    .scheduled = db_rows_int(rows, 0, REPLAY_COLUMN_SCHEDULED),
	    .skipped = db_rows_int(rows, 0, REPLAY_COLUMN_SKIPPED),
	    .next_ms = db_rows_int(rows, 0, REPLAY_COLUMN_NEXT_MS),
	};
	struct span place = db_rows_text(rows, 0, REPLAY_COLUMN_PLACE);

	if (place.base != NULL)
		(void)uuid_parse(place.base, place.len, progress.place);
	return progress;
}

/* The time from which the rate counts: a late replay catches up only BURST_MS. */
static int64_t
paced_from(const struct replay_progress *progress, int64_t now_ms)
{
	return progress->next_ms > now_ms - BURST_MS ? progress->next_ms : now_ms - BURST_MS;
}

/* How many events are allowed now. The first one was due at from_ms. */
static uint32_t
allowance(const struct replay_request *request, int64_t from_ms, int64_t now_ms)
{
	int64_t events = request->rate > 0 ? 1 + (now_ms - from_ms) * request->rate / 1000 : SLICE_MOST;

	return events < SLICE_MOST ? (uint32_t)(events > 1 ? events : 1) : SLICE_MOST;
}

static int64_t
next_ms(const struct replay_request *request, int64_t from_ms, int64_t now_ms, int64_t taken)
{
	return request->rate > 0 ? from_ms + (taken * 1000 + request->rate - 1) / request->rate : now_ms;
}

static cJSON *
results_of(const struct db_rows *rows)
{
	struct span text = db_rows_text(rows, 0, REPLAY_COLUMN_RESULTS);
	cJSON *results = text.base != NULL ? cJSON_ParseWithLength(text.base, text.len) : NULL;

	if (!cJSON_IsArray(results)) {
		cJSON_Delete(results);
		results = cJSON_CreateArray();
	}
	if (results == NULL)
		mem_none(0);
	return results;
}

static int
save(struct db *db, struct db_rows *rows, const struct replay_progress *progress, const cJSON *results, int64_t node_id,
    struct error *err) /* six: whose, what, and the error */
{
	char *text = cJSON_PrintUnformatted(results);
	int rc;

	if (text == NULL)
		mem_none(0);
	rc = replay_rows_save(db, rows, progress, text, node_id, err);
	cJSON_free(text);
	return rc;
}

/* Runs the slice, and stores the replay's progress. */
static int
run(struct replay_slice *slice, struct db_rows *rows, struct replay_progress *progress, struct error *err)
{
	int64_t now_ms = db_rows_int(rows, 0, REPLAY_COLUMN_NOW_MS);
	int64_t from_ms = paced_from(progress, now_ms), before = progress->taken;
	struct span id = db_rows_text(rows, 0, REPLAY_COLUMN_ID);
	cJSON *results = results_of(rows);
	int rc;

	(void)uuid_parse(id.base, id.len, slice->replay_id);
	slice->results = results;
	slice->before_ms = db_rows_int(rows, 0, REPLAY_COLUMN_CREATED_MS) + 1;
	slice->most = allowance(slice->request, from_ms, now_ms);
	rc = replay_slice_run(slice, progress, err);
	if (rc == 0) {
		progress->next_ms = next_ms(slice->request, from_ms, now_ms, progress->taken - before);
		rc = save(slice->db, rows, progress, results, slice->node_id, err);
	}
	cJSON_Delete(results);
	return rc;
}

/* The node has a row. */
static int
run_request(
    struct replay_work *work, struct replay_slice *slice, struct db_rows *rows, int64_t *version, struct error *err)
{
	int64_t now_ms = db_rows_int(rows, 0, REPLAY_COLUMN_NOW_MS);
	bool later = now_ms / TELL_EACH_MS != db_rows_int(rows, 0, REPLAY_COLUMN_UPDATED_MS) / TELL_EACH_MS;
	bool first = db_rows_null(rows, 0, REPLAY_COLUMN_PLACE);
	struct replay_progress progress = progress_of(rows);
	const struct tenant_routes *tenant;
	struct span tenant_id = {slice->tenant_id, strlen(slice->tenant_id)};
	int rc = router_hold(work->router, slice->db, tenant_id, &tenant, err);

	if (rc == 0 && tenant == NULL) /* upkeep will remove the row */
		return replay_rows_end(slice->db, slice->tenant_id, db_rows_text(rows, 0, REPLAY_COLUMN_ID).base,
		    "cancelled", NULL, &first, err);
	if (rc != 0)
		return rc;
	slice->routes = tenant->routes;
	rc = run(slice, rows, &progress, err);
	if (rc == 0 && (first || progress.finished || later))
		rc = changes_raise_of(slice->db, slice->tenant_id, version, err);
	return rc;
}

int
replay_work_slice(struct replay_work *work, struct db *db, struct db_rows *rows, int64_t *version, struct error *err)
{
	struct replay_request request;
	struct document_error wrong = {0};
	struct node_row node;
	bool exists = node_read(&work->segment->header->node, &node);
	struct replay_slice slice = {.db = db,
	    .tenant_id = db_rows_text(rows, 0, REPLAY_COLUMN_TENANT).base,
	    .request = &request,
	    .node_id = node.node_id};
	int rc;

	*version = 0;
	if (!exists)
		return REPLAY_NO_NODE;
	if (replay_request_read(db_rows_text(rows, 0, REPLAY_COLUMN_REQUEST), &request, &wrong)) {
		rc = run_request(work, &slice, rows, version, err);
	} else {
		(void)error_set(err, "its request cannot be read: %s", wrong.detail);
		rc = DB_REFUSED;
	}
	replay_request_free(&request);
	return rc == 0 ? replay_hold_node(db, &node, err) : rc;
}

/* ---- the turn ---- */

/* Ends a replay for which the store refuses a slice. */
static int
give_up(struct db *db, const struct db_rows *rows, struct error *err)
{
	const char *tenant_id = db_rows_text(rows, 0, REPLAY_COLUMN_TENANT).base;
	const char *id = db_rows_text(rows, 0, REPLAY_COLUMN_ID).base;
	int64_t version = 0;
	bool ended = false;
	int rc;

	log_warning("a replay cannot go on: the store refuses what it does", LOG_STR("replay_id", id),
	    LOG_STR("tenant_id", tenant_id), LOG_STR("error", err->text));
	rc = db_begin(db, err);
	if (rc == 0)
		rc = replay_rows_end(db, tenant_id, id, "failed",
		    "the store refuses to go on; the log of the service says why", &ended, err);
	if (rc == 0)
		rc = changes_raise_of(db, tenant_id, &version, err);
	return db_end(db, rc, err);
}

/*
 * Does one slice of the replay found. *did: false: another node is working on it. Returns as db_query(), or
 * REPLAY_NO_NODE.
 */
static int
work_on(struct replay_work *work, struct db *db, const struct db_rows *found, bool *did, struct error *err)
{
	struct db_rows *rows = NULL;
	int64_t version = 0;
	int rc = jobs_begin(db, err);

	if (rc == 0)
		rc = replay_rows_lock(db, found, &rows, err);
	*did = rc == 0 && db_rows_count(rows) > 0;
	if (*did)
		rc = replay_work_slice(work, db, rows, &version, err);
	rc = db_end(db, rc, err);
	if (rc == 0 && version != 0)
		propagation_wake_couriers(work->segment, version);
	if (rc == DB_REFUSED && *did)
		rc = give_up(db, rows, err);
	db_rows_free(rows);
	return rc;
}

/* Does one slice of the replay that has waited longest. *did: there was one. As work_on(). */
static int
step(struct replay_work *work, struct db *db, bool *did, struct error *err)
{
	struct db_rows *found;
	int rc = replay_rows_find(db, &found, err);

	*did = false;
	if (rc != 0)
		return rc;
	if (db_rows_count(found) > 0) {
		struct error ignored;

		rc = work_on(work, db, found, did, err);
		/* A slow replay must not delay others. Without a store this has no effect. */
		if (rc < 0 || rc == DB_BUSY)
			(void)replay_rows_postpone(db, found, rc < 0 ? FAILED_MS : BUSY_MS, &ignored);
	}
	db_rows_free(found);
	return rc;
}

int
replay_work_turn(struct replay_work *work, struct db *db, struct error *err)
{
	int64_t until_us = clock_steady_us() + TURN_US;
	bool did;
	int rc;

	do
		rc = step(work, db, &did, err);
	while (rc == 0 && did && clock_steady_us() < until_us);
	router_trim(work->router);
	return rc == DB_BUSY || rc == REPLAY_NO_NODE ? 0 : rc;
}
