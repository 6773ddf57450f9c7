/*
 * What is counted of the webhooks' store as a whole, for metrics. None of it takes longer the more jobs wait. For
 * upkeep's thread. The functions return as db_query(), and are for no transaction of the caller.
 */
#ifndef STORE_WEBHOOKS_FIGURES_H
#define STORE_WEBHOOKS_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* Sums of what upkeep has counted of each tenant last, on whichever node (store/webhooks/tenant_stats.h). */
struct tenant_figures {
	int64_t waiting; /* jobs */
	int64_t deepest; /* jobs of the tenant of which most wait */
	int64_t dead_letters;
};

int figures_of_tenants(struct db *db, struct tenant_figures *figures, struct error *err);

/* Of the nodes that no other node has adopted: */
struct node_figures {
	int64_t alive;
	int64_t silent; /* for their timeout_ms or longer, and they have not left */
	int64_t left;
	int64_t silence_ms; /* the longest of the nodes that have not left */
};

int figures_of_nodes(struct db *db, struct node_figures *figures, struct error *err);

struct endpoint_figures {
	int64_t enabled, paused, disabled; /* paused: of those that are enabled */
	int64_t held_jobs; /* of paused and disabled ones; counted up to FIGURES_HELD_MOST */
};

#define FIGURES_HELD_MOST 100000

/* postgres: which of the two databases db is. */
int figures_of_endpoints(struct db *db, bool postgres, struct endpoint_figures *figures, struct error *err);

#endif
