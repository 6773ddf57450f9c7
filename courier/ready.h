/*
 * Decides which endpoint is served next: the tenant with the fewest attempts under way, and within that tenant the
 * endpoint with the fewest; equal ones in turn. An endpoint can be served when it has a job that is due, a free slot of
 * max_in_flight, a token of rate_limit_rps, and a breaker that allows an attempt. Of both limits this node has its
 * share (courier/share.h), or all of it while it has the endpoint's lease (courier/lease.h). Nothing is scanned: an
 * endpoint that waits for its first job, a token or a probe stands in a heap.
 *
 * A slot is the right to have one attempt under way; a courier has COURIER_IN_FLIGHT_MOST. An endpoint gets a slot
 * while it has fewer than three times the free slots, a tenant while it has fewer than seven times. So a single slow
 * endpoint leaves a quarter of the slots free for others, a single slow tenant an eighth. When slots are scarce, all
 * get the same number of slots, and so the same share of time, however long their attempts last. A quarter of the slots
 * is reserved for first attempts of jobs. The loop's thread alone calls these functions.
 */
#ifndef COURIER_READY_H
#define COURIER_READY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "courier/queue.h"
#include "courier/share.h"
#include "shm/attempts.h"

#define READY_AGAIN_MOST (COURIER_IN_FLIGHT_MOST - COURIER_IN_FLIGHT_MOST / 4) /* attempts after a job's first */

struct ready {
	struct heap tenants; /* tenants with ready endpoints */
	TAILQ_HEAD(tenants_aside, tenant) tenants_aside; /* tenants that have their part until the next turn */
	TAILQ_HEAD(queues_aside, queue) queues_aside;
	int64_t lined_up; /* total of tenants and endpoints lined up */
	TAILQ_HEAD(held_back, queue) held_back; /* endpoints with repeated jobs, while too many are under way */
	bool holds_back;
	struct heap due; /* endpoints that have to wait to be served */
	struct heap leases; /* endpoints whose lease is to be asked for or given back: courier/lease.h */
	int64_t slept_us; /* see leases_update() */
	uint32_t in_flight, again_in_flight; /* all attempts; those that are not a job's first */
	struct shares shares; /* of limits; after shares_advance() returns true call ready_update() for all endpoints */
	int64_t now_us;
};

void ready_open(struct ready *ready);
void ready_close(struct ready *ready);

/*
 * How nodes share limits. DIVIDED: each has its share. LEASED: the node with the lease has all. OF_SENDER: the node
 * that sends the endpoint's orders has all.
 */
enum limits_rule { LIMITS_DIVIDED, LIMITS_LEASED, LIMITS_OF_SENDER };

enum limits_rule ready_rule(const struct ready *ready, const struct queue *queue);

/*
 * Call it after a new configuration; before: the rule until then. If the rule has changed, no attempt begins until all
 * nodes act by that version of the table changes and attempts under way have had time to end. version 0: this node has
 * sent nothing under the old rule. Call ready_update() next.
 */
void ready_rule_changed(const struct ready *ready, struct queue *queue, enum limits_rule before, int64_t version);

/*
 * Puts the endpoint where it belongs. Call it after each change of its configuration, waiting jobs, attempts under way,
 * held_until_us or breaker.
 */
void ready_update(struct ready *ready, struct queue *queue);

/* Takes the new time, and makes endpoints ready that have become due. Call it first in each turn. */
void ready_advance(struct ready *ready, int64_t now_us);

/*
 * Returns the endpoint whose turn it is, and passes the turn on; NULL: none can be served now. The caller begins an
 * attempt of ready_job(), or removes that job, and calls ready_update().
 */
struct queue *ready_next(struct ready *ready);

/* Whether any endpoint waits for a slot. */
bool ready_has_some(const struct ready *ready);

/* The endpoint's job to serve next, as the item of one of its heaps; NULL: none. */
struct heap_item *ready_job(const struct ready *ready, const struct queue *queue);

/*
 * Treats the endpoint's bucket as empty at that time (steady), because others may have sent until then. The endpoint
 * must be loaded.
 */
void ready_empty_rate(const struct ready *ready, struct queue *queue, int64_t at_us);

/*
 * Count an attempt of that class that begins or has ended in queue->in_flight; ready_begin() also takes a token of
 * rate_limit_rps. Call ready_update() next.
 */
void ready_begin(struct ready *ready, struct queue *queue, enum job_class class);
void ready_end(struct ready *ready, struct queue *queue, enum job_class class);

/* When a job or a lease is due next, by the steady clock; NEVER_US: none waits for time to pass. */
int64_t ready_due_us(const struct ready *ready);

#endif
