/* Limits depend on the number of free slots (dynamic thresholds, as in switch buffers). */
#include "courier/ready.h"

#include <assert.h>

#define QUEUE_TIMES_FREE 3
#define TENANT_TIMES_FREE 7
/* Held-back endpoints go on only when this few attempts are left, because each time all of them are moved. */
#define AGAIN_ON (READY_AGAIN_MOST - READY_AGAIN_MOST / 8)

void
ready_open(struct ready *ready)
{
	*ready = (struct ready){0};
	TAILQ_INIT(&ready->tenants_aside);
	TAILQ_INIT(&ready->queues_aside);
	TAILQ_INIT(&ready->held_back);
}

void
ready_close(struct ready *ready)
{
	heap_free(&ready->due);
	heap_free(&ready->leases);
	heap_free(&ready->tenants);
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* ---- lines ---- */

/* Puts it behind all that have as many attempts under way, or fewer. */
static void
line_up(struct ready *ready, struct heap *line, struct heap_item *turn, uint32_t in_flight)
{
	heap_put(line, turn, ((int64_t)in_flight << 48) + ++ready->lined_up);
}

static void
place_tenant(struct ready *ready, struct tenant *tenant, enum ready_place place)
{
	if (tenant->place == READY_ASIDE)
		TAILQ_REMOVE(&ready->tenants_aside, tenant, aside);
	if (place == READY_IN_LINE)
		line_up(ready, &ready->tenants, &tenant->turn, tenant->in_flight);
	else
		heap_remove(&ready->tenants, &tenant->turn);
	if (place == READY_ASIDE)
		TAILQ_INSERT_TAIL(&ready->tenants_aside, tenant, aside);
	tenant->place = place;
}

/* Moves the endpoint. Its tenant is in line, or aside, while one of its endpoints is in line. */
static void
place_queue(struct ready *ready, struct queue *queue, enum ready_place place)
{
	struct tenant *tenant = queue->tenant;

	if (queue->place == READY_ASIDE)
		TAILQ_REMOVE(&ready->queues_aside, queue, aside);
	if (place == READY_IN_LINE)
		line_up(ready, &tenant->ready, &queue->turn, queue->in_flight);
	else
		heap_remove(&tenant->ready, &queue->turn);
	if (place == READY_ASIDE)
		TAILQ_INSERT_TAIL(&ready->queues_aside, queue, aside);
	queue->place = place;
	if (tenant->ready.count == 0)
		place_tenant(ready, tenant, READY_NOWHERE);
	else if (tenant->place == READY_NOWHERE)
		place_tenant(ready, tenant, READY_IN_LINE);
}

/* ---- one endpoint ---- */

enum limits_rule
ready_rule(const struct ready *ready, const struct queue *queue)
{
	const struct endpoint_config *config = queue->config;

	if (config == NULL)
		return LIMITS_DIVIDED;
	if (config->fifo)
		return LIMITS_OF_SENDER;
	return share_needs_lease(&ready->shares.view, config->max_in_flight, config->exact_limits) ? LIMITS_LEASED
												   : LIMITS_DIVIDED;
}

static bool
is_leased(const struct ready *ready, const struct queue *queue)
{
	return ready_rule(ready, queue) == LIMITS_LEASED;
}

void
ready_rule_changed(const struct ready *ready, struct queue *queue, enum limits_rule before, int64_t version)
{
	if (version != 0 && ready->shares.view.nodes > 1 && ready_rule(ready, queue) != before)
		queue->unseen_version = version;
}

/*
 * When all nodes have stopped using the old rule, attempts that began under it end within settle_us. A node that is
 * alone or joins waits for no version.
 */
static void
follow_rule(const struct ready *ready, struct queue *queue)
{
	const struct shares *shares = &ready->shares;

	if (queue->unseen_version == 0 || (shares->view.nodes > 1 && shares->seen_version < queue->unseen_version))
		return;
	queue->unseen_version = 0;
	queue->rests_until_us = ready->now_us + shares->settle_us;
}

static bool
is_settled(const struct ready *ready, const struct queue *queue)
{
	return shares_lease_settled(&ready->shares, queue->config->max_in_flight, queue->config->exact_limits);
}

/* One courier serves an endpoint, so it has the node's whole share. */
static int64_t
token_ns(const struct ready *ready, const struct queue *queue)
{
	uint32_t parts = ready_rule(ready, queue) != LIMITS_DIVIDED ? 1 : ready->shares.view.nodes;

	return rate_token_ns(queue->config->rate_limit_rps, parts > 0 ? parts : 1);
}

/* The most attempts at a time. */
static uint32_t
most_in_flight(const struct ready *ready, const struct queue *queue)
{
	uint32_t most = queue->config->max_in_flight;

	switch (ready_rule(ready, queue)) {
	case LIMITS_DIVIDED:
		most = shares_least(&ready->shares, most);
		break;
	case LIMITS_LEASED:
		if (!is_settled(ready, queue) || !lease_allows(&queue->lease, queue->config->timeout_ms, ready->now_us))
			most = 0;
		break;
	case LIMITS_OF_SENDER:
		most = ready->shares.view.nodes > 0 ? most : 0;
		break;
	}
	return queue->unresolved > 0 && most > 1 ? 1 : most;
}

void
ready_empty_rate(const struct ready *ready, struct queue *queue, int64_t at_us)
{
	rate_empty(&queue->rate, token_ns(ready, queue), at_us);
}

struct heap_item *
ready_job(const struct ready *ready, const struct queue *queue)
{
	struct heap_item *first = heap_first(&queue->waiting[JOB_FIRST]);
	struct heap_item *again = heap_first(&queue->waiting[JOB_AGAIN]);

	if (again == NULL || ready->holds_back)
		return first;
	return first == NULL || again->at < first->at ? again : first;
}

/* When the endpoint would get its next job without its limits; NEVER_US: not by time alone. */
static int64_t
wanted_at(const struct ready *ready, const struct queue *queue)
{
	const struct heap_item *job = ready_job(ready, queue);

	/* Attempts under a former order, or none, must end first. */
	if (job == NULL || !queue_delivers(queue) || queue->fifo.of_former_order > 0 || queue->unseen_version != 0)
		return NEVER_US;
	return later(
	    later(job->at, queue->rests_until_us), later(queue->held_until_us, breaker_due_us(&queue->breaker)));
}

/* When it can next be served. */
static int64_t
served_at(const struct ready *ready, const struct queue *queue)
{
	int64_t at = wanted_at(ready, queue);

	if (at == NEVER_US || queue->in_flight >= most_in_flight(ready, queue))
		return NEVER_US;
	return later(at, rate_due_us(&queue->rate, token_ns(ready, queue)));
}

static void
update_lease(struct ready *ready, struct queue *queue)
{
	const struct lease_facts facts = {.needed = is_leased(ready, queue),
	    .settled = queue->config != NULL && is_settled(ready, queue),
	    .busy = queue->in_flight > 0,
	    .timeout_ms = queue->config != NULL ? queue->config->timeout_ms : 0,
	    .job_us = wanted_at(ready, queue),
	    .now_us = ready->now_us};
	int64_t at = lease_due_us(&queue->lease, &facts);

	if (at == NEVER_US)
		heap_remove(&ready->leases, &queue->lease_due);
	else
		heap_put(&ready->leases, &queue->lease_due, at);
}

static void
hold_back(struct ready *ready, struct queue *queue)
{
	bool wanted = ready->holds_back && queue->waiting[JOB_AGAIN].count > 0;

	if (wanted && !queue->is_held_back)
		TAILQ_INSERT_TAIL(&ready->held_back, queue, held_back);
	else if (!wanted && queue->is_held_back)
		TAILQ_REMOVE(&ready->held_back, queue, held_back);
	queue->is_held_back = wanted;
}

void
ready_update(struct ready *ready, struct queue *queue)
{
	int64_t at;

	follow_rule(ready, queue);
	at = served_at(ready, queue);
	hold_back(ready, queue);
	update_lease(ready, queue);
	if (at <= ready->now_us) {
		heap_remove(&ready->due, &queue->due);
		if (queue->place == READY_NOWHERE)
			place_queue(ready, queue, READY_IN_LINE);
		return;
	}
	if (queue->place != READY_NOWHERE)
		place_queue(ready, queue, READY_NOWHERE);
	if (at == NEVER_US)
		heap_remove(&ready->due, &queue->due);
	else
		heap_put(&ready->due, &queue->due, at);
}

/* ---- turns ---- */

void
ready_advance(struct ready *ready, int64_t now_us)
{
	struct heap_item *first;
	struct tenant *tenant;
	struct queue *queue;

	ready->now_us = now_us;
	if (ready->holds_back && ready->again_in_flight <= AGAIN_ON) {
		ready->holds_back = false;
		while ((queue = TAILQ_FIRST(&ready->held_back)) != NULL)
			ready_update(ready, queue);
	}
	while ((queue = TAILQ_FIRST(&ready->queues_aside)) != NULL)
		place_queue(ready, queue, READY_IN_LINE);
	while ((tenant = TAILQ_FIRST(&ready->tenants_aside)) != NULL)
		place_tenant(ready, tenant, READY_IN_LINE);
	while ((first = heap_first(&ready->due)) != NULL && first->at <= now_us)
		ready_update(ready, HEAP_ENTRY(first, struct queue, due));
}

struct queue *
ready_next(struct ready *ready)
{
	uint32_t free_slots = COURIER_IN_FLIGHT_MOST - ready->in_flight;
	struct heap_item *first;

	while (free_slots > 0 && (first = heap_first(&ready->tenants)) != NULL) {
		struct tenant *tenant = HEAP_ENTRY(first, struct tenant, turn);
		struct queue *queue = HEAP_ENTRY(heap_first(&tenant->ready), struct queue, turn);

		if (tenant->in_flight >= TENANT_TIMES_FREE * free_slots) {
			place_tenant(ready, tenant, READY_ASIDE);
		} else if (queue->in_flight >= QUEUE_TIMES_FREE * free_slots) {
			place_queue(ready, queue, READY_ASIDE);
		} else if (served_at(ready, queue) > ready->now_us) {
			ready_update(ready, queue); /* it is no longer ready: its job is held back */
		} else {
			place_queue(ready, queue, READY_IN_LINE);
			place_tenant(ready, tenant, READY_IN_LINE);
			return queue;
		}
	}
	return NULL;
}

bool
ready_has_some(const struct ready *ready)
{
	return ready->tenants.count > 0 || !TAILQ_EMPTY(&ready->tenants_aside) || !TAILQ_EMPTY(&ready->queues_aside) ||
	       !TAILQ_EMPTY(&ready->held_back);
}

/* ---- slots ---- */

static void
add_in_flight(struct ready *ready, struct queue *queue, enum job_class class, uint32_t step)
{
	queue->in_flight += step;
	queue->tenant->in_flight += step;
	ready->in_flight += step;
	if (class == JOB_AGAIN)
		ready->again_in_flight += step;
	if (queue->place == READY_IN_LINE)
		place_queue(ready, queue, READY_IN_LINE);
	if (queue->tenant->place == READY_IN_LINE)
		place_tenant(ready, queue->tenant, READY_IN_LINE);
}

void
ready_begin(struct ready *ready, struct queue *queue, enum job_class class)
{
	assert(ready->in_flight < COURIER_IN_FLIGHT_MOST);
	rate_take(&queue->rate, token_ns(ready, queue), ready->now_us);
	add_in_flight(ready, queue, class, 1);
	if (ready->again_in_flight >= READY_AGAIN_MOST)
		ready->holds_back = true;
}

void
ready_end(struct ready *ready, struct queue *queue, enum job_class class)
{
	assert(queue->in_flight > 0);
	add_in_flight(ready, queue, class, -1u);
	queue->lease.idle_us = ready->now_us + LEASE_IDLE_US;
}

int64_t
ready_due_us(const struct ready *ready)
{
	const struct heap_item *first = heap_first(&ready->due), *lease = heap_first(&ready->leases);
	int64_t at = first == NULL ? NEVER_US : first->at;

	return lease == NULL || at < lease->at ? at : lease->at;
}
