/*
 * Converts scanned JSON text to its stored form. All functions trust the text: it must have passed the scanner. They
 * write each byte once and never read it back, because the destination may be shared memory.
 */
#ifndef INGEST_REWRITE_H
#define INGEST_REWRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "event/scan.h"

#define REWRITE_TOO_LONG ((size_t)-1)

/*
 * Decodes a JSON string into `to`, which has room for 4 * max_chars bytes. A NUL or a lone surrogate becomes U+FFFD and
 * sets *sanitised; otherwise *sanitised is unchanged. Returns the bytes written, or REWRITE_TOO_LONG if there are more
 * than max_chars characters (code points); `to` is then incomplete.
 */
size_t rewrite_string(const struct json *string, char *to, size_t max_chars, bool *sanitised);

/*
 * Decodes the first max_chars characters of a JSON string into `to`, and adds "..." if there are more; `to` has room
 * for 4 * max_chars + 3 bytes. Returns the bytes written.
 */
size_t rewrite_cut(const struct json *string, char *to, size_t max_chars);

/* Compares two JSON strings, decoded, by code points. Returns a number below, equal to or above 0. */
int rewrite_compare(const struct json *a, const struct json *b);

/* The number of code points in len bytes of UTF-8. */
size_t rewrite_count(const char *text, size_t len);

/* Writes the value's value->tight bytes to `to`: no insignificant white space, null for each non-finite number. */
void rewrite_tight(const struct json *value, char *to);

#endif
