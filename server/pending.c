/* A circular queue that doubles its array when it is full. */
#include "server/pending.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

static void
grow(struct pending_queue *queue)
{
	uint32_t capacity = queue->capacity == 0 ? 64 : queue->capacity * 2;
	struct pending *items = mem_new(capacity, sizeof *items);

	for (uint32_t i = 0; i < queue->count; i++)
		items[i] = queue->items[(queue->head + i) & (queue->capacity - 1)];
	free(queue->items);
	queue->items = items;
	queue->capacity = capacity;
	queue->head = 0;
}

void
pending_push(struct pending_queue *queue, struct pending item)
{
	if (queue->count == queue->capacity)
		grow(queue);
	queue->items[(queue->head + queue->count++) & (queue->capacity - 1)] = item;
}

static struct pending *
item_at(const struct pending_queue *queue, uint32_t index)
{
	return &queue->items[(queue->head + index) & (queue->capacity - 1)];
}

/* The index of the oldest request that can be answered, or queue->count. None before `from` is finished. */
static uint32_t
find_due(const struct pending_queue *queue, const struct lane *lane, uint32_t from)
{
	if (queue->count == 0)
		return 0;

	uint32_t position = item_at(queue, 0)->position, i = from;

	/* Positions wrap around: compare by difference. */
	if ((int32_t)(lane_released(lane) - position) >= 0 ||
	    (lane_flags(lane, position) & (LANE_REFUSED | LANE_DISMISSED)) != 0)
		return 0;
	if (!queue->any_order)
		return queue->count;
	while (i < queue->count && (lane_flags(lane, item_at(queue, i)->position) & LANE_FINISHED) == 0)
		i++;
	return i;
}

bool
pending_due(const struct pending_queue *queue, const struct lane *lane)
{
	return find_due(queue, lane, 0) < queue->count;
}

/* Removes an item, moving the shorter side. */
static void
remove_at(struct pending_queue *queue, uint32_t index)
{
	if (index >= queue->count / 2) {
		for (; index + 1 < queue->count; index++)
			*item_at(queue, index) = *item_at(queue, index + 1);
	} else {
		for (; index > 0; index--)
			*item_at(queue, index) = *item_at(queue, index - 1);
		queue->head = (queue->head + 1) & (queue->capacity - 1);
	}
	queue->count--;
}

bool
pending_take(struct pending_queue *queue, const struct lane *lane, struct pending *item)
{
	uint32_t index = find_due(queue, lane, queue->looked_at);

	queue->looked_at = index;
	if (index == queue->count) {
		queue->looked_at = 0;
		return false;
	}
	*item = *item_at(queue, index);
	remove_at(queue, index);
	return true;
}

const struct exchange *
pending_oldest(const struct pending_queue *queue)
{
	return queue->count > 0 ? queue->items[queue->head].exchange : NULL;
}

struct pending
pending_pop(struct pending_queue *queue)
{
	assert(queue->count > 0);
	struct pending item = queue->items[queue->head];

	queue->head = (queue->head + 1) & (queue->capacity - 1);
	queue->count--;
	queue->looked_at = 0;
	return item;
}
