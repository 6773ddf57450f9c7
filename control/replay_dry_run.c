/* The dry run reads the same slices, in read-only transactions. */
#include "control/replay_dry_run.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/replay_matched.h"
#include "control/replay_slice.h"
#include "control/tree.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/router.h"

#define MARGIN_US (1000 * INT64_C(1000)) /* no slice begins this shortly before the deadline */
#define SLICE_MOST 200

/* Reads one slice. */
static int
read_slice(const struct request *request, struct router *router, struct replay_slice *slice,
    struct replay_progress *progress, struct error *err)
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
	rc = db_begin_to_read(request->db, err);
	if (rc == 0)
		rc = jobs_by_indexes(request->db, err);
	if (rc == 0)
		rc = replay_slice_run(slice, progress, err);
	db_rollback(request->db);
	return rc;
}

/* Does not show ids of jobs: other jobs may get them first. */
static void
answer(const struct request *request, const struct replay_progress *progress, bool exact, cJSON *results,
    struct reply *reply)
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
	tree_add_bool(tree, "matched_exact", exact);
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
	struct replay_matched matched;
	struct router *router;
	struct error err;
	int rc = replay_count(request, replay, &matched, &err);

	if (rc == 0)
		rc = replay_check(request, replay, &matched, reply, &err);
	if (rc == 0 && reply->status != 0)
		return;
	progress.matched = matched.events;
	router = router_new(request->context->config);
	slice.results = cJSON_CreateArray();
	if (slice.results == NULL)
		mem_none(0);
	do
		rc = rc != 0 ? rc : read_slice(request, router, &slice, &progress, &err);
	while (rc == 0 && !progress.finished && clock_steady_us() < request->deadline_us - MARGIN_US);
	router_free(router);
	if (rc == 0) {
		answer(request, &progress, matched.exact, slice.results, reply);
	} else {
		cJSON_Delete(slice.results);
		answer_store_failed(reply, rc, &err);
	}
}
