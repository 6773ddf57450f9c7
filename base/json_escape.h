/* The \uXXXX escapes of JSON strings: hex digits, code units, surrogates. */
#ifndef BASE_JSON_ESCAPE_H
#define BASE_JSON_ESCAPE_H

#include <stdbool.h>

/* The bytes of \uXXXX. */
#define JSON_ESCAPE_BYTES 6

/* The value of a hex digit, or -1. */
static inline int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The UTF-16 code unit of the \uXXXX escape at p, or -1 if there is none. */
static inline int
json_escape_unit(const char *p, const char *end)
{
	if (end - p < JSON_ESCAPE_BYTES || p[0] != '\\' || p[1] != 'u')
		return -1;

	int a = hex_digit(p[2]), b = hex_digit(p[3]), c = hex_digit(p[4]), d = hex_digit(p[5]);

	return (a | b | c | d) < 0 ? -1 : a << 12 | b << 8 | c << 4 | d;
}

static inline bool
is_high_surrogate(int unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static inline bool
is_low_surrogate(int unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

#endif
