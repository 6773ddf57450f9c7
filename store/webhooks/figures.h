/*
 * Figures of the whole webhooks' store, for metrics. Their cost does not grow with the number of waiting jobs. For
 * upkeep's thread. The functions return as db_query(); the caller has no transaction open.
 */
#ifndef STORE_WEBHOOKS_FIGURES_H
#define STORE_WEBHOOKS_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* Sums over tenants of upkeep's last counts, made by any node (store/webhooks/tenant_stats.h). */
struct tenant_figures {
	int64_t waiting; /* jobs */
	int64_t deepest; /* most waiting jobs of one tenant */
	int64_t dead_letters;
};

int figures_of_tenants(struct db *db, struct tenant_figures *figures, struct error *err);

/* Nodes that no other node has adopted. */
struct node_figures {
	int64_t alive;
	int64_t silent; /* for at least their timeout_ms, not left */
	int64_t left;
	int64_t silence_ms; /* longest silence of a node that has not left */
};

int figures_of_nodes(struct db *db, struct node_figures *figures, struct error *err);

struct endpoint_figures {
	int64_t enabled, paused, disabled; /* paused: among the enabled ones */
	int64_t held_jobs; /* of paused and disabled ones; counted up to FIGURES_HELD_MOST */
};

#define FIGURES_HELD_MOST 100000

/* postgres: db is PostgreSQL, otherwise SQLite. */
int figures_of_endpoints(struct db *db, bool postgres, struct endpoint_figures *figures, struct error *err);

#endif
