/*
 * Reads events and evaluates filters. See filter_event.h.
 *
 * Each value found gets a new unique number, its turn, and records the turn of its container. When a member occurs a
 * second time, it gets a new turn, so all values found within the first occurrence become invalid without being
 * cleared. Values of earlier events become invalid the same way.
 */
#include "event/filter_event.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "event/json_string.h"

/* The value found at a node of set->paths. */
struct value {
	uint64_t turn, parent_turn;
	uint64_t searched; /* the turn in which its needles were searched */
	struct json json; /* for a container only the type */
	uint32_t count; /* members of an object (once each if a path names them), or elements of a list */
	bool number_read, number_ok;
	json_number number;
};

/* An open container. */
struct level {
	uint32_t node;
	bool object, first;
	uint32_t next_index, end_index; /* in set->indexes: the wanted elements still ahead */
};

struct filter_event {
	const struct filter_set *set;
	struct value *values; /* for each node of set->paths */
	uint64_t *hits; /* for each hit the turn of the list or string that had it */
	uint64_t turn;
	bool valid;
	struct scan scan;
	unsigned depth;
	struct level levels[FILTER_SET_DEPTH_MAX];
	char scratch[RULE_BYTES_MAX];
};

struct filter_event *
filter_event_new(const struct filter_set *set)
{
	struct filter_event *event = mem_new(1, sizeof *event);

	event->set = set;
	event->values = mem_new(set->paths.count, sizeof *event->values);
	event->hits = mem_new(set->hit_count + 1, sizeof *event->hits);
	return event;
}

