/*
 * Valid JSON has backslashes in strings only, and each begins an escape: a walk from backslash to backslash that
 * steps over whole escapes never mistakes the second half of "\\" for the beginning of "\u0000".
 */
#include "store/postgres/jsonb_text.h"

#include <string.h>

#include "base/json_escape.h"

void
jsonb_text_clean(char *text, size_t len)
{
	const char *end = text + len;

	while (text < end && (text = memchr(text, '\\', (size_t)(end - text))) != NULL) {
		int unit = json_escape_unit(text, end);

		if (unit < 0) {
			text += 2;
		} else if (is_high_surrogate(unit) &&
			   is_low_surrogate(json_escape_unit(text + JSON_ESCAPE_BYTES, end))) {
			text += 2 * JSON_ESCAPE_BYTES;
		} else {
			if (unit == 0 || is_high_surrogate(unit) || is_low_surrogate(unit))
				memcpy(text, "\\ufffd", JSON_ESCAPE_BYTES);
			text += JSON_ESCAPE_BYTES;
		}
	}
}
