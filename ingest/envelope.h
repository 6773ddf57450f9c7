/* Scans a hook event, checks its fields (event/fields.h) and writes its record. Private to ingest/. */
#ifndef INGEST_ENVELOPE_H
#define INGEST_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/fields.h"
#include "event/record.h"
#include "event/scan.h"
#include "ingest/event_kind.h"
#include "ingest/unknown.h"

#define FIELD_SYMBOL(symbol, ...) FIELD_##symbol,
enum envelope_field { HOOK_EVENT_FIELDS(FIELD_SYMBOL, FIELD_SYMBOL, NO_FIELD) FIELD_COUNT };
#undef FIELD_SYMBOL

/* The most characters of a timestamp written with escapes. */
#define TIMESTAMP_CHARS_MAX 64

/* The most characters of all strings and the timestamp together. */
#define PLUS_LIMIT(symbol, key, limit, ...) +limit
enum { SCRATCH_CHARS = TIMESTAMP_CHARS_MAX HOOK_EVENT_FIELDS(PLUS_LIMIT, NO_FIELD, NO_FIELD) };
#undef PLUS_LIMIT

_Static_assert(EVENT_ERRORS_MAX >= FIELD_COUNT + 8, "one for each field, and some for unknown fields");

/*
 * All spans borrow from the request's body or from scratch. The struct is large: make one, reuse it, and do not clear
 * it.
 */
struct event {
	struct event_head head;
	bool is_object;
	struct json fields[FIELD_COUNT]; /* as scanned; the last value of a repeated key */
	struct span strings[RECORD_STRINGS];
	struct json data;
	size_t data_bytes; /* including the unknown fields kept in data */
	int64_t timestamp_us;
	uint8_t id[16];
	bool has_id; /* else write() makes one */
	size_t scratch_used;
	char scratch[4 * SCRATCH_CHARS]; /* decoded strings that had escapes */
	struct unknown_fields unknown;
};

/* For struct event. */
extern const struct event_kind hook_event_kind;

#endif
