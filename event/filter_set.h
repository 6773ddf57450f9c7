/*
 * The filters of one tenant's subscriptions, built once for many events: all paths that they name are one trie, so an
 * event is read once, however many filters there are (event/filter_event.h), and each filter then looks at what was
 * found.
 *
 * Pure. A set may be used by any number of threads, each with an event of its own.
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

/* The longest path: its steps, those to a value within the value of eq, and the event itself. */
#define FILTER_SET_DEPTH_MAX (RULE_PATH_STEPS_MAX + FILTER_DEPTH_MAX + 1)

/* What is to be known of the value at a node of `paths`. */
struct filter_place {
	uint32_t parent; /* node; of the root itself */
	uint32_t first_index; /* its children that are elements of a list: in indexes[], up to that of the next node */
	uint32_t needles; /* in needles[], or NEEDLE_NONE */
	uint32_t first_hit; /* the hit 0 of its needles */
	bool inside; /* whether anything is to be known of what is in it */
};

struct filter_index {
	uint32_t index, node;
};

/* To be read by filter_event.c and by tests. */
struct filter_set {
	struct filter *filters; /* `step` of their nodes is a node of paths, `count` of a CONTAINS is a hit */
	uint32_t count;
	struct name_table names;
	struct trie paths;
	struct filter_place *places; /* of each node of paths, and one behind the last */
	struct filter_index *indexes;
	struct needles **needles;
	uint32_t index_count, needles_count, hit_count;
};

/*
 * Takes over filters[0..count), which is not the caller's any more; the array itself stays the caller's. Filter i is
 * number i. Never NULL. The caller frees it.
 *
 * A set takes as much memory as its filters and some 30 bytes for each step of a path that no other path begins with.
 */
struct filter_set *filter_set_new(const struct filter *filters, uint32_t count);
void filter_set_free(struct filter_set *set);

size_t filter_set_bytes(const struct filter_set *set);

#endif
