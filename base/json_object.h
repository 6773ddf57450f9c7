/* Writes a JSON object at the end of a buffer, member by member, without white space. Keys need no escapes. */
#ifndef BASE_JSON_OBJECT_H
#define BASE_JSON_OBJECT_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"

struct json_object {
	struct bytes *out; /* borrowed */
	size_t begin; /* offset of the object in out */
};

struct json_object json_object_begin(struct bytes *out);

/* Adds a string: value is UTF-8 and is escaped here. A NULL value adds nothing. */
void json_object_add(struct json_object *object, const char *key, struct span value);
void json_object_add_text(struct json_object *object, const char *key, const char *value);

/* Add strings in the forms of format_uuid() and format_time(). */
void json_object_add_uuid(struct json_object *object, const char *key, const uint8_t id[16]);
void json_object_add_time(struct json_object *object, const char *key, int64_t us);

/* Adds a value that is JSON already. */
void json_object_add_json(struct json_object *object, const char *key, struct span json);

/* Closes the object. At least one member must have been added. */
void json_object_end(struct json_object *object);

#endif
