/*
 * The characters of JSON strings, one by one, as code points and as UTF-8. All functions trust the text: it must have
 * passed the scanner (event/scan.h). `end` is the string's closing quote.
 */
#ifndef EVENT_JSON_CHAR_H
#define EVENT_JSON_CHAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json_escape.h"

/* Replaces a NUL and half a surrogate pair: stores do not accept them. */
#define JSON_CHAR_REPLACEMENT 0xfffd

/* Writes the character to `to`. Returns its bytes, 1..4. */
static inline size_t
json_char_put(uint32_t code, char *to)
{
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char)(0xc0 | code >> 6);
		to[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (char)(0xe0 | code >> 12);
		to[1] = (char)(0x80 | (code >> 6 & 0x3f));
		to[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | code >> 18);
	to[1] = (char)(0x80 | (code >> 12 & 0x3f));
	to[2] = (char)(0x80 | (code >> 6 & 0x3f));
	to[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* The character of the escape at *p; moves *p past it. */
static inline uint32_t
json_char_escape(const char **p, const char *end, bool *sanitised)
{
	char letter = (*p)[1];
	int unit, low;

	if (letter != 'u') {
		*p += 2;
		switch (letter) {
		case 'b':
			return '\b';
		case 'f':
			return '\f';
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
		default:
			return (unsigned char)letter;
		}
	}

	unit = json_escape_unit(*p, end);
	*p += JSON_ESCAPE_BYTES;
	if (is_high_surrogate(unit)) {
		low = json_escape_unit(*p, end);
		if (is_low_surrogate(low)) {
			*p += JSON_ESCAPE_BYTES;
			return 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
		}
	}
	if (unit == 0 || is_high_surrogate(unit) || is_low_surrogate(unit)) {
		*sanitised = true;
		return JSON_CHAR_REPLACEMENT;
	}
	return (uint32_t)unit;
}

/*
 * The character at *p, escaped or literal; moves *p past it. Sets *sanitised if it returns JSON_CHAR_REPLACEMENT
 * instead of the escape's own value, otherwise leaves it.
 */
static inline uint32_t
json_char_take(const char **p, const char *end, bool *sanitised)
{
	const char *at = *p;
	unsigned lead = (unsigned char)*at++;
	uint32_t code;

	if (lead == '\\')
		return json_char_escape(p, end, sanitised);
	code = lead < 0x80 ? lead : lead < 0xe0 ? lead & 0x1f : lead < 0xf0 ? lead & 0x0f : lead & 0x07;
	while (((unsigned char)*at & 0xc0) == 0x80)
		code = code << 6 | ((unsigned char)*at++ & 0x3f);
	*p = at;
	return code;
}

#endif
