/* Round robin over tenants, then endpoints. */
#include "courier/ready.h"

void
ready_open(struct ready *ready)
{
	*ready = (struct ready){0};
	TAILQ_INIT(&ready->tenants);
}

void
ready_close(struct ready *ready)
{
	heap_free(&ready->due);
}

static void
add(struct ready *ready, struct queue *queue)
{
	struct tenant *tenant = queue->tenant;

	if (queue->is_ready)
		return;
	queue->is_ready = true;
	TAILQ_INSERT_TAIL(&tenant->ready, queue, ready);
	if (!tenant->is_ready)
		TAILQ_INSERT_TAIL(&ready->tenants, tenant, ready_tenants);
	tenant->is_ready = true;
}

static void
take_out(struct ready *ready, struct queue *queue)
{
	struct tenant *tenant = queue->tenant;

	if (!queue->is_ready)
		return;
	queue->is_ready = false;
	TAILQ_REMOVE(&tenant->ready, queue, ready);
	if (!TAILQ_EMPTY(&tenant->ready))
		return;
	TAILQ_REMOVE(&ready->tenants, tenant, ready_tenants);
	tenant->is_ready = false;
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Requests a second of this courier. An endpoint is served by one courier of the node, so it is the whole limit. */
static uint32_t
per_second(const struct queue *queue)
{
	return queue->config->rate_limit_rps;
}

/* When the endpoint can next be served, as things are; NEVER_US: not by time alone. */
static int64_t
served_at(const struct queue *queue)
{
	const struct heap_item *first = heap_first(&queue->waiting);
	uint32_t most;

	if (first == NULL || !queue_delivers(queue))
		return NEVER_US;
	most = queue->unresolved > 0 ? 1 : queue->config->max_in_flight;
	if (queue->in_flight >= most)
		return NEVER_US;
	return later(later(first->at, queue->held_until_us),
	    later(rate_due_us(&queue->rate, per_second(queue)), breaker_due_us(&queue->breaker)));
}

void
ready_take_token(const struct ready *ready, struct queue *queue)
{
	rate_take(&queue->rate, per_second(queue), ready->now_us);
}

void
ready_update(struct ready *ready, struct queue *queue)
{
	int64_t at = served_at(queue);

	if (at <= ready->now_us) {
		heap_remove(&ready->due, &queue->due);
		add(ready, queue);
		return;
	}
	take_out(ready, queue);
	if (at == NEVER_US)
		heap_remove(&ready->due, &queue->due);
	else
		heap_put(&ready->due, &queue->due, at);
}

void
ready_advance(struct ready *ready, int64_t now_us)
{
	struct heap_item *first;

	ready->now_us = now_us;
	while ((first = heap_first(&ready->due)) != NULL && first->at <= now_us)
		ready_update(ready, HEAP_THING(first, struct queue, due));
}

struct queue *
ready_next(struct ready *ready)
{
	struct tenant *tenant = TAILQ_FIRST(&ready->tenants);
	struct queue *queue;

	if (tenant == NULL)
		return NULL;
	queue = TAILQ_FIRST(&tenant->ready);
	TAILQ_REMOVE(&tenant->ready, queue, ready);
	TAILQ_INSERT_TAIL(&tenant->ready, queue, ready);
	TAILQ_REMOVE(&ready->tenants, tenant, ready_tenants);
	TAILQ_INSERT_TAIL(&ready->tenants, tenant, ready_tenants);
	return queue;
}

int64_t
ready_due_us(const struct ready *ready)
{
	const struct heap_item *first = heap_first(&ready->due);

	return first == NULL ? NEVER_US : first->at;
}
