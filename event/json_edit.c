/*
 * Edits JSON text. See json_edit.h.
 *
 * Opening an object scans it and notes each member whose name is in the table, in the order of the text. At the end a
 * changed object is written member by member, with the text between noted members copied; all else is copied whole.
 *
 *     { "a" : 1 , "x":2,"y":3, "b":4 }
 *      ^~~~~~~~~^             ^~~~~~~^     noted members, with the white space around them
 */
#include "event/json_edit.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "event/json_string.h"
#include "event/rule.h"
#include "event/scan.h"

#define NONE JSON_EDIT_NONE

/* The parts of a member in the text. All NULL: a new member. */
struct member_text {
	const char *begin, *end; /* from after the preceding '{' or ',' up to the following ',' or '}' */
	const char *key, *key_end, *value, *value_end;
};

struct member {
	uint32_t next; /* in its object */
	uint32_t earlier; /* the member of the same name that this one hides */
	uint32_t name;
	bool renamed, gone;
	struct member_text text;
	struct json_value value;
};

/* The last member of a name in an object. */
struct slot {
	uint32_t next;
	uint32_t name;
	uint32_t member; /* NONE: removed */
};

struct object {
	struct span text;
	uint32_t first, last, slots; /* lists of members and of slots */
	bool empty; /* its text has no members */
	bool changed;
};

struct json_edit {
	const struct name_table *names;
	struct bytes objects, members, slots, out;
	struct bytes name_slots; /* for each name its newest slot */
};

static struct object *
object_at(struct json_edit *edit, uint32_t number)
{
	return (struct object *)(void *)edit->objects.base + number;
}

static struct member *
member_at(struct json_edit *edit, uint32_t number)
{
	return (struct member *)(void *)edit->members.base + number;
}

static struct slot *
slot_at(struct json_edit *edit, uint32_t number)
{
	return (struct slot *)(void *)edit->slots.base + number;
}

/* --- opening objects --------------------------------------------------------------------------------------------- */

static uint32_t
add_slot(struct json_edit *edit, uint32_t object, uint32_t name, uint32_t member)
{
	uint32_t number = (uint32_t)(edit->slots.len / sizeof(struct slot));
	struct slot slot = {object_at(edit, object)->slots, name, member};

	bytes_add(&edit->slots, &slot, sizeof slot);
	object_at(edit, object)->slots = number;
	return number;
}

/* Appends a member to the object's list. Sets next; the caller has set the rest. */
static uint32_t
add_member(struct json_edit *edit, uint32_t object, struct member member)
{
	uint32_t number = (uint32_t)(edit->members.len / sizeof member);
	struct object *to = object_at(edit, object);

	member.next = NONE;
	bytes_add(&edit->members, &member, sizeof member);
	if (to->last == NONE)
		to->first = number;
	else
		member_at(edit, to->last)->next = number;
	to->last = number;
	return number;
}

static uint32_t
add_object(struct json_edit *edit, struct span text)
{
	uint32_t number = (uint32_t)(edit->objects.len / sizeof(struct object));
	struct object object = {.text = text, .first = NONE, .last = NONE, .slots = NONE, .empty = true};

	bytes_add(&edit->objects, &object, sizeof object);
	return number;
}

