/*
 * One event: scan its object, check the rules of its fields (event/fields.h), write it as a record. Private to ingest/.
 */
#ifndef INGEST_ENVELOPE_H
#define INGEST_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/fields.h"
#include "event/record.h"
#include "event/scan.h"
#include "ingest/decode_env.h"
#include "ingest/decode_error.h"
#include "ingest/unknown.h"

#define FIELD_SYMBOL(symbol, ...) FIELD_##symbol,
enum envelope_field { HOOK_EVENT_FIELDS(FIELD_SYMBOL, FIELD_SYMBOL, NO_FIELD) FIELD_COUNT };
#undef FIELD_SYMBOL

/* Room for a timestamp written with escapes; no sensible one is longer. */
#define TIMESTAMP_CHARS_MAX 64

/* The characters of all strings together, and of the timestamp. */
#define PLUS_LIMIT(symbol, key, limit, ...) +limit
enum { SCRATCH_CHARS = TIMESTAMP_CHARS_MAX HOOK_EVENT_FIELDS(PLUS_LIMIT, NO_FIELD, NO_FIELD) };
#undef PLUS_LIMIT

/* One for each field, and some for unknown fields. */
#define EVENT_ERRORS_MAX (FIELD_COUNT + 8)

/* Everything borrows from the request's body and from scratch. It is large: make one, reuse it, and do not clear it. */
struct event {
	bool is_object;
	struct json fields[FIELD_COUNT]; /* as scanned; of a repeated key the last value */
	struct span strings[RECORD_STRINGS];
	struct json data;
	size_t data_bytes; /* with the unknown fields that are kept in data */
	int64_t timestamp_us;
	uint8_t id[16];
	bool has_id; /* else event_write() makes one */
	bool sanitised; /* the record differs from what the client sent, or holds what jsonb refuses */
	struct decode_error errors[EVENT_ERRORS_MAX];
	uint32_t error_count;
	size_t scratch_used;
	char scratch[4 * SCRATCH_CHARS]; /* strings that the client wrote with escapes, as UTF-8 */
	struct unknown_fields unknown;
};

/*
 * Moves over the value at scan->at and, when it is an object, remembers where its fields stand. Returns false for a
 * syntax error: see scan->reason.
 */
bool event_scan(struct event *event, struct scan *scan, enum unknown_action action);

/*
 * Checks what event_scan() found and makes it ready to be written. errors then says what is wrong, at most one error a
 * field; the caller sets their index.
 */
void event_check(struct event *event, const struct decode_env *env);

/*
 * For an event without errors: the bytes of its record; and the record itself, sealed, written to `to` (8-byte
 * aligned). index is the event's in its request.
 */
size_t event_size(const struct event *event, const struct decode_env *env);
void event_write(struct event *event, const struct decode_env *env, uint32_t index, void *to);

#endif
