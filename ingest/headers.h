/* Reads the headers Prefer, Idempotency-Key, traceparent and tracestate. Any process. */
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
 * The handling in one Prefer header (RFC 7240). Ignores other preferences and other values. The first one counts,
 * within a header and among several.
 */
enum handling prefer_handling(const char *value, size_t len);

/*
 * Reads an Idempotency-Key header: 1 to IDEMPOTENCY_KEY_MAX visible ASCII characters, bare or as a quoted string of RFC
 * 8941, which is unquoted. Returns the length of the key, or 0 if the value is no key.
 */
#define IDEMPOTENCY_KEY_MAX 255
size_t idempotency_key_parse(const char *value, size_t len, char key[IDEMPOTENCY_KEY_MAX]);

/*
 * Whether the value is a traceparent of W3C Trace Context: version 00, or a later version that begins with the same
 * form; at most TRACEPARENT_MAX characters.
 */
#define TRACEPARENT_MAX 128
bool traceparent_valid(const char *value, size_t len);

/* Whether a tracestate can be passed on: 1 to TRACESTATE_MAX bytes, visible ASCII and blanks. */
#define TRACESTATE_MAX 512
bool tracestate_valid(const char *value, size_t len);

#endif
