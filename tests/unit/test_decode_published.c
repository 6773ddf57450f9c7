/* Published events: which members they may have, and which are kept. */
#include "event/publish_outcome.h"
#include "tests/unit/decode_fixture.h"

static int
setup_published(void **state)
{
	setup(state);
	env.published = true;
	env.timestamp_us = 0;
	return 0;
}

/* Record n, which follows an outcome without a result. */
static const struct record *
published(uint32_t n)
{
	static const struct publish_outcome nothing;

	for (size_t at = 0;; n--) {
		const struct record *record;

		assert_true(at < result.bytes);
		assert_memory_equal(arena + at, &nothing, sizeof nothing);
		at += sizeof nothing;
		record = (const struct record *)(const void *)(arena + at);
		assert_true(record_check(record, result.bytes - at));
		assert_int_equal(record->kind, RECORD_PUBLISHED);
		if (n == 0)
			return record;
		at += record->length;
	}
}

static void
assert_member(uint32_t n, enum published_string which, const char *text)
{
	assert_span(record_published_string(published(n), which), text);
}

/* Decodes one event with topic t and further members. */
static enum decode_status
publish(const char *members)
{
	static char body[1 << 18];

	(void)snprintf(body, sizeof body, "{\"topic\":\"t\"%s}", members);
	return decode(body, BODY_EVENT);
}

static void
test_an_event_keeps_what_was_sent(void **state)
{
	assert_int_equal(
	    decode("{\"topic\":\"order.created\", \"payload\": {\"a\" : [1, 2.50]} ,\"idempotency_key\":\"k\","
		   "\"occurred_at\":1700000000123,\"ordering_key\":\"o\",\"target_user_id\":\"u\"}",
		BODY_EVENT),
	    DECODE_OK);
	assert_int_equal(result.events, 1);
	assert_member(0, PUBLISHED_TOPIC, "order.created");
	assert_member(0, PUBLISHED_IDEMPOTENCY_KEY, "k");
	assert_member(0, PUBLISHED_ORDERING_KEY, "o");
	assert_member(0, PUBLISHED_TARGET_USER_ID, "u");
	assert_member(0, PUBLISHED_TRACEPARENT, NULL);
	assert_member(0, PUBLISHED_EXTRA, NULL);
	assert_span(record_data(published(0)), "{\"a\":[1,2.50]}");
	assert_true(published(0)->timestamp_us == INT64_C(1700000000123000));
	assert_int_equal(published(0)->tenant_bytes, 0);
}

static void
test_the_payload_is_kept_byte_for_byte(void **state)
{
	static const char *const payloads[] = {"null", "true", "\"text\"", "-0", "1.10", "1e400",
	    "12345678901234567890123", "[]", "{\"b\":1,\"a\":2}", "{\"role\":\"a\",\"role\":\"b\"}",
	    "\"\\u001B \\u001b \\u2028 \\/\"", "\"\xf0\x9f\x98\x80\""};
	char members[128];

	for (size_t i = 0; i < COUNT(payloads); i++) {
		(void)snprintf(members, sizeof members, ",\"payload\":%s", payloads[i]);
		assert_int_equal(publish(members), DECODE_OK);
		assert_span(record_data(published(0)), payloads[i]);
		assert_int_equal(published(0)->flags, 0);
	}
	assert_int_equal(publish(""), DECODE_OK);
	assert_span(record_data(published(0)), "null");
	assert_int_equal(publish(",\"payload\":1,\"payload\":2"), DECODE_OK);
	assert_span(record_data(published(0)), "2");
}

static void
test_escapes_that_jsonb_refuses_are_kept_and_flagged(void **state)
{
	static const char *const members[] = {
	    ",\"payload\":\"\\u0000\"", ",\"payload\":{\"\\ud800\":1}", ",\"extra\":\"\\udc00\"", ",\"\\u0000\":1"};

	for (size_t i = 0; i < COUNT(members); i++) {
		assert_int_equal(publish(members[i]), DECODE_OK);
		assert_int_equal(published(0)->flags, RECORD_UNSAFE_ESCAPES);
	}
	assert_int_equal(publish(",\"payload\":\"\\u0000\""), DECODE_OK);
	assert_span(record_data(published(0)), "\"\\u0000\"");
}