static uint32_t
name_of(const struct name_table *names, const struct json *key)
{
	char decoded[RULE_PATH_BYTES_MAX];
	size_t len;

	if (!key->escapes)
		return name_table_find(names, (struct span){key->text + 1, key->len - 2});
	len = json_string_decode(key, decoded, sizeof decoded);
	return len == JSON_STRING_TOO_LONG ? NAME_NONE : name_table_find(names, (struct span){decoded, len});
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Notes a member of the object being opened. */
static void
note_member(struct json_edit *edit, uint32_t object, uint32_t name, struct member member)
{
	uint32_t *slots = (uint32_t *)(void *)edit->name_slots.base, slot = slots[name];

	while (is_space(member.text.begin[-1]))
		member.text.begin--;
	while (is_space(*member.text.end))
		member.text.end++;
	member.name = name;
	if (slot == NONE) {
		member.earlier = NONE;
		slots[name] = add_slot(edit, object, name, add_member(edit, object, member));
	} else {
		member.earlier = slot_at(edit, slot)->member;
		slot_at(edit, slot)->member = add_member(edit, object, member);
	}
}

uint32_t
json_edit_open(struct json_edit *edit, uint32_t member)
{
	struct json_value value = member_at(edit, member)->value;
	struct scan scan;
	struct json key, json;
	enum scan_step step;
	bool first = true;
	uint32_t object;

	if (value.object != NONE)
		return value.object;
	if (!scan_begin(&scan, value.text.base, value.text.len) || *scan.at != '{')
		return NONE;
	object = add_object(edit, (struct span){scan.at, 0});
	memset(edit->name_slots.base, 0xff, edit->name_slots.len);
	while ((step = scan_member(&scan, &first, &key)) == SCAN_ELEMENT && scan_value(&scan, &json)) {
		uint32_t name = name_of(edit->names, &key);

		object_at(edit, object)->empty = false;
		if (name != NAME_NONE)
			note_member(edit, object, name,
			    (struct member){
				.text =
				    {
					.begin = key.text,
					.key = key.text,
					.key_end = key.text + key.len,
					.value = json.text,
					.value_end = json.text + json.len,
					.end = json.text + json.len,
				    },
				.value = {{json.text, json.len}, NONE},
			    });
	}
	if (step != SCAN_CLOSED)
		return NONE;
	object_at(edit, object)->text.len = (size_t)(scan.at - object_at(edit, object)->text.base);
	member_at(edit, member)->value.object = object;
	return object;
}

/* --- members ----------------------------------------------------------------------------------------------------- */

/* The slot of a name in an object, or NONE. The slot may have no member. */
static uint32_t
find_slot(struct json_edit *edit, uint32_t object, uint32_t name)
{
	uint32_t slot = object_at(edit, object)->slots;

	while (slot != NONE && slot_at(edit, slot)->name != name)
		slot = slot_at(edit, slot)->next;
	return slot;
}

/* Makes json_edit_find() return that member, or none. */
static void
set_slot(struct json_edit *edit, uint32_t object, uint32_t name, uint32_t member)
{
	uint32_t slot = find_slot(edit, object, name);

	if (slot == NONE)
		(void)add_slot(edit, object, name, member);
	else
		slot_at(edit, slot)->member = member;
}

/* Removes the earlier members of the same name. */
static void
drop_earlier(struct json_edit *edit, uint32_t member)
{
	uint32_t earlier = member_at(edit, member)->earlier;

	for (; earlier != NONE; earlier = member_at(edit, earlier)->earlier)
		member_at(edit, earlier)->gone = true;
	member_at(edit, member)->earlier = NONE;
}

/* Adds a member that the text does not have. */
static void
add_new(struct json_edit *edit, uint32_t object, uint32_t name, struct json_value value)
{
	set_slot(edit, object, name,
	    add_member(edit, object, (struct member){.earlier = NONE, .name = name, .value = value}));
}

uint32_t
json_edit_find(struct json_edit *edit, uint32_t object, uint32_t name)
{
	uint32_t slot = find_slot(edit, object, name);

	return slot == NONE ? NONE : slot_at(edit, slot)->member;
}

void
json_edit_show(struct json_edit *edit, uint32_t object, uint32_t name, uint32_t member)
{
	set_slot(edit, object, name, member);
}

void
json_edit_changed(struct json_edit *edit, uint32_t object)
{
	object_at(edit, object)->changed = true;
}

struct json_value
json_edit_value(struct json_edit *edit, uint32_t member)
{
	return member_at(edit, member)->value;
}

void
json_edit_put(struct json_edit *edit, uint32_t object, uint32_t name, struct json_value value)
{
	uint32_t member = json_edit_find(edit, object, name);

	if (member == NONE) {
		add_new(edit, object, name, value);
		return;
	}
	drop_earlier(edit, member);
	member_at(edit, member)->value = value;
}

uint32_t
json_edit_put_object(struct json_edit *edit, uint32_t object, uint32_t name)
{
	struct json_value value = {{"{}", 2}, add_object(edit, (struct span){"{}", 2})};

	add_new(edit, object, name, value);
	return value.object;
}

void
json_edit_remove(struct json_edit *edit, uint32_t object, uint32_t name)
{
	uint32_t member = json_edit_find(edit, object, name);

	if (member == NONE)
		return;
	drop_earlier(edit, member);
	member_at(edit, member)->gone = true;
	set_slot(edit, object, name, NONE);
}

void
json_edit_rename(struct json_edit *edit, uint32_t object, uint32_t from, uint32_t to)
{
	uint32_t member = json_edit_find(edit, object, from);

	json_edit_remove(edit, object, to);
	drop_earlier(edit, member);
	member_at(edit, member)->name = to;
	member_at(edit, member)->renamed = true;
	set_slot(edit, object, from, NONE);
	set_slot(edit, object, to, member);
}
/* --- writing ----------------------------------------------------------------------------------------------------- */

static void write_value(struct json_edit *edit, const struct json_value *value);

static void
write_text(struct json_edit *edit, const char *from, const char *to)
{
	bytes_add(&edit->out, from, (size_t)(to - from));
}

/* A name as a key. */
static void
write_name(struct json_edit *edit, uint32_t number)
{
	const struct name *name = &edit->names->names[number];
	const char *text = edit->names->text.base + name->at;
	char *to = bytes_reserve(&edit->out, 6 * (size_t)name->len + 2), *p = to;

	*p++ = '"';
	for (uint32_t i = 0; i < name->len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20) {
			p = mempcpy(p, "\\u00", 4);
			*p++ = "0123456789abcdef"[c >> 4];
			*p++ = "0123456789abcdef"[c & 15];
			continue;
		}
		if (c == '"' || c == '\\')
			*p++ = '\\';
		*p++ = (char)c;
	}
	*p++ = '"';
	edit->out.len += (size_t)(p - to);
}

