/*
 * Arbitrary bodies through decode_body() as published events. For every input:
 *
 *   - the same body gives the same result, except for ids and times;
 *   - it needs exactly the space of its outcomes and records, and no byte is written past that;
 *   - each record passes its check and keeps every promise about topic, strings, id, payload and unknown members;
 *   - an event that is published again as it was kept is accepted again.
 *
 * The first byte of an input selects the kind of body, the limits, the mode and the headers. The rest is the body.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "event/publish_outcome.h"
#include "event/record.h"
#include "event/scan.h"
#include "event/topic.h"
#include "ingest/decode.h"
#include "tests/fuzz/target.h"

#define NOW_US 1717245296123456

static struct uuid_source ids;
static struct decode_env env;

static enum decode_status
decode(struct span body, enum body_kind kind, char *out, size_t capacity, struct decode_result *result)
{
	uuid_source_init(&ids);
	return decode_body(body, kind, &env, (struct decode_space){out, capacity}, result);
}

/* Returns the type of the text, which must be one value without white space between tokens, NaN or Infinity. */
static enum json_type
tight_value(struct span text)
{
	struct scan scan;
	struct json value;

	assert(scan_begin(&scan, text.base, text.len) && scan_value(&scan, &value) && scan_finish(&scan));
	assert(value.len == text.len && value.tight == text.len);
	return value.type;
}

static void
check_text(struct span text, size_t chars_max)
{
	if (text.base == NULL)
		return;
	assert(text.len > 0 && text.len <= 4 * chars_max && memchr(text.base, '\0', text.len) == NULL);
	for (size_t at = 0, len; at < text.len; at += len) {
		len = utf8_length(text.base + at, text.len - at);
		assert(len > 0);
	}
}

/* Publishes the record's topic, payload and unknown members again. The result must be the same. */
static void
check_again(const struct record *record)
{
	struct decode_env saved = env;
	struct decode_result result;
	struct span topic = record_published_string(record, PUBLISHED_TOPIC), payload = record_data(record);
	struct span extra = record_published_string(record, PUBLISHED_EXTRA);
	size_t room = 64 + topic.len + payload.len + extra.len, space = 512 + room;
	char *text = malloc(room), *out = malloc(space);
	const struct record *again = (const void *)(out + sizeof(struct publish_outcome));
	int len;

	assert(text != NULL && out != NULL);
	/* A topic with a quote or a backslash would need escapes. */
	if (memchr(topic.base, '"', topic.len) == NULL && memchr(topic.base, '\\', topic.len) == NULL) {
		len = snprintf(text, room, "{\"topic\":\"%.*s\",\"payload\":%.*s%s%.*s", (int)topic.len, topic.base,
		    (int)payload.len, payload.base, extra.len > 2 ? "," : "}", extra.len > 2 ? (int)extra.len - 1 : 0,
		    extra.len > 2 ? extra.base + 1 : "");
		env = (struct decode_env){
		    .published = true, .max_event_bytes = 1 << 20, .max_events = 1, .now_us = NOW_US, .ids = &ids};
		assert(decode((struct span){text, (size_t)len}, BODY_EVENT, out, space, &result) == DECODE_OK);
		assert(record_data(again).len == payload.len);
		assert(memcmp(record_data(again).base, payload.base, payload.len) == 0);
		assert(record_published_string(again, PUBLISHED_EXTRA).len == extra.len);
		env = saved;
	}
	free(text);
	free(out);
}

static void
check_record(const struct record *record)
{
	struct span extra = record_published_string(record, PUBLISHED_EXTRA);
	struct error err;

	assert(record->kind == RECORD_PUBLISHED && record->strings == PUBLISHED_STRINGS);
	assert(topic_check(record_published_string(record, PUBLISHED_TOPIC), &err) == 0);
	assert(!topic_of_service(record_published_string(record, PUBLISHED_TOPIC)));
	check_text(record_published_string(record, PUBLISHED_IDEMPOTENCY_KEY), 270);
	check_text(record_published_string(record, PUBLISHED_ORDERING_KEY), 255);
	check_text(record_published_string(record, PUBLISHED_TARGET_USER_ID), 255);
	assert(record->event_id[14] == 0 && record->event_id[15] == 0 && record->event_id[6] >> 4 == 7);
	assert(record->received_us % 1000 == 0 && record->timestamp_us % 1000 == 0);
	(void)tight_value(record_data(record));
	if (extra.base != NULL)
		assert(tight_value(extra) == JSON_OBJECT);
	check_again(record);
}

static void
check_taken(struct span body, enum body_kind kind, const char *out, const struct decode_result *result)
{
	static struct decode_result other;
	size_t at = 0;
	char *exact = malloc(result->bytes > 0 ? result->bytes : 8);

	assert(exact != NULL);
	for (uint32_t i = 0; i < result->events; i++) {
		static const struct publish_outcome nothing;
		const struct record *record = (const void *)(out + at + sizeof nothing);

		assert(memcmp(out + at, &nothing, sizeof nothing) == 0);
		assert(record_check(record, result->bytes - at - sizeof nothing));
		check_record(record);
		at += sizeof nothing + record->length;
	}
	assert(at == result->bytes);
	assert(decode(body, kind, exact, result->bytes, &other) == DECODE_OK && other.bytes == result->bytes);
	if (result->bytes > 0)
		assert(decode(body, kind, exact, result->bytes - 8, &other) == DECODE_NO_SPACE);
	free(exact);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decode_result result, other;
	struct span body;
	enum decode_status status;
	size_t capacity;
	char *out;

	if (size == 0)
		return 0;
	env = (struct decode_env){.published = true,
	    .max_event_bytes = 1 << 20,
	    .max_events = 400,
	    .now_us = NOW_US,
	    .lenient = data[0] / 3 % 2 == 1,
	    .ids = &ids};
	if (data[0] / 6 % 2 == 1) {
		env.key = (struct span){"key", 3};
		env.traceparent = (struct span){"00-x", 4};
		env.tenant = (struct span){"acme", 4};
	}
	if (data[0] >= 0x80) {
		env.max_event_bytes = 100;
		env.max_events = 3;
	}
	body = (struct span){(const char *)data + 1, size - 1};
	/* The shortest event, {"topic":"a"}, has 13 bytes and needs some 120. A NaN is refused. */
	capacity = 16 * body.len + 256;
	out = malloc(capacity);
	assert(out != NULL);
	status = decode(body, (enum body_kind)(data[0] % 3), out, capacity, &result);
	assert(status != DECODE_NO_SPACE);
	if (status == DECODE_OK) {
		check_taken(body, (enum body_kind)(data[0] % 3), out, &result);
	} else {
		assert(result.events == 0 && result.bytes == 0 && result.error_count > 0);
		assert(decode(body, (enum body_kind)(data[0] % 3), NULL, 0, &other) == status);
		assert(other.errors_found == result.errors_found);
	}
	free(out);
	return 0;
}
