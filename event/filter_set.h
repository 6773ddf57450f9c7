/*
 * The filters of one tenant's subscriptions, built once for many events. All their paths form one trie, so an event is
 * read once for any number of filters (event/filter_event.h); each filter is then evaluated on the values found.
 *
 * Pure. Any number of threads may use a set, each with its own filter_event.
 */
#ifndef EVENT_FILTER_SET_H
#define EVENT_FILTER_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/filter.h"
#include "event/name_table.h"
#include "event/needles.h"
#include "event/trie.h"

/* The longest path: its own steps, the levels within a value of eq, and the event itself. */
#define FILTER_SET_DEPTH_MAX (RULE_PATH_STEPS_MAX + FILTER_DEPTH_MAX + 1)

/* What filters need of the value at a node of `paths`. */
struct filter_place {
	uint32_t parent; /* a node; the root is its own parent */
	uint32_t first_index; /* in indexes[]: its children that are list elements, up to those of the next node */
	uint32_t needles; /* in needles[], or NEEDLE_NONE */
	uint32_t first_hit; /* hit 0 of its needles */
	bool inside; /* whether filters need its members, elements or `contains` */
};

struct filter_index {
	uint32_t index, node;
};

/* Only filter_event.c and tests read the members. */
struct filter_set {
	struct filter *filters; /* `step` of their nodes is a node of paths, `count` of a CONTAINS is a hit */
	uint32_t count;
	struct name_table names;
	struct trie paths;
	struct filter_place *places; /* for each node of paths, plus one more */
	struct filter_index *indexes;
	struct needles **needles;
	uint32_t index_count, needles_count, hit_count;
};

/*
 * Takes ownership of filters[0..count), not of the array itself. Filter i is number i. Never NULL. The caller frees the
 * set.
 *
 * A set takes the memory of its filters plus about 30 bytes for each distinct step of their paths.
 */
struct filter_set *filter_set_new(const struct filter *filters, uint32_t count);
void filter_set_free(struct filter_set *set);

size_t filter_set_bytes(const struct filter_set *set);

#endif
