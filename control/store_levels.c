/* Sets gauges in control's slot. Nodes that share a store report the same figures. */
#include "control/store_levels.h"

#include "shm/counters.h"
#include "store/webhooks/figures.h"

static void
set_level(const struct segment *segment, enum level level, int64_t number)
{
	level_set(segment_slot(segment, ROLE_CONTROL, 0), level, (uint64_t)number);
}

int
store_levels_update(struct db *db, const struct config *config, const struct segment *segment, struct error *err)
{
	struct tenant_figures tenants;
	struct node_figures nodes;
	int rc = figures_of_tenants(db, &tenants, err);

	if (rc == 0)
		rc = figures_of_nodes(db, &nodes, err);
	if (rc != 0)
		return rc;
	set_level(segment, LEVEL_QUEUE_DEPTH, tenants.waiting);
	set_level(segment, LEVEL_DEEPEST_QUEUE, tenants.deepest);
	set_level(segment, LEVEL_QUEUE_LIMIT, config->hl_max_queue_depth);
	set_level(segment, LEVEL_DLQ_JOBS, tenants.dead_letters);
	set_level(segment, LEVEL_NODES_ALIVE, nodes.alive);
	set_level(segment, LEVEL_NODES_SILENT, nodes.silent);
	set_level(segment, LEVEL_NODES_LEFT, nodes.left);
	set_level(segment, LEVEL_NODE_SILENCE, nodes.silence_ms * 1000);
	return 0;
}

int
store_levels_update_endpoints(
    struct db *db, const struct config *config, const struct segment *segment, struct error *err)
{
	struct endpoint_figures figures;
	int rc = figures_of_endpoints(db, config->hl_store == HL_STORE_POSTGRES, &figures, err);

	if (rc != 0)
		return rc;
	set_level(segment, LEVEL_ENDPOINTS_ENABLED, figures.enabled);
	set_level(segment, LEVEL_ENDPOINTS_PAUSED, figures.paused);
	set_level(segment, LEVEL_ENDPOINTS_OFF, figures.disabled);
	set_level(segment, LEVEL_HELD_JOBS, figures.held_jobs);
	return 0;
}
