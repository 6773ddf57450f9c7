/*
 * What a JSON string spells, as UTF-8. The string must have passed the scanner (event/scan.h). A NUL and half a
 * surrogate pair, which are no characters of UTF-8 text, count as U+FFFD. Pure: any process, any thread.
 */
#ifndef EVENT_JSON_STRING_H
#define EVENT_JSON_STRING_H

#include "base/span.h"
#include "event/scan.h"

#define JSON_STRING_TOO_LONG ((size_t)-1)

/* Writes it to `to`. Returns the bytes, or JSON_STRING_TOO_LONG when there are more than room; `to` then holds some. */
size_t json_string_decode(const struct json *string, char *to, size_t room);

/*
 * Compares it with text, UTF-8 without a NUL, by code points. Returns a number below, equal to or above 0. Looks at no
 * more of the string than at its beginning as long as text.
 */
int json_string_compare(const struct json *string, struct span text);

#endif
