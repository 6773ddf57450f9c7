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
	struct publish_outcome outcome; /* result 0: it is to be stored */
	bool fresh; /* the present transaction has stored it, not an earlier one */
	uint32_t number; /* its place among the events that came with it */
	int64_t version; /* of its tenant's routes */
	uint32_t first_job, jobs; /* in struct publication_group */
};

/* Those that one transaction stores. Borrowed. */
struct publication_group {
	struct publication *const *items;
	uint32_t count;
	struct route_jobs *jobs; /* of all of them; jobs_add() gives them their places */
	struct node_row node; /* delivers them */
	int64_t now_ms; /* wall clock */
};

/* An event's tenant and id; and the time in the id, which the table's key has. ms since 1970. */
struct span publication_tenant(const struct publication *item);
int64_t publication_created_ms(const struct record *record);

#endif
