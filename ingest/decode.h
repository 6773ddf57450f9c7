/*
 * Bytes of a request -> checked events -> records. Pure: no sockets, no database, no clock, no allocation.
 *
 * One pass validates RFC 8259 and UTF-8, finds the envelope fields (names and limits are the API) and
 * writes one sealed record per event into the caller's buffer, which is free ring space: nothing is visible to
 * anybody until the caller publishes it, so a refused request leaves nothing behind.
 */
#ifndef INGEST_DECODE_H
#define INGEST_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/uuid.h"
#include "event/record.h"

enum body_kind {
	BODY_EVENT, /* one JSON object */
	BODY_ARRAY, /* a JSON array of objects */
	BODY_NDJSON /* one JSON object a line; blank lines and a final newline are allowed, and so is no line at all */
};

/* Where the envelope's limits come from: the API. In characters (Unicode code points). */
#define EVENT_TYPE_MAX 100
#define SESSION_ID_MAX 255
#define CLIENT_EVENT_ID_MAX 255
#define WORKFLOW_ID_MAX 255
#define PHASE_ID_MAX 100
#define MILESTONE_ID_MAX 100

/* An event's own text is never taken above this, whatever max_event_bytes says: lengths in a record are 32 bits. */
#define DECODE_EVENT_BYTES_MAX (1u << 30)

/* What happens to the fields of an event that the API does not define: into data, away, or the event is refused. */
enum unknown_action { UNKNOWN_KEEP, UNKNOWN_IGNORE, UNKNOWN_REFUSE };

struct decode_env {
	uint64_t max_event_bytes;
	uint32_t max_events;
	enum unknown_action unknown;
	int64_t now_us; /* received_at */
	int64_t timestamp_us; /* of events without one */
	struct span key; /* events without an id get one from it and their index; base is NULL: a new one */
	struct uuid_source *ids;
	bool lenient; /* an event that is wrong is left out, and the others are taken */
};

/* What an event, or its request, is refused for. */
enum decode_cause { CAUSE_FIELDS, CAUSE_JSON, CAUSE_EVENT_SIZE, CAUSE_BATCH_SIZE, CAUSES };

/* One reason. All texts are static, but for key. */
#define DECODE_ERRORS_MAX 100

struct decode_error {
	enum decode_cause cause;
	const char *type; /* "missing", "string_type", "json_invalid", ... as the original's clients know them */
	const char *msg; /* "Field required" */
	const char *reason; /* for json_invalid what is wrong with the JSON: "trailing comma", else NULL */
	const char *field; /* "session_id", or NULL when it is about the whole event or body */
	struct span key; /* of a field that is unknown: a JSON string in the body; base is NULL for others */
	int64_t index; /* of the event in an array or among the lines of NDJSON that are not blank (from 0), or -1 */
	int64_t position; /* byte offset in the body for json_invalid, else -1 */
	uint32_t limit; /* characters allowed for string_too_long, bytes or events for what is too large, else 0 */
};

enum decode_status {
	DECODE_OK = 0,
	DECODE_INVALID = 1, /* 422: see errors */
	DECODE_TOO_LARGE = 2, /* 413: an event over max_event_bytes or more than max_events; errors[0] says which */
	DECODE_NO_SPACE = 3 /* the request is valid, but its records do not fit into capacity bytes */
};

struct decode_result {
	uint32_t events; /* records written */
	size_t bytes; /* of them, a multiple of 8 */
	/*
	 * Events in which NaN or Infinity became null, or an envelope string lost a NUL or a surrogate, or whose record
	 * is flagged RECORD_UNSAFE_ESCAPES. Each event counts once.
	 */
	uint32_t sanitised;
	uint32_t unknown; /* events with fields that are none of theirs, which were kept or ignored */
	uint32_t rejected[CAUSES]; /* events that are wrong, each once; of a lenient request */
	uint32_t errors_found; /* an event may have several */
	uint32_t error_count; /* entries in errors: the first DECODE_ERRORS_MAX of those found */
	struct decode_error errors[DECODE_ERRORS_MAX];
};

/*
 * Decodes body into records at out (8-byte aligned, capacity bytes). Exactly the sum of the record sizes is needed. Unless
 * DECODE_OK is returned, events, bytes, sanitised and unknown are 0 and what stands at out is garbage. body is only read
 * and may be NULL when len is 0. Any process may call it.
 *
 * All or nothing, unless env->lenient: wrong fields are collected over the whole request; a syntax error or something too
 * large ends the scan where it is met, and is then the only error. The index of a syntax error is -1 in an array, whose
 * text is wrong as a whole.
 *
 * Lenient: an event whose fields are wrong, which is too large, or whose line is no JSON, is left out. DECODE_OK comes
 * with their errors, and DECODE_INVALID when no event is left. What is no matter of one event is as above.
 */
enum decode_status decode_body(const char *body, size_t len, enum body_kind kind, const struct decode_env *env,
    void *out, size_t capacity, struct decode_result *result);

#endif
