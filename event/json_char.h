/*
 * The characters of JSON strings, one by one, as code points and as UTF-8. All functions trust the text: it must have
 * passed the scanner (event/scan.h). `end` is where the string's closing quote stands.
 */
#ifndef EVENT_JSON_CHAR_H
#define EVENT_JSON_CHAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json_escape.h"

/* Stands for a NUL and for half a surrogate pair, which are no characters of UTF-8 text. */
#define JSON_CHAR_REPLACEMENT 0xfffd

/* Writes the character to `to`, 1..4 bytes. Returns how many. */
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

/* The character that the escape at *p spells; moves *p behind it. */
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
 * The character at *p, an escape or as it is; moves *p behind it. *sanitised is set where JSON_CHAR_REPLACEMENT stands
 * for what the escape spells, and otherwise stays as it is.
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
