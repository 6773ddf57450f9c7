/* Places of rows, and lists of them. For the streams' thread. */
#ifndef CONTROL_STREAM_PLACE_H
#define CONTROL_STREAM_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "control/object_id.h"

/* The place of a row among those of its kind and its tenant: in the order of times, then of ids. */
struct stream_place {
	int64_t us; /* microseconds since 1970, by the store's clock */
	char id[OBJECT_ID_BYTES];
};

/* For qsort(3) and bsearch(3). */
int stream_place_compare(const void *a, const void *b);

/* Cuts off an id that is too long. */
struct stream_place stream_place_of(int64_t us, struct span id);

/* The place before all rows of that time, behind all earlier ones. */
struct stream_place stream_place_before(int64_t us);

/* In order, each once. */
struct stream_places {
	struct stream_place *list; /* from mem_new() */
	uint32_t count;
};

bool stream_places_have(const struct stream_places *places, const struct stream_place *place);

/*
 * Adds a place that the list may have already. It belongs to the end, or near it: batches of the same time come in any
 * order. The list has room for it.
 */
void stream_places_add(struct stream_places *places, const struct stream_place *place);

#endif
