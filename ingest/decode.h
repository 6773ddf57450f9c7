/*
 * Bytes of a request -> checked events -> records. Pure: no sockets, no database, no clock, no allocation.
 *
 * One pass validates RFC 8259 and UTF-8, finds an event's fields (event/fields.h) and writes one sealed record per
 * event into the caller's buffer, which is free ring space: no other process sees it before the caller publishes it, so
 * a refused request leaves nothing behind.
 */
#ifndef INGEST_DECODE_H
#define INGEST_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/decode_env.h"
#include "ingest/decode_error.h"

enum body_kind {
	BODY_EVENT, /* one JSON object */
	BODY_ARRAY, /* a JSON array of objects */
	BODY_NDJSON /* one JSON object a line; blank lines and a final newline are allowed, and so is no line at all */
};

#define DECODE_ERRORS_MAX 100

enum decode_status {
	DECODE_OK = 0,
	DECODE_INVALID = 1, /* 422: see errors */
	DECODE_TOO_LARGE = 2, /* 413: an event over max_event_bytes or more than max_events; errors[0] says which */
	DECODE_NO_SPACE = 3 /* the request is valid, but its records do not fit into capacity bytes */
};

struct decode_result {
	uint32_t events; /* records written */
	size_t bytes; /* of those records, a multiple of 8 */
	/*
	 * Events in which NaN or Infinity became null, or an envelope string lost a NUL or a surrogate, or whose record
	 * is flagged RECORD_UNSAFE_ESCAPES. Each event counts once.
	 */
	uint32_t sanitised;
	uint32_t unknown; /* events with unknown fields, which were kept or ignored */
	uint32_t rejected[CAUSES]; /* wrong events of a lenient request, each once */
	uint32_t errors_found; /* an event may have several */
	uint32_t error_count; /* entries in errors: the first DECODE_ERRORS_MAX of those found */
	struct decode_error errors[DECODE_ERRORS_MAX];
};

/* Where records go: size bytes at base, which is 8-byte aligned. */
struct decode_space {
	void *base;
	size_t size;
};

/*
 * Decodes body into records in that space. Exactly the sum of the record sizes is needed. Unless DECODE_OK is returned,
 * events, bytes, sanitised and unknown are 0 and the space holds garbage. body is only read; its base may be NULL when
 * it has no bytes. Any process may call it.
 *
 * Strict: all events are taken or none. Wrong fields are collected over the whole request; a syntax error or something
 * too large ends the scan, and is then the only error. The index of a syntax error is -1 in an array, whose text is
 * wrong as a whole.
 *
 * Lenient (env->lenient): an event is left out if its fields are wrong, if it is too large, or if its line is no JSON.
 * DECODE_OK comes with the errors of such events, and DECODE_INVALID when no event is left. Errors that belong to no
 * event are as above.
 */
enum decode_status decode_body(struct span body, enum body_kind kind, const struct decode_env *env,
    struct decode_space space, struct decode_result *result);

#endif