static void
test_unknown_members_are_kept_unless_the_service_makes_them(void **state)
{
	assert_int_equal(
	    publish(
		",\"b\": [1, 2],\"id\":\"x\",\"event_id\":1,\"tenant_id\":\"t2\",\"created_at\":1,\"job_ids\":[],"
		"\"deduped\":true,\"_trace\":{},\"idempotency\":1,\"a\":{\"n\":-0}, \"b\":\"again\",\"i\\u0064\":1"),
	    DECODE_OK);
	assert_member(0, PUBLISHED_EXTRA, "{\"b\":\"again\",\"a\":{\"n\":-0}}");
	assert_int_equal(result.unknown, 1);
	assert_int_equal(result.sanitised, 0);
	assert_int_equal(publish(",\"id\":\"x\""), DECODE_OK);
	assert_member(0, PUBLISHED_EXTRA, NULL);
}

static void
test_unknown_members_are_limited(void **state)
{
	static char members[1 << 17], *at;

	/* {"k":"..."} is the text and 8 bytes. */
	memset(members, 'x', sizeof members);
	memcpy(members, ",\"k\":\"", 6);
	strcpy(members + 6 + RECORD_NULL - 1 - 8, "\"");
	assert_int_equal(publish(members), DECODE_OK);
	assert_int_equal(record_published_string(published(0), PUBLISHED_EXTRA).len, RECORD_NULL - 1);
	members[6 + RECORD_NULL - 1 - 8] = 'x';
	strcpy(members + 6 + RECORD_NULL - 8, "\"");
	assert_int_equal(publish(members), DECODE_INVALID);
	assert_error(
	    0, "value_error", NULL, "The members besides those of an event are too large: put them into payload", -1);

	at = members;
	for (int i = 0; i < 501; i++)
		at += sprintf(at, ",\"m%d\":1", i);
	assert_int_equal(publish(members), DECODE_INVALID);
	assert_string_equal(result.errors[0].type, "too_many_fields");
}

static void
test_a_topic_is_segments_between_dots(void **state)
{
	static const char *const right[] = {
	    "a", "order.created", "hookline.x", "hookline.endpointx.a", "\xc3\xa9.1-_:"};
	static const char *const wrong[] = {"", ".", "a..b", ".a", "a.", "a.*", "#", "a b", "a\\tb", "a\\u0000",
	    "\\ud800", "hookline.endpoint.disabled", "deliveries.status", "hooks.tool"};
	static const char *const others[] = {"null", "1", "[]", "{}", "true"};
	char body[2048], topic[1024];

	for (size_t i = 0; i < COUNT(right); i++) {
		(void)snprintf(body, sizeof body, "{\"topic\":\"%s\"}", right[i]);
		assert_int_equal(decode(body, BODY_EVENT), DECODE_OK);
	}
	for (size_t i = 0; i < COUNT(wrong); i++) {
		(void)snprintf(body, sizeof body, "{\"topic\":\"%s\"}", wrong[i]);
		assert_int_equal(decode(body, BODY_EVENT), DECODE_INVALID);
		assert_string_equal(result.errors[0].field, "topic");
	}
	for (size_t i = 0; i < COUNT(others); i++) {
		(void)snprintf(body, sizeof body, "{\"topic\":%s}", others[i]);
		assert_int_equal(decode(body, BODY_EVENT), DECODE_INVALID);
		assert_string_equal(result.errors[0].field, "topic");
	}
	assert_int_equal(decode("{}", BODY_EVENT), DECODE_INVALID);
	assert_error(0, "missing", "topic", "Field required", -1);

	/* The limit is 255 characters, not bytes, with escapes or without. */
	for (int escaped = 0; escaped < 2; escaped++)
		for (size_t chars = 255; chars <= 256; chars++) {
			memset(topic, 0, sizeof topic);
			for (size_t i = 0; i < chars - escaped; i++)
				strcat(topic, "\xc3\xa9");
			(void)snprintf(body, sizeof body, "{\"topic\":\"%s%s\"}", topic, escaped ? "\\u00e9" : "");
			assert_int_equal(decode(body, BODY_EVENT), chars == 255 ? DECODE_OK : DECODE_INVALID);
		}
}

