/* Reads filters by recursion of bounded depth. */
#include "event/filter.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	struct rule rule;
	struct filter *filter;
};

/* The members of a condition: the operators, in the order of the table below, and their operands. */
enum member { MEMBER_OP = 11, MEMBER_PATH, MEMBER_VALUE, MEMBER_CONDITIONS, MEMBERS };

static const char *const member_names[MEMBERS + 1] = {"eq", "neq", "gt", "gte", "lt", "lte", "contains", "exists",
    "and", "or", "not", "op", "path", "value", "conditions", NULL};

static const struct operation {
	enum filter_kind kind;
	bool negated;
} operators[MEMBER_OP] = {
    {FILTER_EQ, false},
    {FILTER_EQ, true},
    {FILTER_GT, false},
    {FILTER_GTE, false},
    {FILTER_LT, false},
    {FILTER_LTE, false},
    {FILTER_CONTAINS, false},
    {FILTER_EXISTS, false},
    {FILTER_AND, false},
    {FILTER_OR, false},
    {FILTER_NOT, false},
};

static bool
is_group(enum filter_kind kind)
{
	return kind == FILTER_AND || kind == FILTER_OR || kind == FILTER_NOT;
}

/* Adds a node. Returns its number, or -1 if there are too many. */
static int
add_node(struct reader *reader, const struct rule_place *place, const struct json *json, enum filter_kind kind)
{
	struct filter *filter = reader->filter;

	if (filter->node_count == FILTER_NODES_MAX)
		return rule_refuse(&reader->rule, place, json->text,
		    "more than %d conditions, values within lists and objects counted", FILTER_NODES_MAX);
	filter->nodes[filter->node_count] = (struct filter_node){.kind = kind, .step = FILTER_NO_STEP};
	return (int)filter->node_count++;
}

static void
end_node(struct reader *reader, int node)
{
	reader->filter->nodes[node].end = reader->filter->node_count;
}

static uint32_t
add_step(struct filter *filter, uint32_t parent, struct rule_step name)
{
	/* Doubles at each power of two. */
	if ((filter->step_count & (filter->step_count - 1)) == 0)
		filter->steps = mem_resize(filter->steps, 2 * filter->step_count + 1, sizeof *filter->steps);
	filter->steps[filter->step_count] = (struct filter_step){parent, name};
	return filter->step_count++;
}

/* Adds a decoded JSON string to the filter's text. */
static struct rule_step
add_string(struct filter *filter, const struct json *string)
{
	uint32_t at = (uint32_t)filter->text.len;

	rule_string(string, &filter->text);
	return (struct rule_step){at, (uint32_t)filter->text.len - at};
}

/* Whether one of steps[from..] has that parent and that name. */
static bool
has_member(const struct filter *filter, uint32_t from, uint32_t parent, struct rule_step name)
{
	for (uint32_t i = from; i < filter->step_count; i++) {
		const struct filter_step *step = &filter->steps[i];

		if (step->parent == parent && step->name.len == name.len &&
		    memcmp(filter->text.base + step->name.at, filter->text.base + name.at, name.len) == 0)
			return true;
	}
	return false;
}

/* Reads a scalar value into a node. */
static int
read_scalar(struct reader *reader, const struct rule_place *place, const struct json *value, int node)
{
	struct filter_node *to = &reader->filter->nodes[node];

	to->type = value->type;
	if (value->type == JSON_STRING)
		to->string = add_string(reader->filter, value);
	else if (value->type == JSON_BOOLEAN)
		to->number = value->text[0] == 't';
	else if (value->type == JSON_NUMBER && !json_number_read((struct span){value->text, value->len}, &to->number))
		return rule_refuse(
		    &reader->rule, place, value->text, "the number has more than %d characters", JSON_NUMBER_CHARS_MAX);
	return 0;
}

static int read_equal(
    struct reader *reader, const struct rule_place *place, const struct json *value, uint32_t step, unsigned depth);

/* Adds conditions for each element of a list or member of an object; *count becomes their number. */
static int
read_parts(struct reader *reader, const struct rule_place *place, const struct json *value, uint32_t step,
    unsigned depth, uint32_t *count)
{
	struct filter *filter = reader->filter;
	const bool object = value->type == JSON_OBJECT;
	const uint32_t first_step = filter->step_count;
	enum scan_step found;
	struct json key, part;
	struct scan scan;
	bool first = true;

	*count = 0;
	(void)scan_begin(&scan, value->text, value->len);
	for (;; (*count)++) {
		struct rule_step name;

		found = object ? scan_member(&scan, &first, &key) : scan_element(&scan, &first);
		if (found != SCAN_ELEMENT || !scan_value(&scan, &part))
			break;
		if (object) {
			name = add_string(filter, &key);
			if (has_member(filter, first_step, step, name))
				return rule_refuse(&reader->rule, place, key.text, "the member is given twice");
		} else {
			char digits[12];

			name.at = (uint32_t)filter->text.len;
			name.len = (uint32_t)snprintf(digits, sizeof digits, "%u", *count);
			bytes_add(&filter->text, digits, name.len);
		}
		if (read_equal(reader, place, &part, add_step(filter, step, name), depth + 1) < 0)
			return -1;
	}
	assert(found == SCAN_CLOSED); /* it scanned well before */
	return 0;
}

