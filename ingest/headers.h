/* Reads the headers Prefer, Idempotency-Key, traceparent and tracestate. Any process may call this. */
#ifndef INGEST_HEADERS_H
#define INGEST_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

enum handling {
	HANDLING_UNSAID,
	HANDLING_STRICT, /* all or nothing */
	HANDLING_LENIENT
};

/*
 * What the value of one Prefer header (RFC 7240) says about handling. Other preferences and other values of handling
 * are ignored. Of several, in one header or in several, the first counts.
 */
enum handling prefer_handling(const char *value, size_t len);

/*
 * Reads the value of an Idempotency-Key header, 1 to IDEMPOTENCY_KEY_MAX visible ASCII characters. They may stand in
 * quotes (a string of RFC 8941); neither they nor the backslashes before quotes and backslashes are part of the key.
 * Returns the length of the key, or 0 when the value is no key.
 */
#define IDEMPOTENCY_KEY_MAX 255
size_t idempotency_key_parse(const char *value, size_t len, char key[IDEMPOTENCY_KEY_MAX]);

/*
 * Whether the value is a traceparent of W3C Trace Context, of version 00 or a later one whose beginning has the same
 * form; at most TRACEPARENT_MAX characters.
 */
#define TRACEPARENT_MAX 128
bool traceparent_valid(const char *value, size_t len);

/* Whether a tracestate can be passed on: 1 to TRACESTATE_MAX bytes, visible ASCII and blanks. */
#define TRACESTATE_MAX 512
bool tracestate_valid(const char *value, size_t len);

#endif
