/*
 * Edits JSON text in place of building a tree: only objects to be changed are opened. The output is the old text with
 * the changes; all other bytes, white space included, are copied. A new member is appended without white space.
 *
 * Only members whose names are in a name table are visible, by their number there. Of members with the same name the
 * last is found; replacing, renaming or removing it removes the others, too.
 *
 * Objects and members are numbers, valid until the next json_edit_begin(). Each object is scanned once, when it is
 * opened. Memory grows by about 100 bytes per visible member of an opened object, and is reused. Otherwise pure. For
 * one thread.
 */
#ifndef EVENT_JSON_EDIT_H
#define EVENT_JSON_EDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "event/name_table.h"

#define JSON_EDIT_NONE UINT32_MAX
#define JSON_EDIT_ALL 0u /* a member whose value is the whole text */

/* A value to put: its JSON text, and its object number if it was opened, else JSON_EDIT_NONE. */
struct json_value {
	struct span text;
	uint32_t object;
};

struct json_edit;

/* Makes the state for editing texts, one at a time. Never NULL. The caller frees it. */
struct json_edit *json_edit_new(void);
void json_edit_free(struct json_edit *edit);

/* Begins with a JSON text that passed the scanner. Borrows text and names; no name may be longer than a path. */
void json_edit_begin(struct json_edit *edit, const struct name_table *names, struct span text);

/* The edited text: the original if nothing was changed, else bytes valid until the next json_edit_begin(). */
struct span json_edit_end(struct json_edit *edit);

/* Opens the member's value. Returns the object, or JSON_EDIT_NONE if the value is no object. */
uint32_t json_edit_open(struct json_edit *edit, uint32_t member);

/* The member of that name in an object, or JSON_EDIT_NONE. */
uint32_t json_edit_find(struct json_edit *edit, uint32_t object, uint32_t name);

/* Makes json_edit_find() return another member, or none, for that name. The output does not change. */
void json_edit_show(struct json_edit *edit, uint32_t object, uint32_t name, uint32_t member);

struct json_value json_edit_value(struct json_edit *edit, uint32_t member);

/*
 * Change an object. The caller must then call json_edit_changed() for it and for each object around it. put() replaces
 * the member of that name or adds one; put_object() adds {} and returns the object; rename() keeps the member's
 * position and replaces a member `to`. Never put a value into itself.
 */
void json_edit_put(struct json_edit *edit, uint32_t object, uint32_t name, struct json_value value);
uint32_t json_edit_put_object(struct json_edit *edit, uint32_t object, uint32_t name);
void json_edit_remove(struct json_edit *edit, uint32_t object, uint32_t name);
void json_edit_rename(struct json_edit *edit, uint32_t object, uint32_t from, uint32_t to);
void json_edit_changed(struct json_edit *edit, uint32_t object);

#endif