/* Adds the conditions for the value at step to equal `value`. */
static int
read_equal(
    struct reader *reader, const struct rule_place *place, const struct json *value, uint32_t step, unsigned depth)
{
	struct filter_node *nodes = reader->filter->nodes;
	int all, node;
	uint32_t count;

	if (value->type != JSON_OBJECT && value->type != JSON_ARRAY) {
		node = add_node(reader, place, value, FILTER_EQ);
		if (node < 0 || read_scalar(reader, place, value, node) < 0)
			return -1;
		nodes[node].step = step;
		end_node(reader, node);
		return 0;
	}
	if (depth == FILTER_DEPTH_MAX)
		return rule_refuse(
		    &reader->rule, place, value->text, "the value is nested deeper than %d", FILTER_DEPTH_MAX);
	all = add_node(reader, place, value, FILTER_AND);
	if (all < 0)
		return -1;
	node = add_node(reader, place, value, value->type == JSON_OBJECT ? FILTER_OBJECT : FILTER_LIST);
	if (node < 0)
		return -1;
	nodes[node].step = step;
	end_node(reader, node);
	if (read_parts(reader, place, value, step, depth, &count) < 0)
		return -1;
	nodes[node].count = count;
	end_node(reader, all);
	return 0;
}

/* Reads the operator's value and completes the condition's node. */
static int
read_value(struct reader *reader, const struct rule_place *place, const struct json *value, int node)
{
	const enum json_type type = value->type;
	struct filter_node *to = &reader->filter->nodes[node];

	switch (to->kind) {
	case FILTER_EXISTS:
		if (type != JSON_ABSENT && type != JSON_BOOLEAN)
			return rule_refuse(&reader->rule, place, value->text, "the value of exists is true or false");
		break;
	case FILTER_CONTAINS:
		if (type == JSON_OBJECT || type == JSON_ARRAY)
			return rule_refuse(&reader->rule, place, value->text,
			    "the value of contains is a string, a number, a boolean or null");
		break;
	default:
		if (type != JSON_NUMBER && type != JSON_STRING)
			return rule_refuse(&reader->rule, place, value->text,
			    "the value of gt, gte, lt and lte is a number or a string");
	}
	if (type != JSON_ABSENT && read_scalar(reader, place, value, node) < 0)
		return -1;
	end_node(reader, node);
	return 0;
}

/* Reads a condition on a path. members[subject] is the path. */
static int
read_comparison(struct reader *reader, const struct rule_place *place, const struct json members[], enum member which,
    enum member subject)
{
	const struct rule_place at_path = {place, member_names[subject]},
				at_value = {place, member_names[MEMBER_VALUE]};
	const struct json *path = &members[subject], *value = &members[MEMBER_VALUE];
	struct filter *filter = reader->filter;
	struct rule_step steps[RULE_PATH_STEPS_MAX];
	uint32_t step = FILTER_NO_STEP;
	bool negated = operators[which].negated;
	int count, not = -1, node;

	if (value->type == JSON_ABSENT && operators[which].kind != FILTER_EXISTS)
		return rule_refuse(&reader->rule, place, path->text, "%s needs a value", member_names[which]);
	if (operators[which].kind == FILTER_EXISTS && value->type == JSON_BOOLEAN)
		negated = value->text[0] == 'f';
	count = rule_path(&reader->rule, &at_path, path, &filter->text, steps);
	if (count < 0)
		return -1;
	for (int i = 0; i < count; i++)
		step = add_step(filter, step, steps[i]);

	if (negated) {
		not = add_node(reader, place, path, FILTER_NOT);
		if (not < 0)
			return -1;
	}
	if (operators[which].kind == FILTER_EQ) {
		if (read_equal(reader, &at_value, value, step, 0) < 0)
			return -1;
	} else {
		node = add_node(reader, place, path, operators[which].kind);
		if (node < 0)
			return -1;
		filter->nodes[node].step = step;
		if (read_value(reader, &at_value, value, node) < 0)
			return -1;
	}
	if (not >= 0)
		end_node(reader, not );
	return 0;
}

static int read_condition(
    struct reader *reader, const struct rule_place *place, const struct json *condition, unsigned depth);

