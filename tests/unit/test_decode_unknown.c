/* Fields that the API does not define are kept in data, ignored or refused. */
#include "tests/unit/decode_fixture.h"

#include "event/scan.h"
#include "ingest/unknown.h"

static void
assert_kept(const char *members, const char *data)
{
	assert_int_equal(decode_with(members), DECODE_OK);
	assert_data(0, data);
	assert_int_equal(result.unknown, 1);
}

static void
test_unknown_fields_are_kept_in_data(void **state)
{
	assert_kept(",\"a\":1", "{\"a\":1}");
	assert_kept(",\"a\":1,\"b\":{\"x\":[]}", "{\"a\":1,\"b\":{\"x\":[]}}");
	assert_kept(",\"a\":1,\"data\":null", "{\"a\":1}");
	assert_kept(",\"a\":1,\"data\":{}", "{\"a\":1}");
	assert_kept(",\"a\":1,\"data\":{ \t}", "{\"a\":1}");
	assert_kept(",\"a\":1,\"data\":{\"b\":2},\"c\":3", "{\"b\":2,\"a\":1,\"c\":3}");
	/* White space between tokens is removed, and nothing else. */
	assert_kept(" , \"a b\" : [ 1 , \" x \" ] , \"data\" : { \"b\" : 2 } , \"n\":-1.50e+07 ",
	    "{\"b\":2,\"a b\":[1,\" x \"],\"n\":-1.50e+07}");
	assert_kept(",\"\\u0061\\/\":\"\\u0062\",\"\xc3\xa9\":\"\xe6\x97\xa5\",\"\":null",
	    "{\"\\u0061\\/\":\"\\u0062\",\"\xc3\xa9\":\"\xe6\x97\xa5\",\"\":null}");
	/* Names that resemble those of fields. */
	assert_kept(",\"sessionId\":\"x\",\"tenant_id\":\"y\",\"Data\":{}",
	    "{\"sessionId\":\"x\",\"tenant_id\":\"y\",\"Data\":{}}");
	assert_int_equal(decode_with(",\"data\":{\"a\":1}"), DECODE_OK);
	assert_int_equal(result.unknown, 0);
}

/* As in most JSON parsers, however a name is spelt. */
static void
test_of_unknown_fields_with_one_name_the_last_counts(void **state)
{
	assert_kept(",\"a\":1,\"b\":2,\"a\":3", "{\"a\":3,\"b\":2}");
	assert_kept(",\"a\":1,\"\\u0061\":2", "{\"\\u0061\":2}");
	assert_kept(",\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2", "{\"\xf0\x9f\x98\x80\":2}");
	assert_kept(",\"a\":{\"x\":NaN,\"y\":\"\\u0000\"},\"a\":1", "{\"a\":1}");
	assert_int_equal(result.sanitised, 0);
	assert_int_equal(record_number(0)->flags, 0);
}

static void
test_a_member_of_data_is_not_replaced(void **state)
{
	assert_kept(",\"a\":1,\"data\":{\"a\":2}", "{\"a\":2}");
	assert_kept(",\"data\":{\"\\u0061\":2},\"a\":1,\"b\":1", "{\"\\u0061\":2,\"b\":1}");
	assert_kept(",\"\\u00e9\":1,\"data\":{\"\xc3\xa9\":2}", "{\"\xc3\xa9\":2}");
	assert_kept(",\"a\":\"\\u0000\",\"data\":{\"a\":2}", "{\"a\":2}");
	assert_int_equal(result.sanitised, 0);
	/* Members inside data's members have nothing to do with it. */
	assert_kept(",\"a\":1,\"data\":{\"b\":{\"a\":2}}", "{\"b\":{\"a\":2},\"a\":1}");
	/* The last data counts, and only that one. */
	assert_kept(",\"a\":1,\"data\":{\"a\":2},\"data\":{\"b\":3}", "{\"b\":3,\"a\":1}");
	/* Duplicates inside data stay as the client sent them. */
	assert_kept(",\"a\":1,\"data\":{\"x\":1,\"x\":2}", "{\"x\":1,\"x\":2,\"a\":1}");
}

