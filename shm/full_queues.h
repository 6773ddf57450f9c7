/*
 * The tenants that publish nothing for now, because more jobs of theirs wait than HL_MAX_QUEUE_DEPTH: control's upkeep
 * writes the list, acceptors read it at each publish. It is empty without that option.
 */
#ifndef SHM_FULL_QUEUES_H
#define SHM_FULL_QUEUES_H

#include <stdbool.h>
#include <stdint.h>

/* Tenants in the list at most: while there are more, the others are not held to the limit. */
#define FULL_QUEUES_MOST 1000u

/* All zero is empty. */
struct full_queues {
	uint32_t count;
	uint64_t tenants[FULL_QUEUES_MOST]; /* tenant_hash() of shm/attempts.h */
};

/*
 * Replaces the list; count is at most FULL_QUEUES_MOST. One thread at a time. A reader may meanwhile miss a tenant that
 * is in both lists; it never finds one that is in none.
 */
void full_queues_set(struct full_queues *queues, const uint64_t *tenants, uint32_t count);

/* Whether the tenant with that hash is in the list. Any process. */
bool full_queues_have(const struct full_queues *queues, uint64_t tenant);

#endif
