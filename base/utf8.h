/* Finds characters of UTF-8, for code that must not cut a character or pass on broken text. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The bytes (1..4) of the well-formed character (RFC 3629: no overlong forms, no surrogates, nothing above
 * U+10FFFF) that text[0..available) begins with; 0 when it begins with none.
 */
size_t utf8_length(const char *text, size_t available);

/* Whether that character of so many bytes is a control character: C0, DEL or C1 (U+0080 to U+009F). */
bool utf8_is_control(const char *text, size_t bytes);

#endif
