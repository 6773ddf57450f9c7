/* Capped exponential backoff with jitter, so that many replicas do not come back in step. */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
	uint32_t first_ms;
	uint32_t cap_ms;
	uint32_t failures;
};

/* How long to wait after one more failure: first, 2*first, ... cap, each drawn from the upper half of that range. */
uint32_t backoff_next_ms(struct backoff *backoff);

/* It worked: the next wait is the first one again. */
void backoff_reset(struct backoff *backoff);

#endif
