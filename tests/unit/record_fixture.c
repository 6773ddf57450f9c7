/* Builds records without the code under test, so that the test alone decides what they hold. */
#include "tests/unit/record_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static char *
add_string(struct record *record, enum record_string which, char *end, const char *text)
{
	record->string_bytes[which] = RECORD_NULL;
	if (text == NULL)
		return end;
	record->string_bytes[which] = (uint16_t)strlen(text);
	memcpy(end, text, strlen(text));
	return end + strlen(text);
}

struct record *
record_of(const struct event *event)
{
	const char *const strings[RECORD_STRINGS] = {
	    [RECORD_CLIENT_EVENT_ID] = event->client_event_id,
	    [RECORD_EVENT_TYPE] = event->event_type,
	    [RECORD_SESSION_ID] = event->session_id,
	    [RECORD_WORKFLOW_ID] = event->workflow_id,
	    [RECORD_PHASE_ID] = event->phase_id,
	    [RECORD_MILESTONE_ID] = event->milestone_id,
	};
	const char *data = event->data != NULL ? event->data : "{}";
	const char *tenant = event->tenant_id != NULL ? event->tenant_id : "";
	size_t bytes = strlen(data) + strlen(tenant);

	for (int i = 0; i < RECORD_STRINGS; i++)
		bytes += strings[i] != NULL ? strlen(strings[i]) : 0;

	struct record *record = mem_new(1, record_size(bytes));
	for (uint8_t i = 0; i < 15; i++)
		record->event_id[i] = (uint8_t)(0x11 * (i + 1));
	record->event_id[15] = event->id;
	record->flags = event->flags;
	record->timestamp_us = event->timestamp_us;
	record->received_us = event->received_us;

	char *end = record_begin(record);

	record->tenant_bytes = (uint16_t)strlen(tenant);
	end = mempcpy(end, tenant, strlen(tenant));
	for (int i = 0; i < RECORD_STRINGS; i++)
		end = add_string(record, (enum record_string)i, end, strings[i]);
	record->data_bytes = (uint32_t)strlen(data);
	memcpy(end, data, strlen(data));
	(void)record_seal(record);
	return record;
}
