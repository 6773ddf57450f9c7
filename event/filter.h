/*
 * Filters: what a subscription asks of an event besides its topic.
 *
 *   {"eq": PATH, "value": V}       neq, gt, gte, lt, lte, contains and exists likewise
 *   {"and": [FILTER, ...]}         or and not likewise; one filter may stand in place of the list, `not` takes only one
 *   {"op": "eq", "path": PATH, "value": V}, {"op": "and", "conditions": [FILTER, ...]}     other spellings of the same
 *
 * PATH is a path of event/rule.h in the whole event. Of members with the same name the last one counts.
 *
 *   eq        the value is there and equals V: numbers by value (event/json_number.h), strings by their characters,
 *             lists element by element, objects when both have the same names with equal values, in any order
 *   neq       not eq, so also true where there is no value
 *   gt ...    V is a number or a string; true for a value of the same type that is above it; strings go by code points
 *   contains  V is no list and no object; true for a string that holds the string V and for a list with an element that
 *             equals V
 *   exists    there is a value, null included; with "value": false there is none
 *
 * `and` of nothing is true, `or` of nothing is false.
 *
 * Pure: any process, any thread. What a filter says of an event is found by event/filter_set.h.
 */
#ifndef EVENT_FILTER_H
#define EVENT_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/span.h"
#include "event/json_number.h"
#include "event/rule.h"
#include "event/scan.h"

#define FILTER_DEPTH_MAX 32 /* conditions within conditions, and lists and objects within the value of eq */
#define FILTER_NODES_MAX 256 /* conditions, and values within the value of eq */

enum filter_kind {
	FILTER_AND,
	FILTER_OR,
	FILTER_NOT,
	FILTER_EQ, /* of a value that is no list and no object */
	FILTER_GT,
	FILTER_GTE,
	FILTER_LT,
	FILTER_LTE,
	FILTER_CONTAINS,
	FILTER_EXISTS,
	FILTER_OBJECT, /* the value is an object of `count` members */
	FILTER_LIST /* the value is a list of `count` elements */
};

/* A condition. eq of a list or an object has become an AND of conditions on the container and on what is in it. */
struct filter_node {
	enum filter_kind kind;
	uint32_t end; /* the node behind this one and all nodes of its list */
	uint32_t step; /* the last step of the path; not of AND, OR and NOT */
	enum json_type type; /* of the value to compare with, where there is one */
	json_number number; /* that value, when it is a number; a boolean is 0 or 1 */
	struct rule_step string; /* when it is a string: where in `text` it stands */
	uint32_t count; /* of OBJECT and LIST */
};

#define FILTER_NO_STEP UINT32_MAX

/* A step of a path, decoded. The steps before it are its parent, that one's parent and so on. */
struct filter_step {
	uint32_t parent; /* FILTER_NO_STEP for the first step of a path */
	struct rule_step name; /* where in `text` it stands */
};

/* A filter that was read. Nodes stand in the order of the text: a node, then those of its list. All zero is none. */
struct filter {
	struct filter_node *nodes;
	uint32_t node_count, step_count;
	struct filter_step *steps;
	struct bytes text;
};

/*
 * Reads a filter. text need not be JSON. Returns 0, and *filter is the caller's to free, or -1 with a sentence that
 * begins with the place, as in "filter.and[2].value, byte 57: ..."; bytes count from the beginning of text.
 */
int filter_parse(struct span text, struct filter *filter, struct error *err);

/* The same for those who only want to know whether it is one. */
int filter_check(struct span text, struct error *err);

void filter_free(struct filter *filter);

#endif
