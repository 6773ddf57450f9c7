/* Formatting of JSONL lines. */
#include "store/jsonl/jsonl_line.h"

#include <string.h>

#include "base/format.h"

/* All keys, punctuation, the id and the time are shorter than this together. */
#define FIXED_BYTES_MAX 320

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
	out += FORMAT_UUID_BYTES;
	if (client_id.base != NULL) {
		out = PUT_LITERAL(out, "\",\"client_event_id\":");
		out = put_string(out, client_id);
		out = PUT_LITERAL(out, ",\"event_type\":");
	} else {
		out = PUT_LITERAL(out, "\",\"event_type\":");
	}
	out = put_string(out, record_string(record, RECORD_EVENT_TYPE));
	out = PUT_LITERAL(out, ",\"session_id\":");
	out = put_string(out, record_string(record, RECORD_SESSION_ID));
	out = PUT_LITERAL(out, ",\"workflow_id\":");
	out = put_string(out, record_string(record, RECORD_WORKFLOW_ID));
	out = PUT_LITERAL(out, ",\"phase_id\":");
	out = put_string(out, record_string(record, RECORD_PHASE_ID));
	out = PUT_LITERAL(out, ",\"milestone_id\":");
	out = put_string(out, record_string(record, RECORD_MILESTONE_ID));
	out = PUT_LITERAL(out, ",\"data\":");
	out = put(out, data.base, data.len);
	out = PUT_LITERAL(out, ",\"timestamp\":\"");
	format_time(record->timestamp_us, out);
	out += FORMAT_TIME_BYTES;
	return PUT_LITERAL(out, "\"}\n");
}
