/*
 * The tenants that may not publish now, because more of their jobs wait than HL_MAX_QUEUE_DEPTH. Control's upkeep
 * writes the list; acceptors read it at each publish. Without that option it is empty.
 */
#ifndef SHM_FULL_QUEUES_H
#define SHM_FULL_QUEUES_H

#include <stdbool.h>
#include <stdint.h>

/* The most tenants in the list. Further ones are not limited. */
#define FULL_QUEUES_MOST 1000u

/* All zero is empty. */
struct full_queues {
	uint32_t count;
	uint64_t tenants[FULL_QUEUES_MOST]; /* tenant_hash() of shm/attempts.h */
};

/*
 * Replaces the list; count is at most FULL_QUEUES_MOST. One thread at a time. During the call a reader may miss a
 * tenant of both lists, but never finds one that is in neither.
 */
void full_queues_set(struct full_queues *queues, const uint64_t *tenants, uint32_t count);

/* Whether the tenant with that hash is in the list. Any process. */
bool full_queues_have(const struct full_queues *queues, uint64_t tenant);

#endif
