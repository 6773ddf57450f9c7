/*
 * Decodes a request's body into checked records. Pure: no sockets, no database, no clock, no allocation.
 *
 * One pass validates RFC 8259 and UTF-8, finds an event's fields (event/fields.h) and writes one sealed record per
 * event into the caller's buffer. That buffer is free ring space, invisible to other processes until the caller
 * publishes it, so a refused request leaves nothing behind.
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
	BODY_NDJSON /* one JSON object per line; blank lines, a final newline and an empty body are allowed */
};

#define DECODE_ERRORS_MAX 100

enum decode_status {
	DECODE_OK = 0,
	DECODE_INVALID = 1, /* 422: see errors */
	DECODE_TOO_LARGE = 2, /* 413: an event above max_event_bytes, or more than max_events; errors[0] says which */
	DECODE_NO_SPACE = 3 /* the request is valid, but its records do not fit into capacity bytes */
};

struct decode_result {
	uint32_t events; /* records written */
	size_t bytes; /* size of those records, a multiple of 8 */
	/*
	 * Events where NaN or Infinity became null, a NUL or surrogate in an envelope string was replaced, or
	 * RECORD_UNSAFE_ESCAPES is set. Each event counts once.
	 */
	uint32_t sanitised;
	uint32_t unknown; /* events with unknown fields, kept or ignored */
	uint32_t rejected[CAUSES]; /* refused events of a lenient request, each once */
	uint32_t errors_found; /* an event may have several */
	uint32_t error_count; /* entries in errors: the first DECODE_ERRORS_MAX found */
	struct decode_error errors[DECODE_ERRORS_MAX];
};

/* Where records go: size bytes at base, which is 8-byte aligned. */
struct decode_space {
	void *base;
	size_t size;
};

/*
 * Decodes body into records in space, which needs room for exactly these records. Unless it returns DECODE_OK, events,
 * bytes, sanitised and unknown are 0 and space holds garbage. body.base may be NULL if body is empty. Any process.
 *
 * Strict: all events are accepted or none. Field errors are collected over the whole request. A syntax error or an
 * excessive size ends the scan and is then the only error. In an array the index of a syntax error is -1.
 *
 * Lenient (env->lenient): skips an event with wrong fields, one that is too large, and a line that is no JSON.
 * DECODE_OK comes with the errors of skipped events; DECODE_INVALID: no event is left. Errors without an event are as
 * above.
 */
enum decode_status decode_body(struct span body, enum body_kind kind, const struct decode_env *env,
    struct decode_space space, struct decode_result *result);

#endif
