/* No other data depends on these words, so they need no fences. */
#include "shm/attempts.h"

#include <assert.h>
#include <ck_pr.h>

/* FNV-1a. */
uint64_t
tenant_hash(struct span tenant_id)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < tenant_id.len; i++)
		hash = (hash ^ (uint8_t)tenant_id.base[i]) * UINT64_C(0x100000001b3);
	return hash != 0 ? hash : 1;
}

void
attempts_set(struct attempt_words *words, uint32_t place, uint64_t tenant)
{
	assert(place < COURIER_IN_FLIGHT_MOST);
	ck_pr_store_64(&words->tenants[place], tenant);
}

uint32_t
attempts_count(const struct attempt_words *words, uint64_t tenant)
{
	uint32_t count = 0;

	for (uint32_t place = 0; place < COURIER_IN_FLIGHT_MOST; place++)
		count += ck_pr_load_64(&words->tenants[place]) == tenant;
	return count;
}
