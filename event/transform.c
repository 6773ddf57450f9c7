/* Reads transforms. Names are numbered at the end; events are then matched by number. */
#include "event/transform.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum member {
	MEMBER_RENAME, /* in the order of enum transform_kind */
	MEMBER_REMOVE,
	MEMBER_ADD,
	MEMBER_SET,
	MEMBER_OP,
	MEMBER_TYPE,
	MEMBER_FROM,
	MEMBER_TO,
	MEMBER_FIELD,
	MEMBER_PATH,
	MEMBER_VALUE,
	MEMBERS
};

static const char *const member_names[MEMBERS + 1] = {"rename_field", "remove_field", "add_field", "set_field", "op",
    "type", "from", "to", "field", "path", "value", NULL};

#define KINDS MEMBER_OP

struct reader {
	struct rule rule;
	struct transform *transform;
	struct rule_step *names; /* of all paths in order: path_name_count of them, capacity `room` */
	uint32_t room;
};

/* Reads that member of the step at place as a path. The member must be present. */
static int
read_path(struct reader *reader, const struct rule_place *place, const struct json members[], enum member member,
    struct transform_path *path)
{
	const struct rule_place at_path = {place, member_names[member]};
	struct transform *transform = reader->transform;
	struct rule_step steps[RULE_PATH_STEPS_MAX];
	int count = rule_path(&reader->rule, &at_path, &members[member], &transform->text, steps);

	if (count < 0)
		return -1;
	*path = (struct transform_path){transform->path_name_count, (uint16_t)count};
	if (reader->room - transform->path_name_count < (uint32_t)count) {
		reader->room = 2 * reader->room + (uint32_t)count;
		reader->names = mem_resize(reader->names, reader->room, sizeof *reader->names);
	}
	memcpy(reader->names + transform->path_name_count, steps, (size_t)count * sizeof steps[0]);
	transform->path_name_count = (uint16_t)(transform->path_name_count + count);
	return 0;
}

/* Keeps the value as it is spelt. */
static int
read_value(struct reader *reader, const struct rule_place *place, const struct json *value, struct transform_step *step)
{
	const struct rule_place at_value = {place, member_names[MEMBER_VALUE]};
	struct bytes *text = &reader->transform->text;
	struct json ignored;
	struct scan scan;

	(void)scan_begin(&scan, value->text, value->len);
	scan.depth_max = TRANSFORM_VALUE_DEPTH_MAX;
	if (!scan_value(&scan, &ignored))
		return rule_refuse(
		    &reader->rule, &at_value, scan.at, "the value is nested deeper than %d", TRANSFORM_VALUE_DEPTH_MAX);
	step->value = (struct rule_step){(uint32_t)text->len, (uint32_t)value->len};
	bytes_add(text, value->text, value->len);
	return 0;
}

/* Whether a step of that kind has, and must have, that member. FIELD also stands for PATH. */
static bool
takes(enum transform_kind kind, enum member member)
{
	switch (member) {
	case MEMBER_FROM:
	case MEMBER_TO:
		return kind == TRANSFORM_RENAME;
	case MEMBER_FIELD:
		return kind != TRANSFORM_RENAME;
	case MEMBER_VALUE:
		return kind == TRANSFORM_ADD || kind == TRANSFORM_SET;
	default:
		return false;
	}
}

/* Reads a step whose kind is known. object has its members. */
static int
read_members(struct reader *reader, const struct rule_place *place, const struct json *object, struct json members[],
    struct transform_step *step)
{
	const char *name = member_names[step->kind];
	enum member field = members[MEMBER_FIELD].type != JSON_ABSENT ? MEMBER_FIELD : MEMBER_PATH;

	if (members[MEMBER_FIELD].type != JSON_ABSENT && members[MEMBER_PATH].type != JSON_ABSENT)
		return rule_refuse(&reader->rule, place, members[MEMBER_PATH].text, "field and path are the same");
	for (int i = MEMBER_FROM; i < MEMBERS; i++) {
		bool there = members[i].type != JSON_ABSENT;

		if (i == MEMBER_PATH)
			continue;
		if (i == MEMBER_FIELD)
			there = members[field].type != JSON_ABSENT;
		if (there && !takes(step->kind, (enum member)i))
			return rule_refuse(&reader->rule, place, members[i == MEMBER_FIELD ? (int)field : i].text,
			    "%s does not go with %s", member_names[i], name);
		if (!there && takes(step->kind, (enum member)i))
			return rule_refuse(&reader->rule, place, object->text, "%s needs %s", name, member_names[i]);
	}
	if (step->kind == TRANSFORM_RENAME)
		return read_path(reader, place, members, MEMBER_FROM, &step->field) < 0 ||
			       read_path(reader, place, members, MEMBER_TO, &step->to) < 0
			   ? -1
			   : 0;
	if (read_path(reader, place, members, field, &step->field) < 0)
		return -1;
	return takes(step->kind, MEMBER_VALUE) ? read_value(reader, place, &members[MEMBER_VALUE], step) : 0;
}