/* Reads the conditions of and, or and not: a list, or a single one. */
static int
read_group(
    struct reader *reader, const struct rule_place *place, const struct json *list, enum member which, unsigned depth)
{
	int node = add_node(reader, place, list, operators[which].kind);
	struct rule_place at_element = {.up = place};
	enum scan_step found;
	struct json element;
	struct scan scan;
	bool first = true;

	if (node < 0)
		return -1;
	if (list->type == JSON_OBJECT) {
		if (read_condition(reader, place, list, depth + 1) < 0)
			return -1;
		at_element.index = 1;
	} else if (list->type == JSON_ARRAY) {
		(void)scan_begin(&scan, list->text, list->len);
		while ((found = scan_element(&scan, &first)) == SCAN_ELEMENT && scan_value(&scan, &element)) {
			if (read_condition(reader, &at_element, &element, depth + 1) < 0)
				return -1;
			at_element.index++;
		}
		assert(found == SCAN_CLOSED); /* it scanned well before */
	} else {
		return rule_refuse(&reader->rule, place, list->text, "this is not a list of conditions");
	}
	if (operators[which].kind == FILTER_NOT && at_element.index != 1)
		return rule_refuse(&reader->rule, place, list->text, "not takes one condition");
	end_node(reader, node);
	return 0;
}

/* The operator of a condition, or -1. *named: whether the member "op" gives it. */
static int
find_operator(struct reader *reader, const struct rule_place *place, const struct json *condition,
    const struct json members[], bool *named)
{
	const struct rule_place at_op = {place, member_names[MEMBER_OP]};
	const struct json *op = &members[MEMBER_OP];
	int found = -1;

	*named = op->type != JSON_ABSENT;
	for (int i = 0; i < MEMBER_OP; i++) {
		bool here = *named ? op->type == JSON_STRING && rule_spells(op, member_names[i])
				   : members[i].type != JSON_ABSENT;

		if (*named && members[i].type != JSON_ABSENT)
			return rule_refuse(
			    &reader->rule, place, members[i].text, "%s does not go with op", member_names[i]);
		if (here && found >= 0)
			return rule_refuse(&reader->rule, place, members[i].text,
			    "a condition has one operator, not both %s and %s", member_names[found], member_names[i]);
		if (here)
			found = i;
	}
	if (found < 0 && *named)
		return rule_refuse(&reader->rule, &at_op, op->text, "this operator is not defined");
	if (found < 0)
		return rule_refuse(&reader->rule, place, condition->text, "the condition has no operator");
	return found;
}

static int
read_condition(struct reader *reader, const struct rule_place *place, const struct json *condition, unsigned depth)
{
	struct json members[MEMBERS];
	bool named, group;
	int which, subject;

	if (depth == FILTER_DEPTH_MAX)
		return rule_refuse(
		    &reader->rule, place, condition->text, "conditions are nested deeper than %d", FILTER_DEPTH_MAX);
	if (rule_members(&reader->rule, place, condition, member_names, members) < 0)
		return -1;
	which = find_operator(reader, place, condition, members, &named);
	if (which < 0)
		return -1;
	group = is_group(operators[which].kind);
	subject = !named ? which : group ? (int)MEMBER_CONDITIONS : (int)MEMBER_PATH;
	for (int i = MEMBER_PATH; i < MEMBERS; i++) {
		bool fits = i == subject || (i == MEMBER_VALUE && !group);

		if (members[i].type != JSON_ABSENT && !fits)
			return rule_refuse(&reader->rule, place, members[i].text, "%s does not go with %s",
			    member_names[i], member_names[which]);
	}
	if (members[subject].type == JSON_ABSENT)
		return rule_refuse(
		    &reader->rule, place, condition->text, "%s needs %s", member_names[which], member_names[subject]);
	if (!group)
		return read_comparison(reader, place, members, (enum member)which, (enum member)subject);

	const struct rule_place at_list = {place, member_names[subject]};

	return read_group(reader, &at_list, &members[subject], (enum member)which, depth);
}

int
filter_parse(struct span text, struct filter *filter, struct error *err)
{
	struct reader reader = {{.what = "filter", .err = err}, filter};
	struct json condition;

	*filter = (struct filter){0};
	if (rule_begin(&reader.rule, text, &condition) < 0)
		return -1;
	filter->nodes = mem_new(FILTER_NODES_MAX, sizeof *filter->nodes);
	if (read_condition(&reader, NULL, &condition, 0) < 0) {
		filter_free(filter);
		return -1;
	}
	filter->nodes = mem_resize(filter->nodes, filter->node_count, sizeof *filter->nodes);
	return 0;
}

int
filter_check(struct span text, struct error *err)
{
	struct filter filter;

	if (filter_parse(text, &filter, err) < 0)
		return -1;
	filter_free(&filter);
	return 0;
}

void
filter_free(struct filter *filter)
{
	free(filter->nodes);
	free(filter->steps);
	bytes_free(&filter->text);
	*filter = (struct filter){0};
}
