/* Strings without a backslash, nearly all, are compared and copied directly. */
#include "event/json_string.h"

#include <string.h>

#include "event/json_char.h"

size_t
json_string_decode(const struct json *string, char *to, size_t room)
{
	const char *p = string->text + 1, *end = string->text + string->len - 1;
	size_t len = (size_t)(end - p);
	bool sanitised = false;

	if (!string->escapes) {
		if (len > room)
			return JSON_STRING_TOO_LONG;
		memcpy(to, p, len);
		return len;
	}
	for (len = 0; p < end;) {
		char character[4];
		size_t bytes = json_char_put(json_char_take(&p, end, &sanitised), character);

		if (room - len < bytes)
			return JSON_STRING_TOO_LONG;
		memcpy(to + len, character, bytes);
		len += bytes;
	}
	return len;
}

int
json_string_compare(const struct json *string, struct span text)
{
	const char *p = string->text + 1, *end = string->text + string->len - 1;
	size_t len = (size_t)(end - p), at = 0;
	bool sanitised = false;

	/* UTF-8 bytes sort in the order of code points. */
	if (!string->escapes) {
		int order = memcmp(p, text.base, len < text.len ? len : text.len);

		return order != 0 ? order : (len > text.len) - (len < text.len);
	}
	while (p < end && at < text.len) {
		char character[4];
		size_t bytes = json_char_put(json_char_take(&p, end, &sanitised), character);
		size_t left = text.len - at;
		int order = memcmp(character, text.base + at, bytes < left ? bytes : left);

		if (order != 0)
			return order;
		if (bytes > left)
			return 1;
		at += bytes;
	}
	return (p < end) - (at < text.len);
}