/* Finds the step's kind by "op" or "type", or by its one member with a kind's name; -1: refused. */
static int
find_kind(struct reader *reader, const struct rule_place *place, const struct json *object, const struct json members[])
{
	enum member by = members[MEMBER_OP].type != JSON_ABSENT ? MEMBER_OP : MEMBER_TYPE;
	const struct rule_place at_op = {place, member_names[by]};
	int found = -1, given = 0;

	if (members[by].type != JSON_ABSENT) {
		for (int i = 0; i < KINDS && found < 0; i++)
			if (members[by].type == JSON_STRING && rule_spells(&members[by], member_names[i]))
				found = i;
		if (found < 0)
			return rule_refuse(&reader->rule, &at_op, members[by].text,
			    "a step is rename_field, remove_field, add_field or set_field");
	}
	for (int i = 0; i < MEMBERS; i++) {
		given += members[i].type != JSON_ABSENT;
		if (i >= KINDS || members[i].type == JSON_ABSENT)
			continue;
		if (found >= 0)
			return rule_refuse(&reader->rule, place, members[i].text,
			    "a step does one thing, not both %s and %s", member_names[found], member_names[i]);
		found = i;
	}
	if (found < 0)
		return rule_refuse(&reader->rule, place, object->text,
		    "a step has op: rename_field, remove_field, add_field or set_field");
	if (members[found].type != JSON_ABSENT && given > 1)
		return rule_refuse(
		    &reader->rule, place, object->text, "the members of %s stand within it", member_names[found]);
	if (members[MEMBER_OP].type != JSON_ABSENT && members[MEMBER_TYPE].type != JSON_ABSENT)
		return rule_refuse(&reader->rule, place, members[MEMBER_TYPE].text, "op and type are the same");
	return found;
}

static int
read_step(struct reader *reader, const struct rule_place *place, const struct json *object)
{
	struct transform *transform = reader->transform;
	struct transform_step *step = &transform->steps[transform->step_count];
	struct json members[MEMBERS], inner[MEMBERS];
	int kind;

	if (transform->step_count == TRANSFORM_STEPS_MAX)
		return rule_refuse(&reader->rule, place, object->text, "more than %d steps", TRANSFORM_STEPS_MAX);
	if (rule_members(&reader->rule, place, object, member_names, members) < 0)
		return -1;
	kind = find_kind(reader, place, object, members);
	if (kind < 0)
		return -1;
	step->kind = (enum transform_kind)kind;
	transform->step_count++;
	if (members[kind].type == JSON_ABSENT)
		return read_members(reader, place, object, members, step);

	const struct rule_place at_inner = {place, member_names[kind]};

	if (rule_members(&reader->rule, &at_inner, &members[kind], member_names, inner) < 0)
		return -1;
	for (int i = 0; i < MEMBER_FROM; i++)
		if (inner[i].type != JSON_ABSENT)
			return rule_refuse(&reader->rule, &at_inner, inner[i].text, "%s does not go with %s",
			    member_names[i], member_names[kind]);
	return read_members(reader, &at_inner, &members[kind], inner, step);
}

static int
read_steps(struct reader *reader, const struct json *list)
{
	struct rule_place place = {0};
	enum scan_step found;
	struct json element;
	struct scan scan;
	bool first = true;

	if (list->type == JSON_OBJECT)
		return read_step(reader, NULL, list);
	if (list->type != JSON_ARRAY)
		return rule_refuse(&reader->rule, NULL, list->text, "this is not a list of steps");
	(void)scan_begin(&scan, list->text, list->len);
	while ((found = scan_element(&scan, &first)) == SCAN_ELEMENT && scan_value(&scan, &element)) {
		if (read_step(reader, &place, &element) < 0)
			return -1;
		place.index++;
	}
	assert(found == SCAN_CLOSED); /* it scanned well before */
	return 0;
}

/* Numbers the names and makes the paths of numbers. */
static void
number_names(struct reader *reader)
{
	struct transform *transform = reader->transform;
	const uint32_t count = transform->path_name_count;
	const char *text = transform->text.base;

	for (uint32_t i = 0; i < count; i++)
		name_table_add(&transform->names, (struct span){text + reader->names[i].at, reader->names[i].len});
	name_table_seal(&transform->names);
	transform->path_names = mem_new(count + 1, sizeof *transform->path_names);
	for (uint32_t i = 0; i < count; i++)
		transform->path_names[i] =
		    name_table_find(&transform->names, (struct span){text + reader->names[i].at, reader->names[i].len});
}

int
transform_parse(struct span text, struct transform *transform, struct error *err)
{
	struct reader reader = {.rule = {.what = "transform", .err = err}, .transform = transform};
	struct json list;
	int rc;

	*transform = (struct transform){0};
	if (rule_begin(&reader.rule, text, &list) < 0)
		return -1;
	transform->steps = mem_new(TRANSFORM_STEPS_MAX, sizeof *transform->steps);
	rc = read_steps(&reader, &list);
	if (rc == 0)
		number_names(&reader);
	else
		transform_free(transform);
	free(reader.names);
	return rc;
}

int
transform_check(struct span text, struct error *err)
{
	struct transform transform;

	if (transform_parse(text, &transform, err) < 0)
		return -1;
	transform_free(&transform);
	return 0;
}

void
transform_free(struct transform *transform)
{
	free(transform->steps);
	free(transform->path_names);
	name_table_free(&transform->names);
	bytes_free(&transform->text);
	*transform = (struct transform){0};
}
