/* Events on their way into the webhooks' store. */
#ifndef STORE_WEBHOOKS_PUBLICATION_H
#define STORE_WEBHOOKS_PUBLICATION_H

#include <stdbool.h>
#include <stdint.h>

#include "event/publish_outcome.h"
#include "event/record.h"
#include "shm/node.h"
#include "store/webhooks/routes.h"

struct publication {
	const struct record *record; /* borrowed */
	struct publish_outcome outcome; /* result 0: not known yet, the event is to be stored */
	bool fresh; /* stored by the present transaction, not by an earlier one */
	uint32_t number; /* its index in the batch */
	int64_t version; /* of its tenant's routes */
	uint32_t first_job, jobs; /* in struct publication_group */
};

/* The publications that one transaction stores. Borrowed. */
struct publication_group {
	struct publication *const *items;
	uint32_t count;
	struct route_jobs *jobs; /* the jobs of all; jobs_add() gives them their places */
	struct node_row node; /* the node that delivers them */
	int64_t now_ms; /* wall clock */
};

/* An event's tenant, id, and the time in the id, which is in the table's key. ms since 1970. */
struct span publication_tenant(const struct publication *item);
int64_t publication_created_ms(const struct record *record);

#endif
