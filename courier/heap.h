/*
 * A binary heap of things that are due, the earliest first; of two that are due at the same instant the one with the
 * lower id. The items are members of the things, so that one can be moved or taken out wherever it stands.
 */
#ifndef COURIER_HEAP_H
#define COURIER_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_item { /* all zero but for id: in no heap */
	int64_t at;
	const uint8_t *id; /* 16 bytes, of the thing */
	uint32_t place; /* in the heap, from 1; 0: in none */
};

/* All zero is an empty heap. */
struct heap {
	struct heap_item **items; /* from 1 on */
	uint32_t count, capacity;
};

/* The thing whose member an item is. */
#define HEAP_THING(item, type, member) ((type *)(void *)((char *)(item)-offsetof(type, member)))

/* Puts an item there with that instant, or moves one that is there. */
void heap_put(struct heap *heap, struct heap_item *item, int64_t at);

/* Takes it out, if it is there. */
void heap_remove(struct heap *heap, struct heap_item *item);

/* NULL: the heap is empty. Borrowed. */
static inline struct heap_item *
heap_first(const struct heap *heap)
{
	return heap->count == 0 ? NULL : heap->items[1];
}

/* One that is late, though not the latest of all; NULL: the heap is empty. */
static inline struct heap_item *
heap_late(const struct heap *heap)
{
	return heap->count == 0 ? NULL : heap->items[heap->count];
}

/* Releases the heap's own memory. */
void heap_free(struct heap *heap);

#endif
