/*
 * A request counts no rows: upkeep has counted them, and couriers count in the segment. Only ?top=N counts
 * (control/admin_top.c).
 */
#include "control/admin_stats.h"

#include <string.h>

#include "control/admin_top.h"
#include "control/compaction.h"
#include "control/pauses.h"
#include "control/tenants.h"
#include "control/tree.h"
#include "shm/counters.h"
#include "store/webhooks/endpoint_changes.h"
#include "store/webhooks/tenants.h"

static int64_t
in_flight(const struct segment *segment, const char *tenant_id)
{
	return tenant_id != NULL ? tenant_in_flight(segment, (struct span){tenant_id, strlen(tenant_id)})
				 : (int64_t)segment_level_sum(segment, LEVEL_COURIER_IN_FLIGHT);
}

/* Takes ownership of compaction. */
static cJSON *
show(const struct request *request, const char *tenant_id, int64_t waiting, cJSON *compaction, bool paused)
{
	cJSON *tree = tree_new(), *queue = tree_new();

	tree_add_int(queue, "pending", waiting);
	tree_add_int(queue, "inflight", in_flight(request->context->segment, tenant_id));
	tree_add(tree, "queue", queue);
	tree_add(tree, "compaction", compaction);
	tree_add_bool(tree, "paused", paused);
	return tree;
}

void
admin_stats(const struct request *request, struct reply *reply)
{
	char query[QUERY_VALUE_BYTES];
	const char *tenant_id;
	struct error err;
	cJSON *compaction, *top = NULL, *tree;
	int64_t waiting = 0, most = 0;
	bool paused = false, exists = true;
	int rc;

	if (!admin_scope(request, &tenant_id, query, reply) ||
	    !query_int(request, "top", 0, ADMIN_TOP_MOST, &most, reply))
		return;
	rc = tenant_id == NULL ? 0 : endpoint_tenant_exists(request->db, tenant_id, &exists, &err);
	if (rc == 0)
		rc = tenants_waiting(request->db, tenant_id, &waiting, &err);
	if (rc == 0)
		rc = pause_holds(request, tenant_id, &paused, &err);
	if (rc == 0 && !exists) {
		answer_error(reply, 404, "not_found", "there is no such tenant");
		return;
	}
	if (rc == 0 && most > 0)
		rc = admin_top(request, tenant_id, (uint32_t)most, &top, &err);
	if (rc == 0)
		rc = compaction_show(request, &compaction, &err);
	if (rc != 0) {
		cJSON_Delete(top);
		answer_store_failed(reply, rc, &err);
		return;
	}
	tree = show(request, tenant_id, waiting, compaction, paused);
	if (top != NULL)
		tree_add(tree, "top", top);
	answer_json(reply, 200, tree);
}
