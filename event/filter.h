/*
 * Filters: a subscription's condition on an event, besides its topic.
 *
 *   {"eq": PATH, "value": V}       neq, gt, gte, lt, lte, contains and exists likewise
 *   {"and": [FILTER, ...]}         or and not likewise; a list of one may be the filter itself; `not` takes only one
 *   {"op": "eq", "path": PATH, "value": V}, {"op": "and", "conditions": [FILTER, ...]}     alternative spellings
 *
 * PATH is a path of event/rule.h in the whole event. Of members with the same name the last one counts.
 *
 *   eq        the value exists and equals V: numbers by value (event/json_number.h), strings by characters, lists
 *             element by element, objects by equal members in any order
 *   neq       not eq, so also true without a value
 *   gt ...    V is a number or a string; true for a greater value of the same type; strings compare by code points
 *   contains  V is no list and no object; true for a string that contains the string V, and for a list with an element
 *             equal to V
 *   exists    there is a value, even null; with "value": false there is none
 *
 * An empty `and` is true, an empty `or` is false.
 *
 * Pure: any process, any thread. event/filter_set.h evaluates filters on events.
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
	FILTER_EQ, /* with a value that is no container */
	FILTER_GT,
	FILTER_GTE,
	FILTER_LT,
	FILTER_LTE,
	FILTER_CONTAINS,
	FILTER_EXISTS,
	FILTER_OBJECT, /* the value is an object of `count` members */
	FILTER_LIST /* the value is a list of `count` elements */
};

/* A condition. eq with a list or an object is an AND of conditions on the container and on its parts. */
struct filter_node {
	enum filter_kind kind;
	uint32_t end; /* number of the next node after this one and its list */
	uint32_t step; /* the last step of the path; not of AND, OR and NOT */
	enum json_type type; /* of the value to compare with, if any */
	json_number number; /* that value, if a number; a boolean is 0 or 1 */
	struct rule_step string; /* that value, if a string: its place in `text` */
	uint32_t count; /* of OBJECT and LIST */
};

#define FILTER_NO_STEP UINT32_MAX

/* A step of a path, decoded. Its parent is the step before it. */
struct filter_step {
	uint32_t parent; /* FILTER_NO_STEP for the first step of a path */
	struct rule_step name; /* its place in `text` */
};

/* A parsed filter. Nodes are in the order of the text: a node, then those of its list. All zero: no filter. */
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

/* As filter_parse(), but only checks. */
int filter_check(struct span text, struct error *err);

void filter_free(struct filter *filter);

#endif