/* Each name is found among the others, in any order. Their number is limited. */
static void
test_unknown_fields_are_found_among_many_up_to_the_limit(void **state)
{
	static char body[32768], data[32768];
	size_t len = (size_t)sprintf(body, "[{\"event_type\":\"t\",\"session_id\":\"s\"");
	char *q = data;

	for (uint32_t i = 0; i < UNKNOWN_FIELDS_MAX; i++)
		len += (size_t)sprintf(body + len, ",\"k%.*s%u\":0", (int)(i % 7), "abcabca", i * 7919 % 1000);
	for (uint32_t i = 0; i < UNKNOWN_FIELDS_MAX; i++) {
		int more = snprintf(body + len, sizeof body - len, ",\"\\u006b%.*s%u\":%u", (int)(i % 7), "abcabca",
		    i * 7919 % 1000, i);

		q = mempcpy(q, body + len, (size_t)more);
		len += (size_t)more;
	}
	(void)strcpy(body + len, "}]");
	*data = '{';
	(void)stpcpy(q, "}");
	assert_int_equal(decode(body, BODY_ARRAY), DECODE_OK);
	assert_data(0, data);

	(void)strcpy(body + len, ",\"one more\":1}]");
	assert_int_equal(decode(body, BODY_ARRAY), DECODE_INVALID);
	assert_int_equal(result.error_count, 1);
	assert_error(0, "too_many_fields", NULL, "At most 500 fields besides an event's own: put them into data", 0);
}

static void
test_nan_and_unsafe_escapes_are_treated_as_in_data(void **state)
{
	assert_kept(",\"a\":NaN,\"data\":{\"b\":-Infinity,\"c\": 1},\"d\":[Infinity, NaN]",
	    "{\"b\":null,\"c\":1,\"a\":null,\"d\":[null,null]}");
	assert_int_equal(result.sanitised, 1);
	assert_int_equal(record_number(0)->flags, 0);
	assert_kept(",\"a\":\"\\u0000\"", "{\"a\":\"\\u0000\"}");
	assert_int_equal(record_number(0)->flags, RECORD_UNSAFE_ESCAPES);
	assert_int_equal(result.sanitised, 1);
	assert_kept(",\"\\ud800\":1", "{\"\\ud800\":1}");
	assert_int_equal(record_number(0)->flags, RECORD_UNSAFE_ESCAPES);
	assert_kept(",\"a\":\"\\u0000\",\"b\":1,\"a\":2", "{\"a\":2,\"b\":1}");
	assert_int_equal(record_number(0)->flags, 0);
}

/* In data they are one level deeper than they were sent. */
static void
test_unknown_fields_have_the_depth_limit_of_data(void **state)
{
	for (size_t depth = JSON_DEPTH_MAX - 2; depth <= JSON_DEPTH_MAX + 1; depth++) {
		char members[4096], *p = stpcpy(members, ",\"x\":");

		p = (char *)memset(p, '[', depth) + depth;
		p = (char *)memset(p, ']', depth) + depth;
		*p = '\0';
		env.unknown = UNKNOWN_KEEP;
		assert_int_equal(decode_with(members), depth < JSON_DEPTH_MAX ? DECODE_OK : DECODE_INVALID);
		if (depth >= JSON_DEPTH_MAX)
			assert_string_equal(result.errors[0].reason, "nested too deep");
		env.unknown = UNKNOWN_IGNORE;
		assert_int_equal(decode_with(members), depth <= JSON_DEPTH_MAX ? DECODE_OK : DECODE_INVALID);
	}
}

