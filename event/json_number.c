/* Reads integers by hand, other numbers by strtod(). */
#include "event/json_number.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Reads the digits after the sign. Returns false for other characters or more than 64 bits. */
static bool
read_integer(const char *digits, const char *end, uint64_t *integer)
{
	*integer = 0;
	for (const char *p = digits; p < end; p++) {
		if (*p < '0' || *p > '9' || __builtin_mul_overflow(*integer, UINT64_C(10), integer) ||
		    __builtin_add_overflow(*integer, (uint64_t)(*p - '0'), integer))
			return false;
	}
	return true;
}

bool
json_number_read(struct span text, json_number *number)
{
	char copy[JSON_NUMBER_CHARS_MAX + 1];
	bool negative = text.base[0] == '-';
	uint64_t integer;

	if (text.len > JSON_NUMBER_CHARS_MAX)
		return false;
	if (read_integer(text.base + negative, text.base + text.len, &integer)) {
		*number = negative ? -(json_number)integer : (json_number)integer;
		return true;
	}
	memcpy(copy, text.base, text.len);
	copy[text.len] = '\0';
	*number = strtod(copy, NULL);
	return true;
}
