/*
 * Transforms: a subscription's changes to events before delivery. A list of steps, or a single step; each step works on
 * the result of the steps before it:
 *
 *   {"op": "rename_field", "from": PATH, "to": PATH}   moves the value, replacing a field at `to`
 *   {"op": "remove_field", "field": PATH}
 *   {"op": "add_field", "field": PATH, "value": V}     only if the event has no such field
 *   {"op": "set_field", "field": PATH, "value": V}     adds or replaces
 *
 * Other spellings of the same: {"rename_field": {"from": PATH, "to": PATH}} and so on; "type" for "op"; "path" for
 * "field".
 *
 * PATH is a path of event/rule.h in the whole event, but its steps are only members' names: transforms do not enter
 * lists. A step does nothing if its field is missing or its path leads through a value that is no object. add_field,
 * set_field and `to` make missing objects on their path. Of members with the same name the last is the field; removing,
 * moving or replacing it removes the others, too.
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

/* A path: path_names[first .. first + count), numbers of names. */
struct transform_path {
	uint16_t first, count;
};

struct transform_step {
	enum transform_kind kind;
	struct transform_path field; /* of a rename: from */
	struct transform_path to; /* of a rename */
	struct rule_step value; /* of add and set: the value's place in `text`, spelt as given */
};

/* A parsed transform. All zero: no transform. */
struct transform {
	struct transform_step *steps;
	uint32_t *path_names;
	struct name_table names; /* the decoded steps of all paths */
	uint16_t step_count, path_name_count;
	struct bytes text;
};

/*
 * Reads a transform. text need not be JSON. Returns 0, and *transform is the caller's to free, or -1 with a sentence
 * that begins with the place, as in "transform[1].field, byte 57: ..."; bytes count from the beginning of text.
 */
int transform_parse(struct span text, struct transform *transform, struct error *err);

/* As transform_parse(), but only checks. */
int transform_check(struct span text, struct error *err);

void transform_free(struct transform *transform);

#endif