/* Writes the comma between members. */
static void
begin_member(struct json_edit *edit, bool *first)
{
	if (!*first)
		bytes_add(&edit->out, ",", 1);
	*first = false;
}

/* Writes a member; one of the text keeps its white space. */
static void
write_member(struct json_edit *edit, uint32_t number)
{
	const struct member member = *member_at(edit, number);
	const struct member_text *text = &member.text;

	write_text(edit, text->begin, text->key);
	if (member.renamed || text->begin == NULL)
		write_name(edit, member.name);
	else
		write_text(edit, text->key, text->key_end);
	if (text->begin == NULL)
		bytes_add(&edit->out, ":", 1);
	write_text(edit, text->key_end, text->value);
	write_value(edit, &member.value);
	write_text(edit, text->value_end, text->end);
}

static void
write_object(struct json_edit *edit, uint32_t number)
{
	const struct object object = *object_at(edit, number);
	const char *at = object.text.base + 1, *end = object.text.base + object.text.len;
	bool first = true;

	bytes_add(&edit->out, "{", 1);
	for (uint32_t i = object.first; i != NONE; i = member_at(edit, i)->next) {
		const struct member *member = member_at(edit, i);

		/* Members of the text come first. Copy the unnoted members between two of them. */
		if (member->text.begin == NULL)
			break;
		if (at < member->text.begin) {
			begin_member(edit, &first);
			write_text(edit, at, member->text.begin - 1);
		}
		at = member->text.end + 1;
		if (!member->gone) {
			begin_member(edit, &first);
			write_member(edit, i);
		}
	}
	if (at < end && !object.empty) {
		begin_member(edit, &first);
		write_text(edit, at, end - 1);
	}
	for (uint32_t i = object.first; i != NONE; i = member_at(edit, i)->next) {
		if (member_at(edit, i)->text.begin == NULL && !member_at(edit, i)->gone) {
			begin_member(edit, &first);
			write_member(edit, i);
		}
	}
	bytes_add(&edit->out, "}", 1);
}

/* Depth is bounded by the steps of all paths. */
static void
write_value(struct json_edit *edit, const struct json_value *value)
{
	if (value->object != NONE && object_at(edit, value->object)->changed)
		write_object(edit, value->object);
	else
		bytes_add(&edit->out, value->text.base, value->text.len);
}

/* --- the whole text ---------------------------------------------------------------------------------------------- */

struct json_edit *
json_edit_new(void)
{
	return mem_new(1, sizeof(struct json_edit));
}

void
json_edit_free(struct json_edit *edit)
{
	if (edit == NULL)
		return;
	bytes_free(&edit->objects);
	bytes_free(&edit->members);
	bytes_free(&edit->slots);
	bytes_free(&edit->out);
	bytes_free(&edit->name_slots);
	free(edit);
}

void
json_edit_begin(struct json_edit *edit, const struct name_table *names, struct span text)
{
	const struct member all = {.next = NONE, .earlier = NONE, .value = {text, NONE}};

	edit->names = names;
	edit->objects.len = edit->members.len = edit->slots.len = edit->out.len = edit->name_slots.len = 0;
	(void)bytes_reserve(&edit->name_slots, names->count * sizeof(uint32_t));
	edit->name_slots.len = names->count * sizeof(uint32_t);
	bytes_add(&edit->members, &all, sizeof all);
}

struct span
json_edit_end(struct json_edit *edit)
{
	const struct json_value all = member_at(edit, JSON_EDIT_ALL)->value;

	if (all.object == NONE || !object_at(edit, all.object)->changed)
		return all.text;

	/* Copy the white space around the object, too. */
	const struct span opened = object_at(edit, all.object)->text;

	(void)bytes_reserve(&edit->out, all.text.len);
	write_text(edit, all.text.base, opened.base);
	write_object(edit, all.object);
	write_text(edit, opened.base + opened.len, all.text.base + all.text.len);
	return (struct span){edit->out.base, edit->out.len};
}
