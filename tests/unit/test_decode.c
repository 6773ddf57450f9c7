/* The fields of an event: types, defaults and values. Their limits are in test_decode_limits.c. */
#include "tests/unit/decode_fixture.h"

#include "ingest/timestamp.h"

static void
test_the_event_of_the_readme_is_decoded(void **state)
{
	static const uint8_t zeros[16];
	const struct record *record;

	assert_int_equal(
	    decode("{\"event_type\": \"session_started\", \"session_id\": \"test-123\"}", BODY_EVENT), DECODE_OK);
	assert_int_equal(result.events, 1);
	assert_int_equal(result.sanitised, 0);
	record = record_number(0);
	assert_int_equal(record->length, result.bytes);
	assert_int_equal(record->flags, 0);
	assert_int_equal(record_tenant(record_number(0)).len, 0);
	assert_string(0, RECORD_CLIENT_EVENT_ID, NULL);
	assert_string(0, RECORD_EVENT_TYPE, "session_started");
	assert_string(0, RECORD_SESSION_ID, "test-123");
	assert_string(0, RECORD_WORKFLOW_ID, NULL);
	assert_string(0, RECORD_PHASE_ID, NULL);
	assert_string(0, RECORD_MILESTONE_ID, NULL);
	assert_data(0, "{}");
	assert_true(record->timestamp_us == NOW_US);
	assert_true(record->received_us == NOW_US);
	assert_memory_not_equal(record->event_id, zeros, 16);
	assert_int_equal(record->event_id[6] >> 4, 7);
}

static void
test_every_field_is_decoded(void **state)
{
	static const uint8_t id[16] = {
	    0x55,
	    0x0e,
	    0x84,
	    0x00,
	    0xe2,
	    0x9b,
	    0x41,
	    0xd4,
	    0xa7,
	    0x16,
	    0x44,
	    0x66,
	    0x55,
	    0x44,
	    0x00,
	    0x00,
	};
	const struct record *record;

	assert_int_equal(
	    decode(
		"{\"timestamp\":\"2024-06-01T12:34:56.789+02:00\",\"data\":{\"tool\":\"Bash\"},\"milestone_id\":\"m-"
		"1\","
		"\"phase_id\":\"p-1\",\"workflow_id\":\"workflow-456\",\"event_id\":\"550E8400-e29b-41d4-a716-"
		"446655440000\","
		"\"session_id\":\"s-1\",\"event_type\":\"tool_execution_completed\",\"extra\":[1,2,{\"data\":null}]}",
		BODY_EVENT),
	    DECODE_OK);
	record = record_number(0);
	assert_string(0, RECORD_CLIENT_EVENT_ID, NULL);
	assert_string(0, RECORD_EVENT_TYPE, "tool_execution_completed");
	assert_string(0, RECORD_SESSION_ID, "s-1");
	assert_string(0, RECORD_WORKFLOW_ID, "workflow-456");
	assert_string(0, RECORD_PHASE_ID, "p-1");
	assert_string(0, RECORD_MILESTONE_ID, "m-1");
	assert_data(0, "{\"tool\":\"Bash\",\"extra\":[1,2,{\"data\":null}]}");
	assert_memory_equal(record->event_id, id, 16);
	assert_true(record->timestamp_us == INT64_C(1717238096789000));
	assert_true(record->received_us == NOW_US);
}

/* --- types ------------------------------------------------------------------------------------------------------- */

static const char *const not_strings[] = {"0", "-1.5e3", "true", "false", "[]", "{}", "[\"x\"]", "{\"x\":\"y\"}"};

static void
test_a_field_that_is_no_string_is_refused(void **state)
{
	static const char *const names[] = {
	    "event_type", "session_id", "event_id", "workflow_id", "phase_id", "milestone_id"};

	for (size_t i = 0; i < COUNT(names); i++)
		for (size_t j = 0; j < COUNT(not_strings); j++) {
			char members[64];

			snprintf(members, sizeof members, ",\"%s\":%s", names[i], not_strings[j]);
			assert_int_equal(decode_with(members), DECODE_INVALID);
			assert_int_equal(result.error_count, 1);
			assert_error(0, "string_type", names[i], "Input should be a valid string", -1);
		}
}

