/* Applies a transform step by step, as edits of the event's text. See transform_apply.h. */
#include "event/transform_apply.h"

/* The objects on a path, from the event itself on. */
struct route {
	uint32_t objects[RULE_PATH_STEPS_MAX];
	unsigned count; /* less than the path's steps if the event lacks the rest */
};

/* The transform and the text in work. */
struct work {
	const struct transform *transform;
	struct json_edit *edit;
};

static uint32_t
path_name(const struct work *work, struct transform_path path, unsigned step)
{
	return work->transform->path_names[path.first + step];
}

static uint32_t
last_name(const struct work *work, struct transform_path path)
{
	return path_name(work, path, path.count - 1u);
}

/* Follows a path as far as its objects exist. Returns false if it leads through a value that is no object. */
static bool
follow(const struct work *work, struct transform_path path, struct route *route)
{
	uint32_t member = JSON_EDIT_ALL;

	for (route->count = 0; route->count < path.count && member != JSON_EDIT_NONE; route->count++) {
		uint32_t object = json_edit_open(work->edit, member);

		if (object == JSON_EDIT_NONE)
			return false;
		route->objects[route->count] = object;
		member = json_edit_find(work->edit, object, path_name(work, path, route->count));
	}
	return true;
}

/* The member at the end of a followed path, or JSON_EDIT_NONE. */
static uint32_t
end_of(const struct work *work, struct transform_path path, const struct route *route)
{
	return route->count < path.count
		   ? JSON_EDIT_NONE
		   : json_edit_find(work->edit, route->objects[path.count - 1u], last_name(work, path));
}

static void
mark_changed(const struct work *work, const struct route *route)
{
	for (unsigned i = 0; i < route->count; i++)
		json_edit_changed(work->edit, route->objects[i]);
}

/* Puts a value at the end of a followed path and makes the missing objects. */
static void
put(const struct work *work, struct transform_path path, struct route *route, struct json_value value)
{
	for (; route->count < path.count; route->count++)
		route->objects[route->count] = json_edit_put_object(
		    work->edit, route->objects[route->count - 1], path_name(work, path, route->count - 1));
	json_edit_put(work->edit, route->objects[path.count - 1u], last_name(work, path), value);
	mark_changed(work, route);
}

static void
remove_field(const struct work *work, struct transform_path path)
{
	struct route route;

	if (!follow(work, path, &route) || end_of(work, path, &route) == JSON_EDIT_NONE)
		return;
	json_edit_remove(work->edit, route.objects[path.count - 1u], last_name(work, path));
	mark_changed(work, &route);
}

static void
set_field(const struct work *work, const struct transform_step *step)
{
	const struct span value = {work->transform->text.base + step->value.at, step->value.len};
	struct route route;

	if (!follow(work, step->field, &route))
		return;
	if (step->kind == TRANSFORM_ADD && end_of(work, step->field, &route) != JSON_EDIT_NONE)
		return;
	put(work, step->field, &route, (struct json_value){value, JSON_EDIT_NONE});
}

/* The number of leading steps that two paths share. */
static unsigned
common_steps(const struct work *work, struct transform_path one, struct transform_path other)
{
	unsigned count = 0;

	while (count < one.count && count < other.count && path_name(work, one, count) == path_name(work, other, count))
		count++;
	return count;
}

static void
rename_field(const struct work *work, struct transform_path from, struct transform_path to)
{
	const unsigned common = common_steps(work, from, to);
	struct route route, to_route;
	uint32_t object, member;
	bool free_way;

	if (!follow(work, from, &route) || (member = end_of(work, from, &route)) == JSON_EDIT_NONE)
		return;
	object = route.objects[from.count - 1u];
	if (from.count == to.count && common == from.count)
		return;
	if (from.count == to.count && common == from.count - 1u) {
		json_edit_rename(work->edit, object, last_name(work, from), last_name(work, to));
		mark_changed(work, &route);
		return;
	}
	/* Follow `to` as if the field were already removed, because `to` may lead through it. */
	json_edit_show(work->edit, object, last_name(work, from), JSON_EDIT_NONE);
	free_way = follow(work, to, &to_route);
	json_edit_show(work->edit, object, last_name(work, from), member);
	if (!free_way)
		return;
	json_edit_remove(work->edit, object, last_name(work, from));
	mark_changed(work, &route);
	put(work, to, &to_route, json_edit_value(work->edit, member));
}

struct span
transform_apply(const struct transform *transform, struct span text, struct json_edit *edit)
{
	const struct work work = {transform, edit};

	json_edit_begin(edit, &transform->names, text);
	for (uint32_t i = 0; i < transform->step_count; i++) {
		const struct transform_step *step = &transform->steps[i];

		switch (step->kind) {
		case TRANSFORM_RENAME:
			rename_field(&work, step->field, step->to);
			break;
		case TRANSFORM_REMOVE:
			remove_field(&work, step->field);
			break;
		case TRANSFORM_ADD:
		case TRANSFORM_SET:
			set_field(&work, step);
			break;
		}
	}
	return json_edit_end(edit);
}
