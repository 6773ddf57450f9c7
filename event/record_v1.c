/*
 * Version 1 had a head of 64 bytes with the lengths of seven strings; the first, the tenant's id, was always null:
 *
 *   0        4        8         9       10             24         40          48         56     60     64
 *   | length | crc32c | version | flags | string bytes | event_id | timestamp | received | data | zero | strings, data,
 *   |        |        |         |       | u16 x 7      | 16 bytes | us UTC    | us UTC   | bytes|      | pad to 8
 */
#include "event/record_v1.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/crc32c.h"
#include "event/record.h"

enum v1_string {
	V1_TENANT_ID,
	V1_CLIENT_EVENT_ID,
	V1_EVENT_TYPE,
	V1_SESSION_ID,
	V1_WORKFLOW_ID,
	V1_PHASE_ID,
	V1_MILESTONE_ID,
	V1_STRINGS
};

struct record_v1 {
	uint32_t length;
	uint32_t crc32c;
	uint8_t version;
	uint8_t flags;
	uint16_t string_bytes[V1_STRINGS];
	uint8_t event_id[16];
	int64_t timestamp_us;
	int64_t received_us;
	uint32_t data_bytes;
	uint32_t zero;
	char bytes[];
};

_Static_assert(sizeof(struct record_v1) == RECORD_V1_CLAIM_BYTES, "the format of 0.1.0 does not change");

#define CRC_START offsetof(struct record_v1, version)

/* Offset of that string from the first. */
static size_t
string_offset(const struct record_v1 *v1, int which)
{
	size_t sum = 0;

	for (int i = 0; i < which; i++)
		if (v1->string_bytes[i] != RECORD_NULL)
			sum += v1->string_bytes[i];
	return sum;
}

size_t
record_v1_claims(const void *bytes, size_t available)
{
	const struct record_v1 *v1 = bytes;

	if (available < sizeof *v1 || v1->version != 1)
		return 0;

	size_t used = sizeof *v1 + string_offset(v1, V1_STRINGS) + v1->data_bytes;

	return v1->length == ((used + 7) & ~(size_t)7) ? v1->length : 0;
}

bool
record_v1_check(const void *bytes, size_t available)
{
	const struct record_v1 *v1 = bytes;
	size_t length = record_v1_claims(bytes, available);

	return length > 0 && length <= available &&
	       v1->crc32c == crc32c((const char *)bytes + CRC_START, length - CRC_START);
}

size_t
record_from_v1(const void *bytes, void *to)
{
	static const enum v1_string order[] = {
	    [RECORD_EVENT_TYPE] = V1_EVENT_TYPE,
	    [RECORD_SESSION_ID] = V1_SESSION_ID,
	    [RECORD_CLIENT_EVENT_ID] = V1_CLIENT_EVENT_ID,
	    [RECORD_WORKFLOW_ID] = V1_WORKFLOW_ID,
	    [RECORD_PHASE_ID] = V1_PHASE_ID,
	    [RECORD_MILESTONE_ID] = V1_MILESTONE_ID,
	};
	const struct record_v1 *v1 = bytes;
	struct record *record = to;
	uint16_t tenant_bytes = v1->string_bytes[V1_TENANT_ID];

	record->kind = RECORD_HOOK_EVENT;
	record->flags = v1->flags;
	record->strings = sizeof order / sizeof order[0];
	record->data_bytes = v1->data_bytes;
	memcpy(record->event_id, v1->event_id, sizeof record->event_id);
	record->timestamp_us = v1->timestamp_us;
	record->received_us = v1->received_us;
	record->tenant_bytes = tenant_bytes == RECORD_NULL ? 0 : tenant_bytes;

	char *at = (char *)(record->string_bytes + record->strings);

	at = mempcpy(at, v1->bytes, record->tenant_bytes);
	for (unsigned i = 0; i < record->strings; i++) {
		uint16_t len = v1->string_bytes[order[i]];

		record->string_bytes[i] = len;
		if (len != RECORD_NULL)
			at = mempcpy(at, v1->bytes + string_offset(v1, order[i]), len);
	}
	memcpy(at, v1->bytes + string_offset(v1, V1_STRINGS), v1->data_bytes);

	size_t length = record_seal(record);

	assert(length <= v1->length);
	return length;
}
