/*
 * Which endpoint is served next: of the tenants the one that has the fewest attempts under way, and of that tenant the
 * endpoint of which this is true; one after the other of those that have equally many. An endpoint is served that has a
 * job that is due, a free slot of max_in_flight, a token of rate_limit_rps, and a breaker that allows an attempt; of
 * both limits this node has its share (courier/share.h), or all while it has the endpoint's lease (courier/lease.h).
 * Nothing is scanned: an endpoint that waits for its first job, a token or a probe stands in a heap.
 *
 * A slot is the right to have one attempt under way; a courier has COURIER_IN_FLIGHT_MOST. An endpoint gets one while
 * it has fewer than three times the slots that are free, a tenant fewer than seven times. So slow ones alone leave a
 * quarter and an eighth of the slots free for those that come later. When slots are scarce all come to have the same
 * number of them, which is the same time, whatever an attempt of each takes. A quarter of the slots is kept from
 * attempts that are not a job's first.
 * The loop's thread alone calls these functions.
 */
#ifndef COURIER_READY_H
#define COURIER_READY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "courier/queue.h"
#include "courier/share.h"
#include "shm/attempts.h"

#define READY_AGAIN_MOST (COURIER_IN_FLIGHT_MOST - COURIER_IN_FLIGHT_MOST / 4) /* attempts that are no first ones */

struct ready {
	struct heap tenants; /* which have ready endpoints */
	TAILQ_HEAD(tenants_aside, tenant) tenants_aside; /* those that have their part, until the next turn */
	TAILQ_HEAD(queues_aside, queue) queues_aside;
	int64_t lined_up; /* tenants and endpoints, ever */
	TAILQ_HEAD(held_back, queue) held_back; /* with jobs that were attempted before, while too many of these are */
	bool holds_back;
	struct heap due; /* endpoints that are served later */
	struct heap leases; /* endpoints whose lease is to be asked for or given back: courier/lease.h */
	int64_t slept_us; /* see leases_work() */
	uint32_t in_flight, again_in_flight; /* the second: of these, no first attempts */
	struct shares
	    shares; /* of limits; after shares_advance() has returned true ready_update() of all endpoints follows */
	int64_t now_us;
};

void ready_open(struct ready *ready);
void ready_close(struct ready *ready);

/* How limits hold for all nodes: each has its share; one has all, the one with the lease, or the one that sends all. */
enum limits_rule { LIMITS_DIVIDED, LIMITS_LEASED, LIMITS_OF_ONE };

enum limits_rule ready_rule(const struct ready *ready, const struct queue *queue);

/*
 * The endpoint has another configuration, and had that rule before. If it is another one now no attempt is begun before
 * all nodes act by that version of the table changes, and those that are under way have had the time to end. version 0:
 * this node has sent nothing by the rule of before. ready_update() follows.
 */
void ready_rule_changed(const struct ready *ready, struct queue *queue, enum limits_rule before, int64_t version);

/*
 * Puts the endpoint where it belongs. Called after every change of its configuration, of its waiting jobs, of what
 * is in flight, of held_until_us or of its breaker.
 */
void ready_update(struct ready *ready, struct queue *queue);

/* The steady clock has moved: makes ready what has become due. A turn begins with it. */
void ready_advance(struct ready *ready, int64_t now_us);

/*
 * The endpoint whose turn it is, and the turn passes on; NULL: none may be served now. The caller begins an attempt of
 * ready_job(), or takes that job out, and ready_update() follows.
 */
struct queue *ready_next(struct ready *ready);

/* Whether any wait for a slot. */
bool ready_has_some(const struct ready *ready);

/* Its job that is to be served, as the item of one of its heaps; NULL: there is none. */
struct heap_item *ready_job(const struct ready *ready, const struct queue *queue);

/* What was sent to the endpoint until that instant of the steady clock is not known here. It is loaded. */
void ready_empty_rate(const struct ready *ready, struct queue *queue, int64_t at_us);

/*
 * An attempt of that class begins, or has ended: it is counted in queue->in_flight, and, when it begins, for
 * rate_limit_rps. ready_update() follows.
 */
void ready_begin(struct ready *ready, struct queue *queue, enum job_class class);
void ready_end(struct ready *ready, struct queue *queue, enum job_class class);

/* When something is due next, by the steady clock: a job, or a lease; NEVER_US: nothing waits for time to pass. */
int64_t ready_due_us(const struct ready *ready);

#endif
