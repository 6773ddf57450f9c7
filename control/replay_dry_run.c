/* The dry run makes the same slices, in transactions that write nothing. */
#include "control/replay_dry_run.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/replay_slice.h"
#include "control/tree.h"
#include "store/webhooks/endpoints.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/replay_events.h"
#include "store/webhooks/router.h"

#define COUNTED_MOST 1000000
#define MARGIN_US (1000 * INT64_C(1000)) /* before the deadline no slice begins */
#define SLICE_MOST 200

/* ---- what is there ---- */

static int
check_endpoint(
    const struct request *request, const struct replay_request *replay, struct reply *reply, struct error *err)
{
	struct span id = {replay->endpoint_text, strlen(replay->endpoint_text)};
	struct db_rows *rows;
	int rc;

	if (id.len == 0)
		return 0;
	rc = endpoints_get(request->db, request->caller.tenant_id, id, false, &rows, err);
	if (rc == 0 && db_rows_count(rows) == 0)
		answer_error(reply, 404, "not_found", "endpoint_id: there is no such endpoint");
	if (rc == 0)
		db_rows_free(rows);
	return rc;
}

static int
count_named(const struct request *request, const struct replay_request *replay, int64_t *matched, struct error *err)
{
	for (uint32_t i = 0; i < replay->id_count; i++) {
		struct db_rows *rows;
		int rc = replay_events_named(request->db, request->caller.tenant_id, replay->ids[i], &rows, err);

		if (rc != 0)
			return rc;
		*matched += db_rows_count(rows);
		db_rows_free(rows);
	}
	return 0;
}

static int
count_range(const struct request *request, const struct replay_request *replay, int64_t *matched, struct error *err)
{
	const struct replay_range range = {
	    request->caller.tenant_id, replay->created, topic_filter_like(&replay->topic)};
	struct db_rows *rows;
	int rc = replay_events_count(request->db, &range, COUNTED_MOST, &rows, err);

	if (rc != 0)
		return rc;
	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		if (topic_filter_fits(&replay->topic, db_rows_text(rows, row, 0)))
			*matched += db_rows_int(rows, row, 1);
	db_rows_free(rows);
	return 0;
}

int
replay_check(const struct request *request, const struct replay_request *replay, int64_t *matched, struct reply *reply,
    struct error *err)
{
	int rc = check_endpoint(request, replay, reply, err);

	*matched = 0;
	if (rc != 0 || reply->status != 0)
		return rc;
	rc = (replay->ids != NULL ? count_named : count_range)(request, replay, matched, err);
	if (rc == 0 && replay->one && *matched == 0)
		answer_error(reply, 410, "gone", "event_id: there is no such event, or not any more");
	return rc;
}

/* ---- the dry run ---- */

/* One slice, in a transaction that leaves nothing behind. */
static int
look(const struct request *request, struct router *router, struct replay_slice *slice, struct replay_progress *progress,
    struct error *err)
{
	const char *tenant_id = request->caller.tenant_id;
	const struct tenant_routes *tenant;
	int rc = router_find(router, request->db, (struct span){tenant_id, strlen(tenant_id)}, &tenant, err);

	if (rc != 0)
		return rc;
	if (tenant == NULL) {
		progress->finished = true;
		return 0;
	}
	slice->routes = tenant->routes;
	rc = jobs_begin(request->db, err);
	if (rc == 0)
		rc = replay_slice_run(slice, progress, err);
	db_rollback(request->db);
	return rc;
}

/* The ids that jobs would get are not told: others may have them before. */
static void
answer(const struct request *request, const struct replay_progress *progress, cJSON *results, struct reply *reply)
{
	cJSON *tree = tree_new(), *entry;

	cJSON_ArrayForEach(entry, results)
	{
		cJSON *ids = cJSON_DetachItemFromObjectCaseSensitive(entry, "job_ids");

		if (ids != NULL)
			tree_add_int(entry, "jobs", cJSON_GetArraySize(ids));
		cJSON_Delete(ids);
	}
	tree_add_text(tree, "id", (struct span){0});
	tree_add_text(tree, "replay_id", (struct span){0});
	tree_add_text(tree, "tenant_id", (struct span){request->caller.tenant_id, strlen(request->caller.tenant_id)});
	tree_add_text(tree, "status", (struct span){"dry_run", strlen("dry_run")});
	tree_add_bool(tree, "dry_run", true);
	tree_add_bool(tree, "complete", progress->finished);
	tree_add_int(tree, "matched", progress->matched);
	tree_add_int(tree, "replayed", progress->replayed);
	tree_add_int(tree, "scheduled", progress->scheduled);
	tree_add_int(tree, "skipped", progress->skipped);
	tree_add(tree, "results", results);
	answer_json(reply, 200, tree);
}

void
replay_dry_run(const struct request *request, const struct replay_request *replay, struct reply *reply)
{
	struct replay_progress progress = {0};
	struct replay_slice slice = {.db = request->db,
	    .tenant_id = request->caller.tenant_id,
	    .request = replay,
	    .before_ms = clock_wall_us() / 1000 + 1,
	    .most = SLICE_MOST};
	struct router *router;
	struct error err;
	int rc = replay_check(request, replay, &progress.matched, reply, &err);

	if (rc == 0 && reply->status != 0)
		return;
	router = router_new(request->context->config);
	slice.results = cJSON_CreateArray();
	if (slice.results == NULL)
		mem_none(0);
	do
		rc = rc != 0 ? rc : look(request, router, &slice, &progress, &err);
	while (rc == 0 && !progress.finished && clock_steady_us() < request->deadline_us - MARGIN_US);
	router_free(router);
	if (rc == 0) {
		answer(request, &progress, slice.results, reply);
	} else {
		cJSON_Delete(slice.results);
		answer_store_failed(reply, rc, &err);
	}
}
