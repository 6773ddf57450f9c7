/* Builds records without the code under test, so that the test alone decides what they hold. */
#include "tests/unit/event_fixture.h"

#include <string.h>

#include "base/mem.h"

#define NEW_YEAR_2026_MS 1767225600000

struct record *
published_event(const struct published_event *event)
{
	const char *const strings[PUBLISHED_STRINGS] = {
	    [PUBLISHED_TOPIC] = event->topic,
	    [PUBLISHED_IDEMPOTENCY_KEY] = event->idempotency_key,
	    [PUBLISHED_ORDERING_KEY] = event->ordering_key,
	    [PUBLISHED_TARGET_USER_ID] = event->target_user_id,
	    [PUBLISHED_TRACEPARENT] = event->traceparent,
	    [PUBLISHED_TRACESTATE] = event->tracestate,
	    [PUBLISHED_EXTRA] = event->extra,
	};
	const char *payload = event->payload != NULL ? event->payload : "null";
	const char *tenant = event->tenant_id != NULL ? event->tenant_id : "";
	int64_t created_ms = event->created_ms != 0 ? event->created_ms : NEW_YEAR_2026_MS;
	size_t bytes = strlen(payload) + strlen(tenant);

	for (int i = 0; i < PUBLISHED_STRINGS; i++)
		bytes += strings[i] != NULL ? strlen(strings[i]) : 0;

	struct record *record = mem_new(1, record_bytes(PUBLISHED_STRINGS, bytes));

	for (int i = 0; i < 6; i++)
		record->event_id[i] = (uint8_t)(created_ms >> (40 - 8 * i));
	record->event_id[6] = 0x70;
	record->event_id[8] = 0x80;
	for (int i = 0; i < 4; i++)
		record->event_id[10 + i] = (uint8_t)(event->number >> (24 - 8 * i));
	record->kind = RECORD_PUBLISHED;
	record->strings = PUBLISHED_STRINGS;
	record->timestamp_us = record->received_us = created_ms * 1000;
	record->tenant_bytes = (uint16_t)strlen(tenant);

	char *end = mempcpy(record->string_bytes + PUBLISHED_STRINGS, tenant, strlen(tenant));

	for (int i = 0; i < PUBLISHED_STRINGS; i++) {
		record->string_bytes[i] = strings[i] != NULL ? (uint16_t)strlen(strings[i]) : RECORD_NULL;
		if (strings[i] != NULL)
			end = mempcpy(end, strings[i], strlen(strings[i]));
	}
	record->data_bytes = (uint32_t)strlen(payload);
	memcpy(end, payload, strlen(payload));
	(void)record_seal(record);
	return record;
}
