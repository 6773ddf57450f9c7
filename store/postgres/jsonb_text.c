/*
 * Valid JSON has backslashes in strings only, and each begins an escape: a walk from backslash to backslash that
 * steps over whole escapes never mistakes the second half of "\\" for the beginning of "\u0000".
 */
#include "store/postgres/jsonb_text.h"

#include <stdbool.h>
#include <string.h>

#define ESCAPE_BYTES 6 /* \uXXXX */

/* Reads \uXXXX at text; false when something else is there. */
static bool
read_escape(const char *text, const char *end, unsigned *unit)
{
	if (end - text < ESCAPE_BYTES || text[0] != '\\' || text[1] != 'u')
		return false;
	*unit = 0;
	for (int i = 2; i < ESCAPE_BYTES; i++) {
		char c = text[i];
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (unsigned)((c | 0x20) - 'a') + 10;
		else
			return false;
		*unit = *unit << 4 | digit;
	}
	return true;
}

static bool
is_high_surrogate(unsigned unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static bool
is_low_surrogate(unsigned unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

void
jsonb_text_clean(char *text, size_t len)
{
	const char *end = text + len;

	while (text < end && (text = memchr(text, '\\', (size_t)(end - text))) != NULL) {
		unsigned unit, next;

		if (!read_escape(text, end, &unit)) {
			text += 2;
		} else if (is_high_surrogate(unit) && read_escape(text + ESCAPE_BYTES, end, &next) &&
			   is_low_surrogate(next)) {
			text += 2 * ESCAPE_BYTES;
		} else {
			if (unit == 0 || is_high_surrogate(unit) || is_low_surrogate(unit))
				memcpy(text, "\\ufffd", ESCAPE_BYTES);
			text += ESCAPE_BYTES;
		}
	}
}
