/*
 * The decoded text of a JSON string, as UTF-8. The string must have passed the scanner (event/scan.h). A NUL and half a
 * surrogate pair count as U+FFFD. Pure: any process, any thread.
 */
#ifndef EVENT_JSON_STRING_H
#define EVENT_JSON_STRING_H

#include "base/span.h"
#include "event/scan.h"

#define JSON_STRING_TOO_LONG ((size_t)-1)

/* Decodes into `to`. Returns the bytes, or JSON_STRING_TOO_LONG if they exceed room; `to` is then incomplete. */
size_t json_string_decode(const struct json *string, char *to, size_t room);

/*
 * Compares the decoded string with text, UTF-8 without a NUL, by code points. Returns a number below, equal to or above
 * 0. Reads at most as much of the string as text is long.
 */
int json_string_compare(const struct json *string, struct span text);

#endif