static void
test_occurred_at_is_milliseconds_or_a_time(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} right[] = {{"0", 0}, {"-1", -1000}, {"1700000000123", INT64_C(1700000000123000)},
	    {"253402300799999", INT64_C(253402300799999000)}, {"-62135596800000", INT64_C(-62135596800000000)},
	    {"\"2023-11-14T22:13:20.123987Z\"", INT64_C(1700000000123000)}, {"\"1969-12-31T23:59:59.999500Z\"", -1000}};
	static const char *const wrong[] = {"1.5", "1e3", "253402300800000", "-62135596800001",
	    "99999999999999999999999", "\"\"", "\"yesterday\"", "\"1700000000123\"", "true", "[]", "{}"};
	char members[128];

	for (size_t i = 0; i < COUNT(right); i++) {
		(void)snprintf(members, sizeof members, ",\"occurred_at\":%s", right[i].text);
		assert_int_equal(publish(members), DECODE_OK);
		assert_true(published(0)->timestamp_us == right[i].us);
	}
	for (size_t i = 0; i < COUNT(wrong); i++) {
		(void)snprintf(members, sizeof members, ",\"occurred_at\":%s", wrong[i]);
		assert_int_equal(publish(members), DECODE_INVALID);
		assert_string_equal(result.errors[0].field, "occurred_at");
	}
	/* Without occurred_at it is the time in the id. */
	assert_int_equal(publish(",\"occurred_at\":null"), DECODE_OK);
	assert_true(published(0)->timestamp_us == published(0)->received_us);
}

static void
test_ids_leave_room_for_the_ids_of_jobs(void **state)
{
	uint8_t before[16] = {0};

	for (int i = 0; i < 10000; i++) {
		const struct record *record;
		int64_t ms = 0;

		assert_int_equal(publish(""), DECODE_OK);
		record = published(0);
		assert_int_equal(record->event_id[6] >> 4, 7);
		assert_int_equal(record->event_id[8] >> 6, 2);
		assert_int_equal(record->event_id[14] | record->event_id[15], 0);
		/* The ids ascend before their random part, although the clock stands still. */
		assert_true(memcmp(before, record->event_id, 8) < 0);
		memcpy(before, record->event_id, sizeof before);
		for (int b = 0; b < 6; b++)
			ms = ms << 8 | record->event_id[b];
		assert_true(record->received_us == ms * 1000);
		assert_in_range(ms, NOW_US / 1000, NOW_US / 1000 + 10);
	}
}

static void
test_keys_come_from_the_body_or_the_header(void **state)
{
	assert_int_equal(publish(""), DECODE_OK);
	assert_member(0, PUBLISHED_IDEMPOTENCY_KEY, NULL);
	assert_int_equal(publish(",\"idempotency_key\":\"\""), DECODE_OK);
	assert_member(0, PUBLISHED_IDEMPOTENCY_KEY, NULL);
	assert_int_equal(publish(",\"idempotency_key\":\"undefined\""), DECODE_INVALID);
	assert_string_equal(result.errors[0].field, "idempotency_key");

	env.key = (struct span){"header-key", 10};
	assert_int_equal(publish(",\"idempotency_key\":null"), DECODE_OK);
	assert_member(0, PUBLISHED_IDEMPOTENCY_KEY, "header-key");
	assert_int_equal(publish(",\"idempotency_key\":\"header\\u002dkey\""), DECODE_OK);
	assert_member(0, PUBLISHED_IDEMPOTENCY_KEY, "header-key");
	assert_int_equal(publish(",\"idempotency_key\":\"body-key\""), DECODE_INVALID);
	assert_error(0, "value_error", "idempotency_key", "The header Idempotency-Key has another value", -1);

	/* In a batch each event has its own key. */
	assert_int_equal(
	    decode("[{\"topic\":\"t\"},{\"topic\":\"t\",\"idempotency_key\":\"own\"},{\"topic\":\"t\"}]", BODY_ARRAY),
	    DECODE_OK);
	assert_member(0, PUBLISHED_IDEMPOTENCY_KEY, "header-key/0");
	assert_member(1, PUBLISHED_IDEMPOTENCY_KEY, "own");
	assert_member(2, PUBLISHED_IDEMPOTENCY_KEY, "header-key/2");
}

static void
test_each_string_has_its_place_in_the_record(void **state)
{
	static const char *const fields[] = {"idempotency_key", "ordering_key", "target_user_id"};
	static const char *const wrong[] = {"1", "true", "[]", "{}", "\"\\u0000\"", "\"\\ud800\""};
	char members[512], text[257];

	for (size_t i = 0; i < COUNT(fields); i++) {
		for (size_t j = 0; j < COUNT(wrong); j++) {
			(void)snprintf(members, sizeof members, ",\"%s\":%s", fields[i], wrong[j]);
			assert_int_equal(publish(members), DECODE_INVALID);
			assert_string_equal(result.errors[0].field, fields[i]);
		}
		for (size_t chars = 255; chars <= 256; chars++) {
			memset(text, 'x', chars);
			text[chars] = '\0';
			(void)snprintf(members, sizeof members, ",\"%s\":\"%s\"", fields[i], text);
			assert_int_equal(publish(members), chars == 255 ? DECODE_OK : DECODE_INVALID);
		}
	}
}

