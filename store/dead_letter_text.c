/* Formatting of dead letters. */
#include "store/dead_letter_text.h"

#include <string.h>

#include "base/format.h"
#include "event/fields.h"

/* Begins a member of the object that begins at start. */
static void
add_key(struct bytes *out, size_t start, const char *key)
{
	bytes_add_text(out, out->len == start ? "{\"" : ",\"");
	bytes_add_text(out, key);
	bytes_add_text(out, "\":");
}

static void
add_string(struct bytes *out, size_t start, const char *key, struct span text)
{
	if (text.base == NULL)
		return;
	add_key(out, start, key);
	char *end = format_json_string(bytes_reserve(out, format_json_max(text.len)), text.base, text.len);
	out->len = (size_t)(end - out->base);
}

static void
add_text(struct bytes *out, size_t start, const char *key, const char *text)
{
	add_string(out, start, key, (struct span){text, strlen(text)});
}

static void
add_time(struct bytes *out, size_t start, const char *key, int64_t us)
{
	char text[FORMAT_TIME_BYTES];

	format_time(us, text);
	add_string(out, start, key, (struct span){text, sizeof text});
}

static void
add_id(struct bytes *out, size_t start, const char *key, const struct record *record)
{
	char text[FORMAT_UUID_BYTES];

	format_uuid(record->event_id, text);
	add_string(out, start, key, (struct span){text, sizeof text});
}

void
letter_payload(struct bytes *out, const struct record *record)
{
	struct span client_id = record_string(record, RECORD_CLIENT_EVENT_ID);
	struct span data = record_data(record);
	size_t start = out->len;

	/* The client's own id makes the same UUID again. */
	if (client_id.base != NULL)
		add_string(out, start, "event_id", client_id);
	else
		add_id(out, start, "event_id", record);
#define ADD_TEXT(symbol, key, ...)                                                                                     \
	if (RECORD_##symbol != RECORD_CLIENT_EVENT_ID)                                                                 \
		add_string(out, start, key, record_string(record, RECORD_##symbol));
	HOOK_EVENT_FIELDS(ADD_TEXT, NO_FIELD, NO_FIELD)
	add_time(out, start, "timestamp", record->timestamp_us);
	add_time(out, start, "received_at", record->received_us);
	add_key(out, start, "data");
	bytes_add(out, data.base, data.len);
	bytes_add_text(out, "}");
}

void
letter_day(const struct record *record, char out[LETTER_DAY_BYTES])
{
	char time[FORMAT_TIME_BYTES];

	format_time(record->timestamp_us, time);
	memcpy(out, time, LETTER_DAY_BYTES);
}

void
letter_line(struct bytes *out, const struct refused *refused, const struct record *record)
{
	struct bytes payload = {0};
	char day[LETTER_DAY_BYTES];
	size_t start = out->len;

	letter_payload(&payload, record);
	letter_day(record, day);
	add_time(out, start, "refused_at", refused->at_us);
	add_text(out, start, "sqlstate", refused->sqlstate);
	add_text(out, start, "message", refused->message);
	add_id(out, start, "event_id", record);
	add_string(out, start, "created_date", (struct span){day, sizeof day});
	add_string(out, start, "event_type", record_string(record, RECORD_EVENT_TYPE));
	add_string(out, start, "session_id", record_string(record, RECORD_SESSION_ID));
	add_string(out, start, "payload", (struct span){payload.base, payload.len});
	bytes_add_text(out, "}\n");
	bytes_free(&payload);
}
