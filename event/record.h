/*
 * One event as bytes: the format on the ring and in the spool. Self-describing, position-independent, host byte order
 * (a record never leaves its machine), 8-byte aligned.
 *
 *   0        4        8         9      10      11        12     16         32          40         48       50
 *   | length | crc32c | version | kind | flags | strings | data | event_id | timestamp | received | tenant | string  |
 *   |        |        |         |      |       |         | bytes| 16 bytes | us UTC    | us UTC   | bytes  | bytes[] |
 *
 * All kinds of record share the head up to the tenant's length. Then follow the lengths of the strings; the tenant's
 * id, the strings and the data, without terminators; and zeros up to a multiple of 8.
 *
 * length counts everything, padding included; crc32c covers bytes 8 to length. A string of length RECORD_NULL is null.
 * A record written before a field was added has fewer strings than its kind today: the missing ones are null.
 */
#ifndef EVENT_RECORD_H
#define EVENT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "event/fields.h"

#define RECORD_VERSION 2
#define RECORD_NULL UINT16_MAX

/* The default tenant's name. Its records store no tenant id. */
#define RECORD_DEFAULT_TENANT "default"

enum record_kind { RECORD_HOOK_EVENT = 1, RECORD_PUBLISHED = 2 };

/*
 * The strings of a published event (POST /v1/events). Its data is the payload, JSON without white space between tokens.
 * event_id is a UUIDv7 with 16 zero bits at the end, timestamp_us is occurred_at, received_us is the time in the id.
 * EXTRA is a JSON object of the members that the API does not define.
 */
enum published_string {
	PUBLISHED_TOPIC,
	PUBLISHED_IDEMPOTENCY_KEY,
	PUBLISHED_ORDERING_KEY,
	PUBLISHED_TARGET_USER_ID,
	PUBLISHED_TRACEPARENT,
	PUBLISHED_TRACESTATE,
	PUBLISHED_EXTRA,
	PUBLISHED_STRINGS
};

/* The strings of a hook event, in the order of its record. */
#define RECORD_STRING(symbol, ...) RECORD_##symbol,
enum record_string { HOOK_EVENT_FIELDS(RECORD_STRING, NO_FIELD, NO_FIELD) RECORD_STRINGS };
#undef RECORD_STRING

_Static_assert(RECORD_EVENT_TYPE == 0 && RECORD_MILESTONE_ID == 5, "the order of strings is part of the stored format");

/* A flag: data has NUL escapes or lone surrogate escapes. jsonb refuses them, JSONL keeps them. */
#define RECORD_UNSAFE_ESCAPES 0x01u

struct record {
	uint32_t length;
	uint32_t crc32c;
	uint8_t version;
	uint8_t kind; /* enum record_kind */
	uint8_t flags;
	uint8_t strings; /* entries of string_bytes */
	uint32_t data_bytes;
	uint8_t event_id[16];
	int64_t timestamp_us; /* since 1970-01-01T00:00:00Z */
	int64_t received_us;
	uint16_t tenant_bytes; /* 0: the default tenant */
	uint16_t string_bytes[];
};

#define RECORD_HEAD_BYTES offsetof(struct record, string_bytes)

_Static_assert(RECORD_HEAD_BYTES == 50, "the record's head is part of the stored format");
_Static_assert(offsetof(struct record, data_bytes) == 12, "the record's head is part of the stored format");
_Static_assert(offsetof(struct record, event_id) == 16, "the record's head is part of the stored format");
_Static_assert(offsetof(struct record, timestamp_us) == 32, "the record's head is part of the stored format");
_Static_assert(RECORD_STRINGS <= UINT8_MAX, "the number of strings takes one byte");

/* The strings of the kind with the most. */
#define RECORD_STRINGS_MAX ((int)PUBLISHED_STRINGS > (int)RECORD_STRINGS ? (int)PUBLISHED_STRINGS : (int)RECORD_STRINGS)

/* The most bytes that record_claims() looks at. */
#define RECORD_CLAIM_BYTES (RECORD_HEAD_BYTES + RECORD_STRINGS_MAX * sizeof(uint16_t))

/* The size of a record with that many strings, whose tenant, strings and data take `bytes`; padding included. */
static inline size_t
record_bytes(uint32_t strings, size_t bytes)
{
	return (RECORD_HEAD_BYTES + strings * sizeof(uint16_t) + bytes + 7) & ~(size_t)7;
}

/* The same for a hook event. */
static inline size_t
record_size(size_t bytes)
{
	return record_bytes(RECORD_STRINGS, bytes);
}

/*
 * Begins a hook event's record of the default tenant. The caller then sets the head's other members and string_bytes,
 * writes the strings in order and the data at the returned place, and calls record_seal().
 */
static inline char *
record_begin(struct record *record)
{
	record->kind = RECORD_HOOK_EVENT;
	record->strings = RECORD_STRINGS;
	record->tenant_bytes = 0;
	return (char *)(record->string_bytes + RECORD_STRINGS);
}

/*
 * Completes a record with head, strings and data: sets length and version, clears the padding, computes the checksum.
 * Returns the length. The record must have room for record_size().
 */
size_t record_seal(struct record *record);

/*
 * Whether bytes[0..available) begins with a whole, undamaged record of this version and a known kind: its lengths agree
 * and its checksum matches. bytes is 8-byte aligned. The accessors below need a record that passed this check or was
 * sealed by this process.
 */
bool record_check(const void *bytes, size_t available);

/*
 * The length in the head at bytes[0..available) if its numbers are consistent, else 0. Tells a reader how many bytes to
 * read before record_check(); the rest is not checked. RECORD_CLAIM_BYTES suffice.
 */
size_t record_claims(const void *bytes, size_t available);

/* Borrowed from the record. The tenant's id is empty for the default tenant. */
struct span record_tenant(const struct record *record);
struct span record_tenant_name(const struct record *record); /* RECORD_DEFAULT_TENANT instead of empty */
struct span record_string(const struct record *record, enum record_string which);
struct span record_published_string(const struct record *record, enum published_string which);
struct span record_data(const struct record *record);

#endif