static void
test_a_missing_required_field_is_refused(void **state)
{
	assert_int_equal(decode("{\"session_id\":\"s\"}", BODY_EVENT), DECODE_INVALID);
	assert_int_equal(result.error_count, 1);
	assert_error(0, "missing", "event_type", "Field required", -1);
	assert_int_equal(decode("{\"event_type\":\"t\"}", BODY_EVENT), DECODE_INVALID);
	assert_int_equal(result.error_count, 1);
	assert_error(0, "missing", "session_id", "Field required", -1);
	assert_int_equal(decode("{}", BODY_EVENT), DECODE_INVALID);
	assert_int_equal(result.error_count, 2);
	assert_error(0, "missing", "event_type", "Field required", -1);
	assert_error(1, "missing", "session_id", "Field required", -1);

	assert_int_equal(decode_with(",\"event_type\":null,\"session_id\":null"), DECODE_INVALID);
	assert_int_equal(result.error_count, 2);
	assert_error(0, "string_type", "event_type", "Input should be a valid string", -1);
	assert_error(1, "string_type", "session_id", "Input should be a valid string", -1);
}

static void
test_null_is_absent_and_an_empty_string_is_kept(void **state)
{
	assert_int_equal(decode_with(",\"event_id\":null,\"workflow_id\":null,\"phase_id\":null,\"milestone_id\":null,"
				     "\"data\":null,\"timestamp\":null"),
	    DECODE_OK);
	assert_string(0, RECORD_CLIENT_EVENT_ID, NULL);
	assert_string(0, RECORD_WORKFLOW_ID, NULL);
	assert_string(0, RECORD_PHASE_ID, NULL);
	assert_string(0, RECORD_MILESTONE_ID, NULL);
	assert_data(0, "{}");
	assert_true(record_number(0)->timestamp_us == NOW_US);

	/* An empty string is a string, and not null. */
	assert_int_equal(decode_with(",\"event_type\":\"\",\"session_id\":\"\",\"workflow_id\":\"\",\"phase_id\":\"\","
				     "\"milestone_id\":\"\",\"data\":{}"),
	    DECODE_OK);
	assert_string(0, RECORD_EVENT_TYPE, "");
	assert_string(0, RECORD_SESSION_ID, "");
	assert_string(0, RECORD_WORKFLOW_ID, "");
	assert_string(0, RECORD_PHASE_ID, "");
	assert_string(0, RECORD_MILESTONE_ID, "");
	assert_data(0, "{}");
}

/* --- keys -------------------------------------------------------------------------------------------------------- */

static void
test_keys_may_be_escaped(void **state)
{
	assert_int_equal(decode("{\"event\\u005ftype\":\"t\","
				"\"\\u0073\\u0065\\u0073\\u0073\\u0069\\u006f\\u006e\\u005f\\u0069\\u0064\":\"s\","
				"\"dat\\u0061\":{\"x\":1},\"\\u006dilestone_i\\u0064\":\"m\"}",
			     BODY_EVENT),
	    DECODE_OK);
	assert_string(0, RECORD_EVENT_TYPE, "t");
	assert_string(0, RECORD_SESSION_ID, "s");
	assert_string(0, RECORD_MILESTONE_ID, "m");
	assert_data(0, "{\"x\":1}");
}

static void
test_similar_keys_are_no_fields(void **state)
{
	static const char *const keys[] = {
	    "Workflow_id",
	    "workflow_id ",
	    " workflow_id",
	    "workflow_i",
	    "workflow_idx",
	    "workflow-id",
	    "workflowId",
	    "",
	    "workflow\\u0000id",
	    "workflow_id\\u0000",
	    "\\ud800",
	    "a\\/very\\/long\\/key\\/that\\/is\\/written\\/with\\/escapes",
	    "received_at",
	    "tenant_id",
	    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
	};

	for (size_t i = 0; i < COUNT(keys); i++) {
		char members[128];

		snprintf(members, sizeof members, ",\"%s\":[1,{\"workflow_id\":2}]", keys[i]);
		assert_int_equal(decode_with(members), DECODE_OK);
		assert_int_equal(result.unknown, 1);
		assert_string(0, RECORD_WORKFLOW_ID, NULL);
		assert_int_equal(record_tenant(record_number(0)).len, 0);
	}
}

