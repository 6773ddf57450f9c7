/* The lease covers the time in which attempts begin and the longest time that the last one may take. */
#include "courier/leases.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define MARGIN_MS 5000 /* beside the endpoint's timeout_ms */
#define SLEPT_US (1 * INT64_C(1000000)) /* a smaller difference is the time between reading the two clocks */

static void
ask(struct queues *queues, struct queue *queue)
{
	const struct endpoint_name name = queues_name(queue);

	queue->lease.state = LEASE_ASKED;
	queue->lease.timeout_ms = queue->config->timeout_ms;
	store_thread_take_lease(queues->thread, &name, LEASE_BEGIN_US / 1000 + queue->config->timeout_ms + MARGIN_MS);
}

static void
give_back(struct queues *queues, struct queue *queue, int64_t now_us)
{
	const struct endpoint_name name = queues_name(queue);
	bool over = now_us >= queue->lease.from_us + LEASE_BEGIN_US;

	queue->lease.state = LEASE_NONE;
	queue->lease.from_us = over ? now_us + LEASE_PAUSE_US : now_us;
	store_thread_give_lease(queues->thread, &name);
}

void
leases_update(struct ready *ready, struct queues *queues)
{
	int64_t slept_us = clock_boot_us() - ready->now_us;
	struct heap_item *first;

	if (slept_us - ready->slept_us >= SLEPT_US) {
		ready->slept_us = slept_us;
		leases_void(ready, queues);
	}
	while ((first = heap_first(&ready->leases)) != NULL && first->at <= ready->now_us) {
		struct queue *queue = HEAP_ENTRY(first, struct queue, lease_due);

		if (queue->lease.state == LEASE_NONE)
			ask(queues, queue);
		else
			give_back(queues, queue, ready->now_us);
		ready_update(ready, queue);
		queues_note_use(queues, queue, ready->now_us);
	}
}

void
leases_take_answer(struct ready *ready, struct queues *queues, const struct message *message)
{
	const struct span tenant_id = {message->tenant_id, strlen(message->tenant_id)};
	struct queue *queue = queues_find(queues, tenant_id, message->id);

	assert(queue != NULL && queue->lease.state == LEASE_ASKED); /* ASKED keeps the endpoint in memory */
	if (message->given) {
		queue->lease.state = LEASE_HELD;
		queue->lease.from_us = ready->now_us - (clock_boot_us() - message->begun_us);
		queue->lease.idle_us = ready->now_us + LEASE_IDLE_US;
		if (queue->state == ENDPOINT_LOADED)
			ready_empty_rate(ready, queue, ready->now_us); /* other nodes have sent until now */
	} else {
		queue->lease.state = LEASE_NONE;
		queue->lease.from_us = ready->now_us + LEASE_AGAIN_US;
	}
	ready_update(ready, queue);
	queues_note_use(queues, queue, ready->now_us);
}

void
leases_void(struct ready *ready, struct queues *queues)
{
	uint32_t count = queues->table.count;
	struct id_link **links = id_table_list(&queues->table);

	for (uint32_t i = 0; i < count; i++) {
		struct queue *queue = (struct queue *)links[i];

		if (queue->lease.state != LEASE_HELD)
			continue;
		queue->lease.state = LEASE_NONE;
		queue->lease.from_us = ready->now_us;
		ready_update(ready, queue);
		queues_note_use(queues, queue, ready->now_us);
	}
	free(links);
}
