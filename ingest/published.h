/*
 * Scans a published event (POST /v1/events), checks its members, and writes its outcome (zero) and its record
 * (event/record.h, RECORD_PUBLISHED). Private to ingest/.
 */
#ifndef INGEST_PUBLISHED_H
#define INGEST_PUBLISHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/record.h"
#include "event/scan.h"
#include "event/topic.h"
#include "ingest/event_kind.h"
#include "ingest/headers.h"
#include "ingest/timestamp.h"
#include "ingest/unknown.h"

/* The most characters of ordering_key and target_user_id. */
#define PUBLISHED_CHARS_MAX 255

/* The most bytes of an idempotency_key; in a batch it may be the header's with a slash and an index. */
#define PUBLISHED_KEY_BYTES (IDEMPOTENCY_KEY_MAX + sizeof "/4294967295")

/* The most bytes of the members that the API does not define, as one JSON object: a string of a record. */
#define PUBLISHED_EXTRA_MAX (RECORD_NULL - 1u)

enum published_field {
	MEMBER_TOPIC,
	MEMBER_PAYLOAD,
	MEMBER_IDEMPOTENCY_KEY,
	MEMBER_OCCURRED_AT,
	MEMBER_ORDERING_KEY,
	MEMBER_TARGET_USER_ID,
	MEMBERS
};

/* All spans borrow from the request's body, its headers or scratch. Do not clear the struct. */
struct published_event {
	struct event_head head;
	bool is_object;
	struct json fields[MEMBERS]; /* as scanned; the last value of a repeated member */
	struct span strings[PUBLISHED_STRINGS]; /* EXTRA is written from unknown */
	struct json payload;
	struct json extra; /* {}, to which unknown is added */
	bool has_occurred_at;
	int64_t occurred_us;
	char key[PUBLISHED_KEY_BYTES];
	size_t scratch_used;
	char scratch[4 * (TOPIC_CHARS_MAX + IDEMPOTENCY_KEY_MAX + 2 * PUBLISHED_CHARS_MAX)];
	struct unknown_fields unknown;
};

/* For struct published_event. */
extern const struct event_kind published_event_kind;

#endif
