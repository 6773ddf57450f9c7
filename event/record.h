/*
 * One event as bytes: the format on the ring and in the spool. Self-describing, position-independent,
 * host byte order (a record never leaves its machine), 8-byte aligned.
 *
 *   0        4        8   9   10            24          40         48         56      60     64
 *   | length | crc32c |ver|flg| lens[7] u16 | event_id  | timestamp| received | data  | zero | strings, data,
 *   |        |        |   |   |             | 16 bytes  | us UTC   | us UTC   | bytes |      | pad to 8
 *
 * length counts everything, header and padding; crc32c covers bytes 8..length. The variable part holds the strings
 * in the order of enum record_string, without terminators, then data. A string whose length is RECORD_NULL is null.
 */
#ifndef EVENT_RECORD_H
#define EVENT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_VERSION 1
#define RECORD_NULL UINT16_MAX

enum record_string {
	RECORD_TENANT_ID, /* always null so far: the default tenant */
	RECORD_CLIENT_EVENT_ID,
	RECORD_EVENT_TYPE,
	RECORD_SESSION_ID,
	RECORD_WORKFLOW_ID,
	RECORD_PHASE_ID,
	RECORD_MILESTONE_ID,
	RECORD_STRINGS
};

/* data holds NUL escapes or lone surrogate escapes, which jsonb refuses and JSONL keeps. */
#define RECORD_UNSAFE_ESCAPES 0x01u

struct record {
	uint32_t length;
	uint32_t crc32c;
	uint8_t version;
	uint8_t flags;
	uint16_t string_bytes[RECORD_STRINGS];
	uint8_t event_id[16];
	int64_t timestamp_us; /* since 1970-01-01T00:00:00Z */
	int64_t received_us;
	uint32_t data_bytes;
	uint32_t zero;
	char bytes[];
};

_Static_assert(sizeof(struct record) == 64, "the record header is part of the stored format");
_Static_assert(offsetof(struct record, event_id) == 24, "the record header is part of the stored format");
_Static_assert(offsetof(struct record, data_bytes) == 56, "the record header is part of the stored format");

/* A borrowed run of bytes; base is NULL for a null string. */
struct span {
	const char *base;
	size_t len;
};

/* The bytes a record with that much variable part takes, padding included. */
static inline size_t
record_size(size_t variable_bytes)
{
	return (sizeof(struct record) + variable_bytes + 7) & ~(size_t)7;
}

/*
 * Completes a record whose header fields, strings and data are in place: sets length and version, clears the
 * padding, computes the checksum. Returns the length. There must be room for record_size(variable part) bytes.
 */
size_t record_seal(struct record *record);

/*
 * Whether a whole, undamaged record of a known version stands at bytes[0..available): lengths agree, the checksum
 * matches. Everything else in this header may be called only on records that passed (or that this process sealed).
 */
bool record_check(const void *bytes, size_t available);

/*
 * The length that the header at bytes (64 readable ones) claims, if its numbers agree with each other, else 0. Says
 * nothing of the rest: for whoever has to decide how much to read before record_check().
 */
size_t record_claims(const void *bytes);

struct span record_string(const struct record *record, enum record_string which);
struct span record_data(const struct record *record);

#endif
