/* Writes a JSON object at the end of a buffer, member by member, without white space. Keys need no escapes. */
#ifndef BASE_JSON_OBJECT_H
#define BASE_JSON_OBJECT_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"

struct json_object {
	struct bytes *out; /* borrowed */
	size_t begin; /* where the object stands in it */
};

struct json_object json_object_begin(struct bytes *out);

/* The value is UTF-8, and is escaped. A null value is left out. */
void json_object_add(struct json_object *object, const char *key, struct span value);
void json_object_add_text(struct json_object *object, const char *key, const char *value);

/* As format_uuid() and format_time() write them. */
void json_object_add_uuid(struct json_object *object, const char *key, const uint8_t id[16]);
void json_object_add_time(struct json_object *object, const char *key, int64_t us);

/* The value is JSON already. */
void json_object_add_json(struct json_object *object, const char *key, struct span json);

/* At least one member was added. */
void json_object_end(struct json_object *object);

#endif
