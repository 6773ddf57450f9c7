/*
 * Which endpoint is served next: one after the other of the tenants, and of each tenant one after the other of the
 * endpoints, that have a job that is due, a free slot of max_in_flight, a token of rate_limit_rps and a breaker that
 * allows an attempt. Nothing is scanned: an endpoint that waits for its first job, a token or a probe stands in a heap.
 * The loop's thread alone calls these functions.
 */
#ifndef COURIER_READY_H
#define COURIER_READY_H

#include <stdint.h>
#include <sys/queue.h>

#include "courier/queues.h"

struct ready {
	TAILQ_HEAD(ready_tenants, tenant) tenants; /* which have ready endpoints */
	struct heap due; /* endpoints that are served later */
	int64_t now_us;
};

void ready_open(struct ready *ready);
void ready_close(struct ready *ready);

/*
 * Puts the endpoint where it belongs. Called after every change of its configuration, of its waiting jobs, of what
 * is in flight, of held_until_us or of its breaker.
 */
void ready_update(struct ready *ready, struct queue *queue);

/* An attempt begins: it counts for rate_limit_rps. ready_update() follows. */
void ready_take_token(const struct ready *ready, struct queue *queue);

/* The steady clock has moved: makes ready what has become due. */
void ready_advance(struct ready *ready, int64_t now_us);

/* The endpoint whose turn it is, and the turn passes on; NULL: none is ready. */
struct queue *ready_next(struct ready *ready);

/* When the next job becomes due, by the steady clock; NEVER_US: nothing waits for time to pass. */
int64_t ready_due_us(const struct ready *ready);

#endif
