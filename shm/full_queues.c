/* Each word is atomic, so the order of loads and stores does not matter. */
#include "shm/full_queues.h"

#include <assert.h>
#include <ck_pr.h>

void
full_queues_set(struct full_queues *queues, const uint64_t *tenants, uint32_t count)
{
	assert(count <= FULL_QUEUES_MOST);
	for (uint32_t i = 0; i < count; i++)
		ck_pr_store_64(&queues->tenants[i], tenants[i]);
	/* Clear the rest, so that a growing count never reveals removed tenants. */
	for (uint32_t i = count; i < FULL_QUEUES_MOST && i < ck_pr_load_32(&queues->count); i++)
		ck_pr_store_64(&queues->tenants[i], 0);
	ck_pr_store_32(&queues->count, count);
}

bool
full_queues_have(const struct full_queues *queues, uint64_t tenant)
{
	uint32_t count = ck_pr_load_32(&queues->count);

	for (uint32_t i = 0; i < count && i < FULL_QUEUES_MOST; i++)
		if (ck_pr_load_64(&queues->tenants[i]) == tenant)
			return true;
	return false;
}
