/* The text of a dead letter. Above all, its payload, decoded as a request is, becomes the same record again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/decode.h"
#include "tests/unit/record_fixture.h"
#include "store/dead_letter_text.h"

static const struct event full = {
    .id = 7,
    .timestamp_us = 951782400000001,
    .received_us = -1,
    .event_type = "to\"ol",
    .session_id = "s\n\x01",
    .workflow_id = "",
    .phase_id = "\xc3\xa9",
    .data = "{\"n\":1e200000,\"t\":\"\\u0000\\\\\"}",
};

static char *
payload_of(const struct record *record)
{
	struct bytes out = {0};

	dead_letter_payload(&out, record);
	bytes_add(&out, "", 1);
	return out.base;
}

static void
test_the_payload_is_an_event_as_a_client_sends_it(void **state)
{
	struct record *record = record_of(&full);
	char *payload = payload_of(record);

	assert_string_equal(payload,
	    "{\"event_id\":\"11223344-5566-7788-99aa-bbccddeeff07\",\"event_type\":\"to\\\"ol\","
	    "\"session_id\":\"s\\n\\u0001\",\"workflow_id\":\"\",\"phase_id\":\"\xc3\xa9\","
	    "\"timestamp\":\"2000-02-29T00:00:00.000001Z\","
	    "\"received_at\":\"1969-12-31T23:59:59.999999Z\","
	    "\"data\":{\"n\":1e200000,\"t\":\"\\u0000\\\\\"}}");
	free(payload);
	free(record);
}

static void
test_the_payload_names_the_tenant_of_the_event(void **state)
{
	struct event of_acme = full;
	struct record *record;
	char *payload;

	of_acme.tenant_id = "acme";
	record = record_of(&of_acme);
	payload = payload_of(record);
	assert_non_null(strstr(payload, ",\"tenant_id\":\"acme\",\"timestamp\""));
	free(payload);
	free(record);
}

static struct record *
decoded(const char *payload, int64_t now_us)
{
	struct record *record = calloc(1, 65536);
	struct decode_result result;
	struct uuid_source ids;

	uuid_source_init(&ids);
	const struct decode_env env = {
	    .max_event_bytes = DECODE_EVENT_BYTES_MAX,
	    .max_events = 1,
	    .unknown = UNKNOWN_IGNORE,
	    .now_us = now_us,
	    .timestamp_us = now_us,
	    .ids = &ids,
	};
	assert_int_equal(decode_body((struct span){payload, strlen(payload)}, BODY_EVENT, &env,
			     (struct decode_space){record, 65536}, &result),
	    DECODE_OK);
	return record;
}

/* Bodies as clients send them become a record, a letter, and the same record again. */
static void
test_a_decoded_payload_is_the_same_record(void **state)
{
	static const char *const bodies[] = {
	    "{\"event_type\":\"a\",\"session_id\":\"\"}",
	    "{\"event_type\":\"a\",\"session_id\":\"s\",\"event_id\":\"my own\",\"timestamp\":\"0001-01-01\"}",
	    "{\"event_type\":\"a\",\"session_id\":\"s\",\"event_id\":\"nul \\u0000 and \\ud800\",\"data\":{\"x\":NaN}}",
	    "{\"event_type\":\"\\ud83e\\udd16\",\"session_id\":\"\\\"\\\\\\b\\u007f\",\"event_id\":\""
	    "{C2794C55-9D05-48FC-ABC1-80F365C3EFCD}\",\"timestamp\":\"9999-12-31T23:59:59.999999Z\"}",
	    "{\"event_type\":\"a\",\"session_id\":\"s\",\"workflow_id\":\"w\",\"phase_id\":\"\",\"milestone_id\":null,"
	    "\"timestamp\":-1.5,\"data\":{ \"lone\" : \"\\udc00\", \"n\":[1.50,-0,1E400] }}",
	};

	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		struct record *first = decoded(bodies[i], 1234567890123456);
		char *payload = payload_of(first);
		struct record *again = decoded(payload, first->received_us);

		assert_int_equal(first->length, again->length);
		assert_memory_equal(first, again, first->length);
		free(payload);
		free(first);
		free(again);
	}
}

static void
test_a_line_has_the_reason_and_the_event(void **state)
{
	struct record *record = record_of(&full);
	const struct refused refused = {.at_us = 1, .sqlstate = "22003", .message = "too \"large\""};
	static const char *const expected[][2] = {
	    {"refused_at", "1970-01-01T00:00:00.000001Z"},
	    {"sqlstate", "22003"},
	    {"message", "too \"large\""},
	    {"event_id", "11223344-5566-7788-99aa-bbccddeeff07"},
	    {"created_date", "2000-02-29"},
	    {"event_type", "to\"ol"},
	    {"session_id", "s\n\x01"},
	};
	struct bytes out = {0};

	bytes_add_text(&out, "before");
	dead_letter_line(&out, &refused, record);
	bytes_add(&out, "", 1);
	assert_memory_equal(out.base, "before{", 7);
	assert_string_equal(strchr(out.base, '\n'), "\n");

	cJSON *line = cJSON_Parse(out.base + strlen("before"));
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		assert_string_equal(
		    cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, expected[i][0])), expected[i][1]);
	char *payload = payload_of(record);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, "payload")), payload);
	assert_int_equal(cJSON_GetArraySize(line), 8);
	cJSON_Delete(line);
	free(payload);
	bytes_free(&out);
	free(record);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_payload_is_an_event_as_a_client_sends_it),
	    cmocka_unit_test(test_the_payload_names_the_tenant_of_the_event),
	    cmocka_unit_test(test_a_decoded_payload_is_the_same_record),
	    cmocka_unit_test(test_a_line_has_the_reason_and_the_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
