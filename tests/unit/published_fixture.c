/* Records of published events for tests. */
#include "tests/unit/published_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const uint8_t event_id[16] = {
    0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x73, 0x33, 0x84, 0x44, 0x55, 0x55, 0x66, 0x66, 0, 0};

static size_t
length(const char *text)
{
	return text != NULL ? strlen(text) : 0;
}

struct record *
published_record(const struct published *published)
{
	const char *payload = published->payload != NULL ? published->payload : "null";
	size_t bytes = length(published->tenant_id) + strlen(payload);
	struct record *record;
	char *at;

	for (int i = 0; i < PUBLISHED_STRINGS; i++)
		bytes += length(published->strings[i]);
	record = mem_new(1, record_bytes(PUBLISHED_STRINGS, bytes));
	record->kind = RECORD_PUBLISHED;
	record->strings = PUBLISHED_STRINGS;
	record->data_bytes = (uint32_t)strlen(payload);
	memcpy(record->event_id, event_id, sizeof event_id);
	record->timestamp_us = published->occurred_us;
	record->received_us = published->received_us;
	record->tenant_bytes = (uint16_t)length(published->tenant_id);
	at = mempcpy(record->string_bytes + PUBLISHED_STRINGS, published->tenant_id != NULL ? published->tenant_id : "",
	    record->tenant_bytes);
	for (int i = 0; i < PUBLISHED_STRINGS; i++) {
		const char *text = published->strings[i];

		record->string_bytes[i] = text != NULL ? (uint16_t)strlen(text) : RECORD_NULL;
		at = mempcpy(at, text != NULL ? text : "", length(text));
	}
	memcpy(at, payload, strlen(payload));
	record_seal(record);
	return record;
}