void
filter_event_free(struct filter_event *event)
{
	if (event == NULL)
		return;
	free(event->values);
	free(event->hits);
	free(event);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

/* Records the value at scan.at for a node. If filters need the inside of a container, only its bracket is passed. */
static bool
take_value(struct filter_event *event, uint32_t node, uint64_t parent_turn)
{
	const struct filter_place *place = &event->set->places[node];
	struct value *value = &event->values[node];
	char c = event->scan.at < event->scan.end ? *event->scan.at : '\0';

	value->turn = ++event->turn;
	value->parent_turn = parent_turn;
	value->count = 0;
	value->number_read = false;
	if (!place->inside || (c != '{' && c != '['))
		return scan_value(&event->scan, &value->json);
	value->json.type = c == '{' ? JSON_OBJECT : JSON_ARRAY;
	event->levels[event->depth++] = (struct level){
	    .node = node,
	    .object = c == '{',
	    .first = true,
	    .next_index = place[0].first_index,
	    .end_index = place[1].first_index,
	};
	return true;
}

/* The child of node for a member's key, or TRIE_NONE. */
static uint32_t
find_member(struct filter_event *event, uint32_t node, const struct json *key)
{
	struct span name = {key->text + 1, key->len - 2};
	uint32_t number;

	if (event->set->paths.nodes[node].count == 0)
		return TRIE_NONE;
	if (key->escapes) {
		size_t len = json_string_decode(key, event->scratch, sizeof event->scratch);

		if (len == JSON_STRING_TOO_LONG)
			return TRIE_NONE;
		name = (struct span){event->scratch, len};
	}
	number = name_table_find(&event->set->names, name);
	return number == NAME_NONE ? TRIE_NONE : trie_child(&event->set->paths, node, number);
}

static bool
take_member(struct filter_event *event, struct level *level, const struct json *key)
{
	struct value *object = &event->values[level->node];
	uint32_t child = find_member(event, level->node, key);
	struct json ignored;

	if (child == TRIE_NONE) {
		object->count++;
		return scan_value(&event->scan, &ignored);
	}
	if (event->values[child].parent_turn != object->turn)
		object->count++;
	return take_value(event, child, object->turn);
}

static bool
take_element(struct filter_event *event, struct level *level)
{
	const struct filter_place *place = &event->set->places[level->node];
	const struct filter_index *next = &event->set->indexes[level->next_index];
	struct value *list = &event->values[level->node];
	const unsigned depth = event->depth;
	struct json element;
	uint32_t hit;

	if (level->next_index < level->end_index && next->index == list->count) {
		level->next_index++;
		list->count++;
		if (!take_value(event, next->node, list->turn))
			return false;
		if (event->depth > depth)
			return true;
		element = event->values[next->node].json;
	} else {
		list->count++;
		if (!scan_value(&event->scan, &element))
			return false;
	}
	if (place->needles == NEEDLE_NONE)
		return true;
	hit = needles_find(event->set->needles[place->needles], &element, event->scratch);
	if (hit != NEEDLE_NONE)
		event->hits[place->first_hit + hit] = list->turn;
	return true;
}

bool
filter_event_read(struct filter_event *event, struct span text)
{
	bool ok;

	event->depth = 0;
	ok = scan_begin(&event->scan, text.base, text.len) && take_value(event, TRIE_ROOT, 0);
	while (ok && event->depth > 0) {
		struct level *level = &event->levels[event->depth - 1];
		enum scan_step step;
		struct json key;

		step = level->object ? scan_member(&event->scan, &level->first, &key)
				     : scan_element(&event->scan, &level->first);
		if (step == SCAN_CLOSED)
			event->depth--;
		else
			ok = step == SCAN_ELEMENT &&
			     (level->object ? take_member(event, level, &key) : take_element(event, level));
	}
	event->valid = ok && scan_finish(&event->scan);
	return event->valid;
}

/* --- evaluating -------------------------------------------------------------------------------------------------- */

/* The value at a node, or NULL if the event has none there. */
static struct value *
value_at(struct filter_event *event, uint32_t node)
{
	const struct filter_place *places = event->set->places;
	struct value *values = event->values;

	for (uint32_t at = node; at != TRIE_ROOT; at = places[at].parent)
		if (values[at].parent_turn != values[places[at].parent].turn)
			return NULL;
	return &values[node];
}

static bool
read_number(struct value *value)
{
	if (!value->number_read) {
		value->number_ok = json_number_read((struct span){value->json.text, value->json.len}, &value->number);
		value->number_read = true;
	}
	return value->number_ok;
}

/*
 * Compares a value with the condition's. Returns false if their types differ or have no order; else *order is below,
 * equal to or above 0.
 */
static bool
compare(struct value *value, const struct filter *filter, const struct filter_node *node, int *order)
{
	if (value->json.type != node->type)
		return false;
	if (node->type == JSON_STRING) {
		*order = json_string_compare(
		    &value->json, (struct span){filter->text.base + node->string.at, node->string.len});
		return true;
	}
	if (node->type != JSON_NUMBER || !read_number(value))
		return false;
	*order = (value->number > node->number) - (value->number < node->number);
	return true;
}

static bool
equals(struct value *value, const struct filter *filter, const struct filter_node *node)
{
	int order;

	if (value->json.type != node->type)
		return false;
	if (node->type == JSON_NULL)
		return true;
	if (node->type == JSON_BOOLEAN)
		return (value->json.text[0] == 't') == (node->number != 0);
	/* Strings without escapes of different lengths are the usual case. */
	if (node->type == JSON_STRING && !value->json.escapes && value->json.len - 2 != node->string.len)
		return false;
	return compare(value, filter, node, &order) && order == 0;
}

static bool
contains(struct filter_event *event, struct value *value, const struct filter_node *node)
{
	const struct filter_place *place = &event->set->places[node->step];

	if (value->json.type == JSON_STRING && node->type == JSON_STRING && value->searched != value->turn) {
		needles_search(
		    event->set->needles[place->needles], &value->json, event->hits + place->first_hit, value->turn);
		value->searched = value->turn;
	}
	return event->hits[node->count] == value->turn;
}

/* Recursion depth is at most FILTER_DEPTH_MAX for conditions, plus the same for containers in values. */
static bool
holds(struct filter_event *event, const struct filter *filter, const struct filter_node *node)
{
	const struct filter_node *end = filter->nodes + node->end;
	struct value *value;
	int order;

	switch (node->kind) {
	case FILTER_AND:
		for (node++; node < end; node = filter->nodes + node->end)
			if (!holds(event, filter, node))
				return false;
		return true;
	case FILTER_OR:
		for (node++; node < end; node = filter->nodes + node->end)
			if (holds(event, filter, node))
				return true;
		return false;
	case FILTER_NOT:
		return !holds(event, filter, node + 1);
	default:
		break;
	}

	value = value_at(event, node->step);
	if (value == NULL)
		return false;
	switch (node->kind) {
	case FILTER_EXISTS:
		return true;
	case FILTER_EQ:
		return equals(value, filter, node);
	case FILTER_GT:
		return compare(value, filter, node, &order) && order > 0;
	case FILTER_GTE:
		return compare(value, filter, node, &order) && order >= 0;
	case FILTER_LT:
		return compare(value, filter, node, &order) && order < 0;
	case FILTER_LTE:
		return compare(value, filter, node, &order) && order <= 0;
	case FILTER_CONTAINS:
		return contains(event, value, node);
	case FILTER_OBJECT:
		return value->json.type == JSON_OBJECT && value->count == node->count;
	case FILTER_LIST:
		return value->json.type == JSON_ARRAY && value->count == node->count;
	default:
		abort();
	}
}

bool
filter_event_holds(struct filter_event *event, uint32_t number)
{
	const struct filter *filter = &event->set->filters[number];

	return event->valid && holds(event, filter, filter->nodes);
}