static void
test_events_with_unknown_fields_are_counted(void **state)
{
	static const char body[] = "[{\"event_type\":\"t\",\"session_id\":\"s\",\"a\":1,\"b\":2},"
				   "{\"event_type\":\"t\",\"session_id\":\"s\"},"
				   "{\"event_type\":\"t\",\"session_id\":\"s\",\"a\":1,\"data\":{\"a\":1}}]";

	assert_int_equal(decode(body, BODY_ARRAY), DECODE_OK);
	assert_int_equal(result.unknown, 2);
	assert_data(0, "{\"a\":1,\"b\":2}");
	assert_data(1, "{}");
	assert_data(2, "{\"a\":1}");
	env.unknown = UNKNOWN_IGNORE;
	assert_int_equal(decode(body, BODY_ARRAY), DECODE_OK);
	assert_int_equal(result.unknown, 2);
	assert_data(0, "{}");
	assert_data(2, "{\"a\":1}");
}

static void
test_unknown_fields_may_be_ignored(void **state)
{
	env.unknown = UNKNOWN_IGNORE;
	assert_int_equal(decode_with(",\"other\":{\"\\ud800\":\"\\u0000\"},\"data\":{\"x\":1}"), DECODE_OK);
	assert_data(0, "{\"x\":1}");
	assert_int_equal(record_number(0)->flags, 0);
	assert_int_equal(result.sanitised, 0);
	/* They must be JSON all the same. */
	assert_int_equal(decode_with(",\"other\":NaN"), DECODE_INVALID);
	assert_string_equal(result.errors[0].reason, "NaN and Infinity are taken only inside data");
	assert_int_equal(decode_with(",\"other\":01"), DECODE_INVALID);
}

static void
assert_key(uint32_t i, const char *token, int64_t index)
{
	assert_error(i, "extra_forbidden", NULL, "Extra inputs are not permitted", index);
	assert_int_equal(result.errors[i].key.len, strlen(token));
}

static void
test_unknown_fields_may_be_refused(void **state)
{
	char body[4096], *p = stpcpy(body, "[{\"event_type\":\"t\",\"session_id\":\"s\"");

	env.unknown = UNKNOWN_REFUSE;
	assert_int_equal(decode_with(",\"data\":{\"a\":1}"), DECODE_OK);
	assert_int_equal(decode_with(",\"a\":1,\"\\u0062b\":2,\"a\":3"), DECODE_INVALID);
	assert_int_equal(result.error_count, 2);
	assert_key(0, "\"a\"", -1);
	assert_key(1, "\"\\u0062b\"", -1);
	/* After the other errors, and in every event. */
	assert_int_equal(
	    decode(
		"[{\"event_type\":\"t\",\"session_id\":\"s\"},{\"sessionId\":\"s\",\"event_type\":\"t\"}]", BODY_ARRAY),
	    DECODE_INVALID);
	assert_int_equal(result.error_count, 2);
	assert_error(0, "missing", "session_id", "Field required", 1);
	assert_key(1, "\"sessionId\"", 1);
	/* All of them are found, however many there are. */
	for (int i = 0; i < 100; i++)
		p += sprintf(p, ",\"x%d\":1", i);
	(void)stpcpy(p, "}]");
	assert_int_equal(decode(body, BODY_ARRAY), DECODE_INVALID);
	assert_in_range(result.error_count, 8, DECODE_ERRORS_MAX);
	assert_int_equal(decode_with(",\"other\":NaN"), DECODE_INVALID);
	assert_string_equal(result.errors[0].type, "json_invalid");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_unknown_fields_are_kept_in_data, setup),
	    cmocka_unit_test_setup(test_of_unknown_fields_with_one_name_the_last_counts, setup),
	    cmocka_unit_test_setup(test_a_member_of_data_is_not_replaced, setup),
	    cmocka_unit_test_setup(test_unknown_fields_are_found_among_many_up_to_the_limit, setup),
	    cmocka_unit_test_setup(test_nan_and_unsafe_escapes_are_treated_as_in_data, setup),
	    cmocka_unit_test_setup(test_unknown_fields_have_the_depth_limit_of_data, setup),
	    cmocka_unit_test_setup(test_events_with_unknown_fields_are_counted, setup),
	    cmocka_unit_test_setup(test_unknown_fields_may_be_ignored, setup),
	    cmocka_unit_test_setup(test_unknown_fields_may_be_refused, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