/* Of several the last counts, and only that one. */
static void
test_of_duplicate_keys_the_last_counts(void **state)
{
	assert_int_equal(decode_with(",\"event_type\":\"first\",\"event_type\":\"second\""), DECODE_OK);
	assert_string(0, RECORD_EVENT_TYPE, "second");
	assert_int_equal(decode_with(",\"event_type\":17,\"event\\u005ftype\":\"second\""), DECODE_OK);
	assert_string(0, RECORD_EVENT_TYPE, "second");
	assert_int_equal(decode_with(",\"event_type\":17"), DECODE_INVALID);
	assert_int_equal(decode_with(",\"workflow_id\":\"x\",\"workflow_id\":null"), DECODE_OK);
	assert_string(0, RECORD_WORKFLOW_ID, NULL);
	assert_int_equal(decode_with(",\"data\":[],\"data\":{\"x\":1}"), DECODE_OK);
	assert_data(0, "{\"x\":1}");
	assert_int_equal(decode_with(",\"data\":{\"x\":NaN,\"y\":\"\\u0000\"},\"data\":{\"x\":1}"), DECODE_OK);
	assert_data(0, "{\"x\":1}");
	assert_int_equal(result.sanitised, 0);
	assert_int_equal(record_number(0)->flags, 0);
	assert_int_equal(decode_with(",\"timestamp\":\"nonsense\",\"timestamp\":1"), DECODE_OK);
	assert_true(record_number(0)->timestamp_us == 1000000);
	/* Duplicates inside data stay as the client sent them. */
	assert_int_equal(decode_with(",\"data\":{\"x\":1,\"x\":2}"), DECODE_OK);
	assert_data(0, "{\"x\":1,\"x\":2}");
}

/* --- strings ----------------------------------------------------------------------------------------------------- */

static void
test_strings_are_unescaped(void **state)
{
	assert_int_equal(
	    decode_with(",\"session_id\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\xf0\x9f\x98\x80 plain\""),
	    DECODE_OK);
	assert_string(0, RECORD_SESSION_ID, "\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80\xf0\x9f\x98\x80 plain");
	assert_int_equal(result.sanitised, 0);
	/* Several strings with escapes do not disturb each other. */
	assert_int_equal(
	    decode_with(
		",\"workflow_id\":\"w\\n\",\"phase_id\":\"p\",\"milestone_id\":\"m\\t\",\"event_id\":\"e\\/1\""),
	    DECODE_OK);
	assert_string(0, RECORD_WORKFLOW_ID, "w\n");
	assert_string(0, RECORD_PHASE_ID, "p");
	assert_string(0, RECORD_MILESTONE_ID, "m\t");
	assert_string(0, RECORD_CLIENT_EVENT_ID, "e/1");
}

static void
test_characters_that_the_store_cannot_hold_are_replaced(void **state)
{
	static const struct {
		const char *json;
		const char *stored;
	} cases[] = {
	    {"a\\u0000b", "a\xef\xbf\xbd"
			  "b"},
	    {"\\ud800", "\xef\xbf\xbd"},
	    {"\\udfff\\ud800", "\xef\xbf\xbd\xef\xbf\xbd"},
	    {"\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
	    {"x\\ud83dx", "x\xef\xbf\xbdx"},
	};
	static const struct {
		const char *name;
		enum record_string string;
	} fields[] = {{"event_type", RECORD_EVENT_TYPE}, {"session_id", RECORD_SESSION_ID},
	    {"event_id", RECORD_CLIENT_EVENT_ID}, {"workflow_id", RECORD_WORKFLOW_ID}, {"phase_id", RECORD_PHASE_ID},
	    {"milestone_id", RECORD_MILESTONE_ID}};

	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t j = 0; j < COUNT(fields); j++) {
			char members[128];

			snprintf(members, sizeof members, ",\"%s\":\"%s\"", fields[j].name, cases[i].json);
			assert_int_equal(decode_with(members), DECODE_OK);
			assert_string(0, fields[j].string, cases[i].stored);
			assert_int_equal(result.sanitised, 1);
			/* The flag is about data, which has not changed. */
			assert_int_equal(record_number(0)->flags, 0);
		}
}

/* --- timestamps -------------------------------------------------------------------------------------------------- */

