/* One event is one line. This runs for every event, so runs of bytes are copied and nothing is allocated. */
#include "store/jsonl/jsonl_line.h"

#include <string.h>

#include "base/format.h"
#include "event/fields.h"

#define PLUS_KEY(symbol, key, limit, required, column, type) +sizeof ",\"" column "\":null"

/* Upper bound for keys, punctuation, the id and the time. */
enum {
	FIXED_BYTES_MAX = sizeof "{\"event_id\":\"\"}\n" + FORMAT_UUID_BYTES + FORMAT_TIME_BYTES +
			  sizeof ",\"tenant_id\":\"\"" + sizeof "\"\"" HOOK_EVENT_FIELDS(PLUS_KEY, PLUS_KEY, NO_FIELD)
};

static char *
put(char *out, const char *text, size_t len)
{
	memcpy(out, text, len);
	return out + len;
}

#define PUT_LITERAL(out, literal) put((out), (literal), sizeof(literal) - 1)

static char *
put_string(char *out, struct span text)
{
	return text.base == NULL ? PUT_LITERAL(out, "null") : format_json_string(out, text.base, text.len);
}

size_t
jsonl_line_max(const struct record *record)
{
	size_t strings = record->length - RECORD_HEAD_BYTES - record->data_bytes;

	return FIXED_BYTES_MAX + format_json_max(strings) + record->data_bytes;
}

char *
jsonl_line(char *out, const struct record *record)
{
	struct span client_id = record_string(record, RECORD_CLIENT_EVENT_ID);
	struct span data = record_data(record);

	out = PUT_LITERAL(out, "{\"event_id\":\"");
	format_uuid(record->event_id, out);
	out = PUT_LITERAL(out + FORMAT_UUID_BYTES, "\"");
	if (client_id.base != NULL) {
		out = PUT_LITERAL(out, ",\"client_event_id\":");
		out = put_string(out, client_id);
	}
#define PUT_TEXT(symbol, key, limit, required, column, type)                                                           \
	if (RECORD_##symbol != RECORD_CLIENT_EVENT_ID) {                                                               \
		out = PUT_LITERAL(out, ",\"" column "\":");                                                            \
		out = put_string(out, record_string(record, RECORD_##symbol));                                         \
	}
	HOOK_EVENT_FIELDS(PUT_TEXT, NO_FIELD, NO_FIELD)
	if (record->tenant_bytes > 0) {
		out = PUT_LITERAL(out, ",\"tenant_id\":");
		out = put_string(out, record_tenant(record));
	}
	out = PUT_LITERAL(out, ",\"data\":");
	out = put(out, data.base, data.len);
	out = PUT_LITERAL(out, ",\"timestamp\":\"");
	format_time(record->timestamp_us, out);
	return PUT_LITERAL(out + FORMAT_TIME_BYTES, "\"}\n");
}
