/* Builds JSON objects where speed does not matter; JSONL lines of events are written by store/jsonl/jsonl_line.c. */
#include "base/json_object.h"

#include <string.h>

#include "base/format.h"

struct json_object
json_object_begin(struct bytes *out)
{
	return (struct json_object){.out = out, .begin = out->len};
}

static void
add_key(struct json_object *object, const char *key)
{
	bytes_add_text(object->out, object->out->len == object->begin ? "{\"" : ",\"");
	bytes_add_text(object->out, key);
	bytes_add_text(object->out, "\":");
}

void
json_object_add(struct json_object *object, const char *key, struct span value)
{
	struct bytes *out = object->out;

	if (value.base == NULL)
		return;
	add_key(object, key);
	char *end = format_json_string(bytes_reserve(out, format_json_max(value.len)), value.base, value.len);
	out->len = (size_t)(end - out->base);
}

void
json_object_add_text(struct json_object *object, const char *key, const char *value)
{
	json_object_add(object, key, (struct span){value, value == NULL ? 0 : strlen(value)});
}

void
json_object_add_uuid(struct json_object *object, const char *key, const uint8_t id[16])
{
	char text[FORMAT_UUID_BYTES];

	format_uuid(id, text);
	json_object_add(object, key, (struct span){text, sizeof text});
}

void
json_object_add_time(struct json_object *object, const char *key, int64_t us)
{
	char text[FORMAT_TIME_BYTES];

	format_time(us, text);
	json_object_add(object, key, (struct span){text, sizeof text});
}

void
json_object_add_json(struct json_object *object, const char *key, struct span json)
{
	add_key(object, key);
	bytes_add(object->out, json.base, json.len);
}

void
json_object_end(struct json_object *object)
{
	bytes_add_text(object->out, "}");
}
