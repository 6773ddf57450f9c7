/* The decoder reads members that clients send; members added by the service are read separately. */
#include "cli/event_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/mem.h"
#include "config/text_rules.h"
#include "event/scan.h"
#include "ingest/decode.h"
#include "ingest/timestamp.h"

static bool
key_is(const struct json *key, const char *name)
{
	return key->len == strlen(name) && memcmp(key->text, name, key->len) == 0;
}

/* Reads the members that the decoder ignores: received_at and tenant_id. */
static bool
read_circumstances(struct span text, struct decode_env *env)
{
	struct scan scan;
	struct json key, value;
	bool first = true, received = env->now_us != EVENT_TEXT_TELLS;

	if (!scan_begin(&scan, text.base, text.len) || *scan.at != '{')
		return false;
	scan.nonfinite_ok = true;
	while (scan_member(&scan, &first, &key) == SCAN_ELEMENT && scan_value(&scan, &value)) {
		if (value.type != JSON_STRING)
			continue;
		if (key_is(&key, "\"received_at\""))
			received = timestamp_parse(value.text + 1, value.len - 2, &env->now_us) == NULL;
		else if (key_is(&key, "\"tenant_id\"") && !value.escapes && value.len - 2 <= TENANT_ID_MAX)
			env->tenant = (struct span){value.text + 1, value.len - 2};
	}
	if (env->tenant.len == strlen(RECORD_DEFAULT_TENANT) &&
	    memcmp(env->tenant.base, RECORD_DEFAULT_TENANT, env->tenant.len) == 0)
		env->tenant = (struct span){NULL, 0};
	return received;
}

struct record *
event_text_read(struct uuid_source *ids, struct span text, int64_t received_us)
{
	size_t capacity = record_size(text.len + TENANT_ID_MAX);
	struct decode_env env = {
	    .max_event_bytes = DECODE_EVENT_BYTES_MAX,
	    .max_events = 1,
	    .unknown = UNKNOWN_IGNORE, /* for received_at and tenant_id */
	    .ids = ids,
	    .now_us = received_us,
	    .timestamp_us = TIMESTAMP_MIN_US, /* not a valid time: detects a missing one */
	};
	struct record *record = mem_new(1, capacity);
	struct decode_result result;

	if (read_circumstances(text, &env) &&
	    decode_body(text, BODY_EVENT, &env, (struct decode_space){record, capacity}, &result) == DECODE_OK)
		return record;
	free(record);
	return NULL;
}

/* Gives the record the store's id, which may differ from the one that the decoder derives from the client's id. */
static struct record *
with_id(struct record *record, const uint8_t id[16])
{
	if (record != NULL && memcmp(record->event_id, id, sizeof record->event_id) != 0) {
		memcpy(record->event_id, id, sizeof record->event_id);
		(void)record_seal(record);
	}
	return record;
}

/* Overwrites a key by a shorter one, padded with blanks. */
static void
rename_key(char *line, const struct json *key, const char *name)
{
	char *place = line + (key->text - line);

	memset(place, ' ', key->len);
	memcpy(place, name, strlen(name));
}

/* Reads event_id, and renames client_event_id to event_id, the decoder's name for it. */
static bool
take_id(char *line, size_t len, uint8_t id[16])
{
	struct scan scan;
	struct json key, value, id_key = {0}, client_key = {0};
	bool first = true, has_id = false, has_client = false;

	if (!scan_begin(&scan, line, len) || *scan.at != '{')
		return false;
	scan.nonfinite_ok = true;
	while (scan_member(&scan, &first, &key) == SCAN_ELEMENT && scan_value(&scan, &value)) {
		if (value.type != JSON_STRING)
			continue;
		if (key_is(&key, "\"event_id\"")) {
			id_key = key;
			has_id = uuid_parse(value.text + 1, value.len - 2, id);
		} else if (key_is(&key, "\"client_event_id\"")) {
			client_key = key;
			has_client = true;
		}
	}
	if (has_id && has_client) {
		rename_key(line, &id_key, "\"stored\"");
		rename_key(line, &client_key, "\"event_id\"");
	}
	return has_id;
}

struct record *
event_text_of_line(struct uuid_source *ids, char *line, size_t len, int64_t received_us)
{
	uint8_t id[16];

	if (!take_id(line, len, id))
		return NULL;
	struct record *record = event_text_read(ids, (struct span){line, len}, received_us);
	if (record != NULL && record->timestamp_us == TIMESTAMP_MIN_US) {
		free(record);
		return NULL;
	}
	return with_id(record, id);
}

static void
add_string(struct bytes *text, const char *key, struct span value)
{
	if (value.base == NULL)
		return;
	bytes_add_text(text, text->len > 1 ? ",\"" : "\"");
	bytes_add_text(text, key);
	bytes_add_text(text, "\":");
	char *begin = bytes_reserve(text, format_json_max(value.len));
	text->len += (size_t)(format_json_string(begin, value.base, value.len) - begin);
}

struct record *
event_text_of_row(struct uuid_source *ids, const struct event_row *row, struct bytes *text)
{
	struct span id_text = row->columns[HOOK_COLUMN_EVENT_ID], data = row->columns[HOOK_COLUMN_DATA];
	uint8_t id[16];

	if (id_text.base == NULL || data.base == NULL || !uuid_parse(id_text.base, id_text.len, id))
		return NULL;
	text->len = 0;
	bytes_add_text(text, "{");
	if (row->columns[HOOK_COLUMN_CLIENT_EVENT_ID].base == NULL)
		add_string(text, "event_id", id_text);
#define ADD_STRING(symbol, key, ...) add_string(text, key, row->columns[HOOK_COLUMN_##symbol]);
	HOOK_EVENT_FIELDS(ADD_STRING, NO_FIELD, NO_FIELD)
	add_string(text, "timestamp", row->columns[HOOK_COLUMN_TIMESTAMP]);
	add_string(text, "received_at", row->columns[HOOK_COLUMN_RECEIVED_AT]);
	add_string(text, "tenant_id", row->columns[HOOK_COLUMN_TENANT_ID]);
	bytes_add_text(text, ",\"data\":");
	bytes_add(text, data.base, data.len);
	bytes_add_text(text, "}");
	return with_id(event_text_read(ids, (struct span){text->base, text->len}, EVENT_TEXT_TELLS), id);
}
