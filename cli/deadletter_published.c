/*
 * The payload goes through the decoder like a request's body. Members that the service has added, or that came in
 * headers, are read separately.
 */
#include "cli/deadletter_published.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "config/text_rules.h"
#include "event/json_string.h"
#include "event/publish_outcome.h"
#include "event/scan.h"
#include "ingest/decode.h"

static bool
key_is(const struct json *key, const char *name)
{
	return key->len == strlen(name) && memcmp(key->text, name, key->len) == 0;
}

/* Appends the characters of a string to *texts, which has room for the whole payload. base NULL: not a string. */
static struct span
text_of(const struct json *value, struct bytes *texts)
{
	struct span text = {texts->base + texts->len, 0};

	if (value->type != JSON_STRING)
		return (struct span){NULL, 0};
	text.len = json_string_decode(value, texts->base + texts->len, texts->capacity - texts->len);
	if (text.len == JSON_STRING_TOO_LONG)
		return (struct span){NULL, 0};
	texts->len += text.len;
	return text;
}

static bool
read_trace(const struct json *trace, struct decode_env *env, struct bytes *texts)
{
	struct scan scan;
	struct json key, value;
	bool first = true;

	if (trace->type != JSON_OBJECT || !scan_begin(&scan, trace->text, trace->len))
		return false;
	while (scan_member(&scan, &first, &key) == SCAN_ELEMENT && scan_value(&scan, &value)) {
		if (key_is(&key, "\"traceparent\""))
			env->traceparent = text_of(&value, texts);
		else if (key_is(&key, "\"tracestate\""))
			env->tracestate = text_of(&value, texts);
	}
	return true;
}

/* Reads the parts that the decoder ignores: the event's tenant, id and trace. false: one of them is missing. */
static bool
read_circumstances(const char *payload, struct decode_env *env, struct bytes *texts, uint8_t id[16])
{
	struct scan scan;
	struct json key, value;
	bool first = true, has_id = false;

	if (!scan_begin(&scan, payload, strlen(payload)) || *scan.at != '{')
		return false;
	while (scan_member(&scan, &first, &key) == SCAN_ELEMENT && scan_value(&scan, &value)) {
		struct span text = text_of(&value, texts);

		if (key_is(&key, "\"tenant_id\"") && text.len <= TENANT_ID_MAX)
			env->tenant = text;
		else if (key_is(&key, "\"id\""))
			has_id = text.base != NULL && uuid_parse(text.base, text.len, id);
		else if (key_is(&key, "\"_trace\"") && !read_trace(&value, env, texts))
			return false;
	}
	if (env->tenant.len == strlen(RECORD_DEFAULT_TENANT) &&
	    memcmp(env->tenant.base, RECORD_DEFAULT_TENANT, env->tenant.len) == 0)
		env->tenant = (struct span){NULL, 0};
	return has_id;
}

static int64_t
time_of(const uint8_t id[16])
{
	int64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id[i];
	return ms * 1000;
}

struct record *
deadletter_read_published(struct uuid_source *ids, const char *payload)
{
	const struct span text = {payload, strlen(payload)};
	size_t before = sizeof(struct publish_outcome), room = before + record_bytes(PUBLISHED_STRINGS, text.len);
	struct decode_env env = {
	    .published = true, .max_event_bytes = DECODE_EVENT_BYTES_MAX, .max_events = 1, .ids = ids};
	char *space = mem_new(1, room);
	struct record *record = (void *)space;
	struct decode_result result;
	struct bytes texts = {0};
	uint8_t id[16];

	(void)bytes_reserve(&texts, text.len + 1);

	bool read = read_circumstances(payload, &env, &texts, id) &&
		    decode_body(text, BODY_EVENT, &env, (struct decode_space){space, room}, &result) == DECODE_OK;

	bytes_free(&texts);
	if (!read) {
		free(space);
		return NULL;
	}
	memmove(space, space + before, result.bytes - before);
	memcpy(record->event_id, id, sizeof id);
	record->received_us = time_of(id);
	(void)record_seal(record);
	return record;
}
