/* Formatting of dead letters. */
#include "store/dead_letter_text.h"

#include <string.h>

#include "base/format.h"
#include "base/json_object.h"
#include "event/fields.h"
#include "event/published_json.h"

static void
published_payload(struct bytes *out, const struct record *record)
{
	bytes_add_text(out, "{");
	published_json_members(out, record);
	bytes_add_text(out, "}");
}

static void
hook_event_payload(struct bytes *out, const struct record *record)
{
	struct span client_id = record_string(record, RECORD_CLIENT_EVENT_ID);
	struct json_object object = json_object_begin(out);

	/* The client's own id makes the same UUID again. */
	if (client_id.base != NULL)
		json_object_add(&object, "event_id", client_id);
	else
		json_object_add_uuid(&object, "event_id", record->event_id);
#define ADD_TEXT(symbol, key, ...)                                                                                     \
	if (RECORD_##symbol != RECORD_CLIENT_EVENT_ID)                                                                 \
		json_object_add(&object, key, record_string(record, RECORD_##symbol));
	HOOK_EVENT_FIELDS(ADD_TEXT, NO_FIELD, NO_FIELD)
	if (record->tenant_bytes > 0)
		json_object_add(&object, "tenant_id", record_tenant(record));
	json_object_add_time(&object, "timestamp", record->timestamp_us);
	json_object_add_time(&object, "received_at", record->received_us);
	json_object_add_json(&object, "data", record_data(record));
	json_object_end(&object);
}

void
dead_letter_payload(struct bytes *out, const struct record *record)
{
	if (record->kind == RECORD_PUBLISHED)
		published_payload(out, record);
	else
		hook_event_payload(out, record);
}

void
dead_letter_day(const struct record *record, char out[DEAD_LETTER_DAY_BYTES])
{
	char time[FORMAT_TIME_BYTES];

	format_time(record->kind == RECORD_PUBLISHED ? record->received_us : record->timestamp_us, time);
	memcpy(out, time, DEAD_LETTER_DAY_BYTES);
}

void
dead_letter_line(struct bytes *out, const struct refused *refused, const struct record *record)
{
	struct bytes payload = {0};
	char day[DEAD_LETTER_DAY_BYTES];
	struct json_object object = json_object_begin(out);

	dead_letter_payload(&payload, record);
	dead_letter_day(record, day);
	json_object_add_time(&object, "refused_at", refused->at_us);
	json_object_add_text(&object, "sqlstate", refused->sqlstate);
	json_object_add_text(&object, "message", refused->message);
	json_object_add_uuid(&object, "event_id", record->event_id);
	json_object_add(&object, "created_date", (struct span){day, sizeof day});
	if (record->kind == RECORD_PUBLISHED) {
		json_object_add(&object, "topic", record_published_string(record, PUBLISHED_TOPIC));
		json_object_add(&object, "tenant_id", record_tenant_name(record));
	} else {
		json_object_add(&object, "event_type", record_string(record, RECORD_EVENT_TYPE));
		json_object_add(&object, "session_id", record_string(record, RECORD_SESSION_ID));
	}
	json_object_add(&object, "payload", (struct span){payload.base, payload.len});
	json_object_end(&object);
	bytes_add_text(out, "\n");
	bytes_free(&payload);
}
