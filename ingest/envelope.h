/*
 * One event: scan its object, check the envelope's rules (names and limits are the API), write it as a record.
 * Private to ingest/.
 */
#ifndef INGEST_ENVELOPE_H
#define INGEST_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/decode.h"
#include "event/scan.h"
#include "ingest/unknown.h"
#include "event/record.h"

enum envelope_field {
	FIELD_EVENT_TYPE,
	FIELD_SESSION_ID,
	FIELD_EVENT_ID,
	FIELD_WORKFLOW_ID,
	FIELD_PHASE_ID,
	FIELD_MILESTONE_ID,
	FIELD_TIMESTAMP,
	FIELD_DATA,
	FIELD_COUNT
};

/* Room for a timestamp written with escapes; no sensible one is longer. */
#define TIMESTAMP_CHARS_MAX 64

#define SCRATCH_CHARS                                                                                                  \
	(EVENT_TYPE_MAX + SESSION_ID_MAX + CLIENT_EVENT_ID_MAX + WORKFLOW_ID_MAX + PHASE_ID_MAX + MILESTONE_ID_MAX +   \
	    TIMESTAMP_CHARS_MAX)

/* One a field, and some of its unknown fields. */
#define EVENT_ERRORS_MAX (FIELD_COUNT + 8)

/* Everything borrows from the request's body and from scratch. Large: keep one, use it again, and do not clear it. */
struct event {
	bool is_object;
	struct json fields[FIELD_COUNT]; /* as scanned; the last of several */
	struct span strings[RECORD_STRINGS];
	struct json data;
	size_t data_bytes; /* of data and of the unknown fields that are kept in it */
	int64_t timestamp_us;
	uint8_t id[16];
	bool has_id; /* else one must be made */
	bool sanitised; /* the record tells something else than the client did, or holds what jsonb refuses */
	struct decode_error errors[EVENT_ERRORS_MAX];
	uint32_t error_count;
	size_t scratch_used;
	char scratch[4 * SCRATCH_CHARS]; /* strings that were written with escapes, without them */
	struct unknown_fields unknown;
};

/*
 * Moves over the value at scan->at and remembers the envelope's fields when it is an object. Returns false for a syntax
 * error: see scan->reason.
 */
bool event_scan(struct event *event, struct scan *scan, enum unknown_action action);

/*
 * Checks what event_scan() left and makes it ready to be written. What is wrong is then in errors, at most one a field;
 * their index is for the caller to set.
 */
void event_check(struct event *event, const struct decode_env *env);

/*
 * For an event that passed, the one of that index in its request: the bytes of its record, and the record itself, sealed,
 * at `to` (8-byte aligned).
 */
size_t event_size(const struct event *event);
void event_write(struct event *event, const struct decode_env *env, uint32_t index, void *to);

#endif
