/*
 * Transforms: how a subscription's events are changed before they are delivered. A list of steps, or one step in place
 * of the list; each works on what the steps before it have left:
 *
 *   {"op": "rename_field", "from": PATH, "to": PATH}   moves the value; what stood at `to` is replaced
 *   {"op": "remove_field", "field": PATH}
 *   {"op": "add_field", "field": PATH, "value": V}     only where the event has no such field
 *   {"op": "set_field", "field": PATH, "value": V}     there or not
 *
 * Other spellings of the same: {"rename_field": {"from": PATH, "to": PATH}} and so on; "type" for "op"; "path" for
 * "field".
 *
 * PATH is a path of event/rule.h in the whole event, but all of its steps are members' names: transforms do not look
 * into lists, nor through anything else that is no object. A step for a field that this event has not, or through a
 * list, a number or the like, does nothing. Objects that add_field, set_field or `to` need on the way are made. Of
 * members with the same name the last one is the field; a step that removes, moves or replaces a field leaves none of
 * the others.
 *
 * Pure: any process, any thread. event/transform_apply.h applies them.
 */
#ifndef EVENT_TRANSFORM_H
#define EVENT_TRANSFORM_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/span.h"
#include "event/name_table.h"
#include "event/rule.h"

#define TRANSFORM_STEPS_MAX 64
#define TRANSFORM_VALUE_DEPTH_MAX 32 /* lists and objects within a value */

enum transform_kind { TRANSFORM_RENAME, TRANSFORM_REMOVE, TRANSFORM_ADD, TRANSFORM_SET };

/* A path: `count` numbers of names, from `first` on in `path_names`. */
struct transform_path {
	uint16_t first, count;
};

struct transform_step {
	enum transform_kind kind;
	struct transform_path field; /* of a rename: from */
	struct transform_path to; /* of a rename */
	struct rule_step value; /* where in `text` the value of add and set stands, spelt as it was given */
};

/* A transform that was read. All zero is none. */
struct transform {
	struct transform_step *steps;
	uint32_t *path_names;
	struct name_table names; /* of all steps of all paths, decoded */
	uint16_t step_count, path_name_count;
	struct bytes text;
};

/*
 * Reads a transform. text need not be JSON. Returns 0, and *transform is the caller's to free, or -1 with a sentence
 * that begins with the place, as in "transform[1].field, byte 57: ..."; bytes count from the beginning of text.
 */
int transform_parse(struct span text, struct transform *transform, struct error *err);

/* The same for those who only want to know whether it is one. */
int transform_check(struct span text, struct error *err);

void transform_free(struct transform *transform);

#endif
