/*
 * rate_limit_rps of one endpoint, or this node's share of it: a token bucket that holds what flows in in 0.1 seconds,
 * but at least one token. So it lets through in any 10 seconds at most one percent more than the limit, or one request
 * more. Pure: the instant comes from the caller, by the steady clock.
 */
#ifndef COURIER_RATE_H
#define COURIER_RATE_H

#include <stdint.h>

/* All zero is a full bucket. */
struct rate {
	int64_t full_ns; /* when it is full again, by the steady clock */
};

/* The time in which one token flows in, where this is one of so many equal parts of the limit; at most a million. */
int64_t rate_token_ns(uint32_t per_second, uint32_t parts);

/*
 * The bucket was empty at that instant, or later: a process that begins does not know how many requests the one before
 * has sent.
 */
void rate_empty(struct rate *rate, int64_t token_ns, int64_t at_us);

/* When a token is there; an instant that has passed: there is one now. */
int64_t rate_due_us(const struct rate *rate, int64_t token_ns);

/* Takes a token. That is there, by rate_due_us(). */
void rate_take(struct rate *rate, int64_t token_ns, int64_t now_us);

#endif
