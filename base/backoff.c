/* Backoff arithmetic; the caller does the waiting. */
#include "base/backoff.h"

#include <stdlib.h>
#include <sys/random.h>

uint32_t
backoff_next_ms(struct backoff *backoff)
{
	uint64_t ceiling = backoff->first_ms;
	uint32_t random = 0;

	for (uint32_t i = 0; i < backoff->failures && ceiling < backoff->cap_ms; i++)
		ceiling *= 2;
	if (ceiling > backoff->cap_ms)
		ceiling = backoff->cap_ms;
	backoff->failures++;

	/* If getrandom(2) fails, only the jitter is lost. */
	(void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
	return (uint32_t)(ceiling - (ceiling / 2) * (random & 0xffff) / 0xffff);
}

void
backoff_reset(struct backoff *backoff)
{
	backoff->failures = 0;
}
