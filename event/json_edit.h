/*
 * Edits JSON text without taking it apart: objects are opened where something is to be changed, and what is written is
 * the old text with the changes. All other bytes, white space included, are copied as they stand; a new member is
 * written behind the others, without white space.
 *
 * Members are known by the numbers of their names in a table; others are not looked at. Of members with the same name
 * the last one is the one that is found; when it is replaced, moved or removed the others go also.
 *
 * Objects and members are numbers, which hold until the next json_edit_begin(). Each object is scanned once, when it is
 * opened. The room grows to some 100 bytes for each member of opened objects that has a name of the table, and is kept.
 * Pure otherwise. For one thread.
 */
#ifndef EVENT_JSON_EDIT_H
#define EVENT_JSON_EDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "event/name_table.h"

#define JSON_EDIT_NONE UINT32_MAX
#define JSON_EDIT_ALL 0u /* stands for a member whose value is the whole text */

/* A value that can be put somewhere: JSON text, and the object that it was opened as or JSON_EDIT_NONE. */
struct json_value {
	struct span text;
	uint32_t object;
};

struct json_edit;

/* Room for one text after the other. Never NULL. The caller frees it. */
struct json_edit *json_edit_new(void);
void json_edit_free(struct json_edit *edit);

/* Begins with a text, JSON that passed the scanner. It and the names, none longer than a path, are borrowed. */
void json_edit_begin(struct json_edit *edit, const struct name_table *names, struct span text);

/* The edited text: the text itself if nothing was changed, else bytes that stay until the next json_edit_begin(). */
struct span json_edit_end(struct json_edit *edit);

/* The object that a member's value is, or JSON_EDIT_NONE when the value is no object. */
uint32_t json_edit_open(struct json_edit *edit, uint32_t member);

/* The member of that name in an object, or JSON_EDIT_NONE. */
uint32_t json_edit_find(struct json_edit *edit, uint32_t object, uint32_t name);

/* Makes another one be found, or none, of that name; what is written stays the same. */
void json_edit_show(struct json_edit *edit, uint32_t object, uint32_t name, uint32_t member);

struct json_value json_edit_value(struct json_edit *edit, uint32_t member);

/*
 * These change an object. The caller then says so of it and of each object that it stands in: json_edit_changed().
 * put() replaces the member of that name or adds one, put_object() adds one that is {} and returns the object, rename()
 * leaves the member where it is, in place of a member `to`. A value may be put only where it is not part of itself.
 */
void json_edit_put(struct json_edit *edit, uint32_t object, uint32_t name, struct json_value value);
uint32_t json_edit_put_object(struct json_edit *edit, uint32_t object, uint32_t name);
void json_edit_remove(struct json_edit *edit, uint32_t object, uint32_t name);
void json_edit_rename(struct json_edit *edit, uint32_t object, uint32_t from, uint32_t to);
void json_edit_changed(struct json_edit *edit, uint32_t object);

#endif
