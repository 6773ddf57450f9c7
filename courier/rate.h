/*
 * rate_limit_rps of one endpoint, or this node's share of it: a token bucket that holds the tokens of 0.1 seconds, at
 * least one. So in any 10 seconds it lets through at most one percent more than the limit, or one request more. Pure:
 * the caller passes the time, by the steady clock.
 */
#ifndef COURIER_RATE_H
#define COURIER_RATE_H

#include <stdint.h>

/* All zero: a full bucket. */
struct rate {
	int64_t full_ns; /* when it is full again, by the steady clock */
};

/* The time in which one token flows in, for one of `parts` equal parts of the limit; at most a million parts. */
int64_t rate_token_ns(uint32_t per_second, uint32_t parts);

/*
 * Treats the bucket as empty at that time, or later: a new process does not know how many requests its predecessor
 * sent.
 */
void rate_empty(struct rate *rate, int64_t token_ns, int64_t at_us);

/* When a token is available; a past time: now. */
int64_t rate_due_us(const struct rate *rate, int64_t token_ns);

/* Takes a token, which must be available by rate_due_us(). */
void rate_take(struct rate *rate, int64_t token_ns, int64_t now_us);

#endif
