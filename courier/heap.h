/*
 * A binary heap of things by the time at which they are due, then by id. Items are members of the things, so an item
 * can be moved or removed wherever it stands.
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

/* The thing that contains the item. */
#define HEAP_ENTRY(item, type, member) ((type *)(void *)((char *)(item)-offsetof(type, member)))

/* Inserts the item at that time, or moves it if it is in the heap. */
void heap_put(struct heap *heap, struct heap_item *item, int64_t at);

/* Removes the item, if it is in the heap. */
void heap_remove(struct heap *heap, struct heap_item *item);

/* NULL: the heap is empty. Borrowed. */
static inline struct heap_item *
heap_first(const struct heap *heap)
{
	return heap->count == 0 ? NULL : heap->items[1];
}

/* A late item, not necessarily the latest; NULL: the heap is empty. */
static inline struct heap_item *
heap_late(const struct heap *heap)
{
	return heap->count == 0 ? NULL : heap->items[heap->count];
}

/* Releases the heap's own memory. */
void heap_free(struct heap *heap);

#endif
