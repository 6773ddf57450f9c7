/* The heap in an array: the children of place n are at 2n and 2n + 1. */
#include "courier/heap.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool
is_before(const struct heap_item *a, const struct heap_item *b)
{
	return a->at != b->at ? a->at < b->at : memcmp(a->id, b->id, 16) < 0;
}

static void
set(struct heap *heap, uint32_t place, struct heap_item *item)
{
	heap->items[place] = item;
	item->place = place;
}

/* Moves the item towards the first place, as far as it belongs. */
static void
rise(struct heap *heap, struct heap_item *item)
{
	uint32_t place = item->place;

	for (; place > 1 && is_before(item, heap->items[place / 2]); place /= 2)
		set(heap, place, heap->items[place / 2]);
	set(heap, place, item);
}

static void
sink(struct heap *heap, struct heap_item *item)
{
	uint32_t place = item->place, child;

	for (; (child = 2 * place) <= heap->count; place = child) {
		if (child < heap->count && is_before(heap->items[child + 1], heap->items[child]))
			child++;
		if (!is_before(heap->items[child], item))
			break;
		set(heap, place, heap->items[child]);
	}
	set(heap, place, item);
}

void
heap_put(struct heap *heap, struct heap_item *item, int64_t at)
{
	if (item->place == 0) {
		if (heap->count + 1 >= heap->capacity) {
			heap->capacity = heap->capacity == 0 ? 8 : 2 * heap->capacity;
			heap->items = mem_resize(heap->items, heap->capacity, sizeof(struct heap_item *));
		}
		set(heap, ++heap->count, item);
	}
	assert(heap->items[item->place] == item);
	item->at = at;
	rise(heap, item);
	sink(heap, item);
}

void
heap_remove(struct heap *heap, struct heap_item *item)
{
	struct heap_item *last;
	uint32_t place = item->place;

	if (place == 0)
		return;
	assert(heap->items[place] == item);
	item->place = 0;
	last = heap->items[heap->count--];
	if (last == item)
		return;
	set(heap, place, last);
	rise(heap, last);
	sink(heap, last);
}

void
heap_free(struct heap *heap)
{
	free(heap->items);
	*heap = (struct heap){0};
}