static void
test_headers_and_tenant_are_kept(void **state)
{
	env.tenant = (struct span){"acme", 4};
	env.traceparent = (struct span){"00-a", 4};
	env.tracestate = (struct span){"v=1", 3};
	assert_int_equal(publish(",\"x\":1"), DECODE_OK);
	assert_span(record_tenant(published(0)), "acme");
	assert_member(0, PUBLISHED_TOPIC, "t");
	assert_member(0, PUBLISHED_TRACEPARENT, "00-a");
	assert_member(0, PUBLISHED_TRACESTATE, "v=1");
	assert_member(0, PUBLISHED_EXTRA, "{\"x\":1}");
}

static void
test_batches_are_accepted_whole_or_leniently(void **state)
{
	static const char lines[] =
	    "{\"topic\":\"a\"}\n\n{\"topic\":\"b\",\"payload\":NaN}\n{\"topic\":\"c\"}\n{\"topic\":\"\"}\n";

	assert_int_equal(decode(lines, BODY_NDJSON), DECODE_INVALID);
	assert_string_equal(result.errors[0].type, "json_invalid");
	env.lenient = true;
	assert_int_equal(decode_body((struct span){lines, sizeof lines - 1}, BODY_NDJSON, &env,
			     (struct decode_space){arena, sizeof arena}, &result),
	    DECODE_OK);
	assert_int_equal(result.events, 2);
	assert_member(0, PUBLISHED_TOPIC, "a");
	assert_member(1, PUBLISHED_TOPIC, "c");
	assert_int_equal(result.error_count, 2);
}

static void
test_strings_may_have_exactly_their_limit_of_characters(void **state)
{
	static const char body[] = "[{\"topic\":\"t\"}]";
	struct decode_space space = {arena, sizeof(struct publish_outcome) + record_bytes(PUBLISHED_STRINGS, 5)};

	env.max_event_bytes = 13;
	assert_int_equal(decode(body, BODY_ARRAY), DECODE_OK);
	env.max_event_bytes = 12;
	assert_int_equal(decode(body, BODY_ARRAY), DECODE_TOO_LARGE);
	assert_int_equal(result.errors[0].limit, 12);
	env.max_event_bytes = 13;
	assert_int_equal(
	    decode_body((struct span){body, sizeof body - 1}, BODY_ARRAY, &env, space, &result), DECODE_OK);
	assert_int_equal(result.bytes, space.size);
	space.size -= 8;
	assert_int_equal(
	    decode_body((struct span){body, sizeof body - 1}, BODY_ARRAY, &env, space, &result), DECODE_NO_SPACE);
}

static void
test_an_event_is_an_object(void **state)
{
	static const char *const wrong[] = {"[]", "1", "\"t\"", "null"};

	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_int_equal(decode(wrong[i], BODY_EVENT), DECODE_INVALID);
		assert_string_equal(result.errors[0].type, "model_attributes_type");
	}
	assert_int_equal(decode("", BODY_EVENT), DECODE_INVALID);
	assert_string_equal(result.errors[0].type, "json_invalid");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_an_event_keeps_what_was_sent, setup_published),
	    cmocka_unit_test_setup(test_the_payload_is_kept_byte_for_byte, setup_published),
	    cmocka_unit_test_setup(test_escapes_that_jsonb_refuses_are_kept_and_flagged, setup_published),
	    cmocka_unit_test_setup(test_unknown_members_are_kept_unless_the_service_makes_them, setup_published),
	    cmocka_unit_test_setup(test_unknown_members_are_limited, setup_published),
	    cmocka_unit_test_setup(test_a_topic_is_segments_between_dots, setup_published),
	    cmocka_unit_test_setup(test_occurred_at_is_milliseconds_or_a_time, setup_published),
	    cmocka_unit_test_setup(test_ids_leave_room_for_the_ids_of_jobs, setup_published),
	    cmocka_unit_test_setup(test_keys_come_from_the_body_or_the_header, setup_published),
	    cmocka_unit_test_setup(test_each_string_has_its_place_in_the_record, setup_published),
	    cmocka_unit_test_setup(test_headers_and_tenant_are_kept, setup_published),
	    cmocka_unit_test_setup(test_batches_are_accepted_whole_or_leniently, setup_published),
	    cmocka_unit_test_setup(test_strings_may_have_exactly_their_limit_of_characters, setup_published),
	    cmocka_unit_test_setup(test_an_event_is_an_object, setup_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