static void
test_timestamps_of_each_form_are_decoded(void **state)
{
	static const struct {
		const char *json;
		int64_t us;
	} good[] = {
	    {"\"2024-06-01\"", 1717200000000000},
	    {"\"2024-06-01T12:34:56\"", 1717245296000000},
	    {"\"2024-06-01T12:34:56.5\\u002b02:00\"", 1717238096500000},
	    {"1717245296", 1717245296000000},
	    {"1717245296.123456", 1717245296123456},
	    {"1717245296123", 1717245296123000},
	    {"-1.5", -1500000},
	    {"0", 0},
	    {"\"0001-01-02\"", TIMESTAMP_MIN_US + INT64_C(86400000000)},
	    {"\"1970-01-01T00:00:00Z\"", 0},
	    /* No time, and the values that Go and .NET write for no time. */
	    {"\"\"", NOW_US},
	    {"\"0001-01-01T00:00:00Z\"", NOW_US},
	    {"\"0001-01-01T00:00:00\"", NOW_US},
	    {"\"0001-01-01\"", NOW_US},
	    {"-62135596800000", NOW_US},
	};
	static const struct {
		const char *json;
		const char *type;
		const char *msg;
	} bad[] = {
	    {"true", "datetime_type", "Input should be a valid datetime"},
	    {"[]", "datetime_type", "Input should be a valid datetime"},
	    {"{}", "datetime_type", "Input should be a valid datetime"},
	    {"\"2024-02-30\"", "datetime_parsing",
		"Input should be a valid datetime, day value is outside expected range"},
	    {"\"1717245296\"", "datetime_parsing",
		"Input should be a valid datetime, a number in a string is ambiguous: send epoch seconds as a JSON "
		"number"},
	    {"\" \"", "datetime_parsing",
		"Input should be a valid datetime, expected YYYY-MM-DD or YYYY-MM-DDTHH:MM[:SS[.ffffff]] with Z, "
		"+HH:MM or nothing"},
	    {"1e300", "datetime_parsing",
		"Input should be a valid datetime, years before 0001 and after 9999 (UTC) are not supported: "
		"send seconds or milliseconds"},
	    {"1717245296123456", "datetime_parsing",
		"Input should be a valid datetime, years before 0001 and after 9999 (UTC) are not supported: "
		"send seconds or milliseconds"},
	    {"1717245296123456789", "datetime_parsing",
		"Input should be a valid datetime, years before 0001 and after 9999 (UTC) are not supported: "
		"send seconds or milliseconds"},
	    {"\"2024-06-01T12:34:56.000000000000000000000000000000000000000000000\"", "datetime_parsing",
		"Input should be a valid datetime, input is too long"},
	};

	for (size_t i = 0; i < COUNT(good); i++) {
		char members[128];

		snprintf(members, sizeof members, ",\"timestamp\":%s", good[i].json);
		assert_int_equal(decode_with(members), DECODE_OK);
		assert_true(record_number(0)->timestamp_us == good[i].us);
		assert_true(record_number(0)->received_us == NOW_US);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		char members[128];

		snprintf(members, sizeof members, ",\"timestamp\":%s", bad[i].json);
		assert_int_equal(decode_with(members), DECODE_INVALID);
		assert_int_equal(result.error_count, 1);
		assert_error(0, bad[i].type, "timestamp", bad[i].msg, -1);
		assert_int_equal(result.errors[0].limit, 0);
	}
}

/* --- several errors ---------------------------------------------------------------------------------------------- */

static void
test_all_errors_of_one_event_are_reported(void **state)
{
	char body[1024];

	snprintf(body, sizeof body,
	    "{\"event_type\":1,\"event_id\":2,\"workflow_id\":3,\"phase_id\":\"%0101d\",\"milestone_id\":5,"
	    "\"timestamp\":[],\"data\":[]}",
	    0);
	assert_int_equal(decode(body, BODY_EVENT), DECODE_INVALID);
	assert_int_equal(result.error_count, 8);
	assert_error(0, "string_type", "event_type", "Input should be a valid string", -1);
	assert_error(1, "missing", "session_id", "Field required", -1);
	assert_error(2, "string_type", "event_id", "Input should be a valid string", -1);
	assert_error(3, "string_type", "workflow_id", "Input should be a valid string", -1);
	assert_error(4, "string_too_long", "phase_id", "String should have at most 100 characters", -1);
	assert_error(5, "string_type", "milestone_id", "Input should be a valid string", -1);
	assert_error(6, "datetime_type", "timestamp", "Input should be a valid datetime", -1);
	assert_error(7, "dict_type", "data", "Input should be a valid dictionary", -1);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(result.errors[i].limit, i == 4 ? 100 : 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_the_event_of_the_readme_is_decoded, setup),
	    cmocka_unit_test_setup(test_every_field_is_decoded, setup),
	    cmocka_unit_test_setup(test_a_field_that_is_no_string_is_refused, setup),
	    cmocka_unit_test_setup(test_a_missing_required_field_is_refused, setup),
	    cmocka_unit_test_setup(test_null_is_absent_and_an_empty_string_is_kept, setup),
	    cmocka_unit_test_setup(test_keys_may_be_escaped, setup),
	    cmocka_unit_test_setup(test_similar_keys_are_no_fields, setup),
	    cmocka_unit_test_setup(test_of_duplicate_keys_the_last_counts, setup),
	    cmocka_unit_test_setup(test_strings_are_unescaped, setup),
	    cmocka_unit_test_setup(test_characters_that_the_store_cannot_hold_are_replaced, setup),
	    cmocka_unit_test_setup(test_timestamps_of_each_form_are_decoded, setup),
	    cmocka_unit_test_setup(test_all_errors_of_one_event_are_reported, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
