/* `data` is kept byte for byte, except for white space between tokens and for NaN and Infinity. */
#include "tests/unit/decode_fixture.h"

#include "event/scan.h"

static enum decode_status
decode_data(const char *data)
{
	char members[8192];

	snprintf(members, sizeof members, ",\"data\":%s", data);
	return decode_with(members);
}

/* Data that is stored as it was sent. */
static const char *const verbatim[] = {
    "{}",
    "{\"a\":1}",
    "{\"\":\"\"}",
    "{\"n\":12345678901234567890}",
    "{\"n\":[1e400,-1E-400,0.10,1.0,-0,-0.0,1e5,1E+05]}",
    "{\"n\":3.14159265358979323846264338327950288419716939937510}",
    "{\"s\":\"white   space \\t\\n stays \"}",
    "{\"s\":\"{ \\\"a\\\" : [ 1 , 2 ] }\"}",
    "{\"s\":\"\\u00e9\\u0041\\/\\ud83d\\ude00\"}",
    "{\"s\":\"\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80\x7f\"}",
    "{\"s\":\"\xe6\x97\xa5\",\"\xf0\x9f\x98\x80x\":\"\xe6\x97\xa5 \",\"\xc3\xa9\":\"\"}",
    "{\"b\":true,\"a\":false,\"b\":null}",
    "{\"s\":\"NaN Infinity -Infinity\",\"NaN\":\"Infinity\"}",
    "{\"s\":\"\\\\\",\"t\":\"\\\\\\\"\",\"u\":\"\\\\\\\\\"}",
    "{\"a\":[[],[[]],{},[{}],{\"a\":{}}]}",
    "{\"event_type\":1,\"data\":[],\"session_id\":null,\"timestamp\":\"x\"}",
};

static void
test_data_is_kept_byte_for_byte(void **state)
{
	for (size_t i = 0; i < COUNT(verbatim); i++) {
		assert_int_equal(decode_data(verbatim[i]), DECODE_OK);
		assert_data(0, verbatim[i]);
		assert_int_equal(result.sanitised, 0);
		assert_int_equal(record_number(0)->flags, 0);
	}
}

/* The same data with white space between all tokens is stored without it. */
static void
test_white_space_between_tokens_is_removed(void **state)
{
	static const char *const spaces[] = {" ", "\n", "\r\n", "\t", "  \n\t \r ", "                                "};

	for (size_t i = 0; i < COUNT(verbatim); i++)
		for (size_t j = 0; j < COUNT(spaces); j++) {
			char spaced[8192], *p = spaced;
			bool in_string = false;

			p = stpcpy(p, spaces[j]);
			for (const char *q = verbatim[i]; *q != '\0'; q++) {
				bool structural = strchr("{}[]:,", *q) != NULL && !in_string;

				if (structural)
					p = stpcpy(p, spaces[j]);
				*p++ = *q;
				if (in_string && *q == '\\')
					*p++ = *++q;
				else if (*q == '"')
					in_string = !in_string;
				if (structural)
					p = stpcpy(p, spaces[j]);
			}
			*p = '\0';
			assert_int_equal(decode_data(spaced), DECODE_OK);
			assert_data(0, verbatim[i]);
			assert_int_equal(result.sanitised, 0);
		}
}

static void
test_pretty_printed_data_is_stored_on_one_line(void **state)
{
	static const char body[] = "{\n"
				   "  \"event_type\": \"t\",\n"
				   "  \"session_id\": \"s\",\n"
				   "  \"data\": {\n"
				   "    \"lines\": [\n"
				   "      \"a\\nb\",\n"
				   "      2\n"
				   "    ],\r\n"
				   "\t\"empty\": { }\n"
				   "  }\n"
				   "}\n";

	assert_int_equal(decode(body, BODY_EVENT), DECODE_OK);
	assert_data(0, "{\"lines\":[\"a\\nb\",2],\"empty\":{}}");
	/* A line of JSONL must stay one line. */
	assert_null(memchr(record_data(record_number(0)).base, '\n', record_data(record_number(0)).len));
}

static void
test_nan_and_infinity_in_data_are_stored_as_null(void **state)
{
	static const struct {
		const char *sent;
		const char *stored;
	} cases[] = {
	    {"{\"x\":NaN}", "{\"x\":null}"},
	    {"{\"x\":Infinity}", "{\"x\":null}"},
	    {"{\"x\":-Infinity}", "{\"x\":null}"},
	    {"{\"x\": -Infinity }", "{\"x\":null}"},
	    {"{\"x\":NaN }", "{\"x\":null}"},
	    {"{\"x\":[NaN,Infinity,-Infinity,-1,\"NaN\"]}", "{\"x\":[null,null,null,-1,\"NaN\"]}"},
	    {"{\"x\": [ NaN , 1 , -Infinity , -2 ] , \"y\" : Infinity}", "{\"x\":[null,1,null,-2],\"y\":null}"},
	    {"{\"NaN\":{\"Infinity\":[[[NaN]]]}}", "{\"NaN\":{\"Infinity\":[[[null]]]}}"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(decode_data(cases[i].sent), DECODE_OK);
		assert_data(0, cases[i].stored);
		assert_int_equal(result.sanitised, 1);
		assert_int_equal(record_number(0)->flags, 0);
	}
	/* With many NaN the stored text is longer than the sent one. */
	char sent[4096] = "{\"x\":[NaN", stored[4096] = "{\"x\":[null";

	for (int i = 0; i < 500; i++) {
		strcat(sent, ",NaN");
		strcat(stored, ",null");
	}
	strcat(sent, "]}");
	strcat(stored, "]}");
	assert_int_equal(decode_data(sent), DECODE_OK);
	assert_data(0, stored);
}

/* NaN is allowed in data only. Anywhere else it is not JSON. */
static void
test_nan_and_infinity_are_refused_outside_data(void **state)
{
	static const char reason[] = "NaN and Infinity are taken only inside data";
	static const char *const members[] = {
	    ",\"timestamp\":NaN",
	    ",\"event_id\":Infinity",
	    ",\"session_id\":-Infinity",
	    ",\"phase_id\":{\"data\":{\"x\":NaN}}",
	    ",\"data\":{\"x\":NaN},\"timestamp\":NaN",
	    ",\"other\":NaN,\"timestamp\":NaN",
	};

	for (size_t i = 0; i < COUNT(members); i++) {
		assert_int_equal(decode_with(members[i]), DECODE_INVALID);
		assert_int_equal(result.error_count, 1);
		assert_string_equal(result.errors[0].reason, reason);
	}
	assert_int_equal(decode("NaN", BODY_EVENT), DECODE_INVALID);
	assert_syntax_error(reason, 0, -1);
	assert_int_equal(decode("[NaN]", BODY_ARRAY), DECODE_INVALID);
	assert_syntax_error(reason, 1, -1);
	/* After an event with data too. */
	static const char *const followers[] = {"NaN", "[NaN]", "{\"phase_id\":NaN}"};

	for (size_t i = 0; i < COUNT(followers); i++) {
		char body[128];

		snprintf(body, sizeof body, "[{\"event_type\":\"t\",\"session_id\":\"s\",\"data\":{\"x\":NaN}},%s]",
		    followers[i]);
		assert_int_equal(decode(body, BODY_ARRAY), DECODE_INVALID);
		assert_string_equal(result.errors[0].type, "json_invalid");
		assert_string_equal(result.errors[0].reason, reason);
	}
}

/* Data that jsonb refuses is flagged and counted, and stored as it was sent. */
static void
test_escapes_that_jsonb_refuses_are_kept_and_flagged(void **state)
{
	static const char *const cases[] = {
	    "{\"x\":\"\\u0000\"}",
	    "{\"\\u0000\":1}",
	    "{\"x\":\"\\ud800\"}",
	    "{\"x\":[{\"y\":\"\\udc00\\ud800\"}]}",
	    "{\"\\uDFFF\":1}",
	    "{\"x\":\"\\ud83d\\ud83d\\ude00\"}",
	    "{\"x\":\"\\ud83d\\\\ude00\"}",
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(decode_data(cases[i]), DECODE_OK);
		assert_data(0, cases[i]);
		assert_int_equal(record_number(0)->flags, RECORD_UNSAFE_ESCAPES);
		assert_int_equal(result.sanitised, 1);
	}
	assert_int_equal(decode_data("{\"x\": \"\\u0000\", \"y\": NaN}"), DECODE_OK);
	assert_data(0, "{\"x\":\"\\u0000\",\"y\":null}");
	assert_int_equal(record_number(0)->flags, RECORD_UNSAFE_ESCAPES);
	assert_int_equal(result.sanitised, 1);
}

/* An event counts once, however many of its values were replaced. */
static void
test_events_with_replaced_values_are_counted_once(void **state)
{
	assert_int_equal(decode("[{\"event_type\":\"t\",\"session_id\":\"s\",\"data\":{\"x\":NaN,\"y\":\"\\u0000\"}},"
				"{\"event_type\":\"t\",\"session_id\":\"s\"},"
				"{\"event_type\":\"\\u0000\",\"session_id\":\"\\ud800\",\"data\":{\"x\":NaN}},"
				"{\"event_type\":\"t\",\"session_id\":\"s\",\"data\":{\"x\":1}}]",
			     BODY_ARRAY),
	    DECODE_OK);
	assert_int_equal(result.events, 4);
	assert_int_equal(result.sanitised, 2);
}

static void
test_data_that_is_no_object_is_refused(void **state)
{
	static const char *const wrong[] = {
	    "[]", "\"\"", "\"{}\"", "0", "1.5", "true", "false", "NaN", "-Infinity", "[{}]"};

	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_int_equal(decode_data(wrong[i]), DECODE_INVALID);
		assert_int_equal(result.error_count, 1);
		assert_error(0, "dict_type", "data", "Input should be a valid dictionary", -1);
	}
}

static void
test_data_that_is_nested_too_deep_is_refused(void **state)
{
	for (size_t depth = 509; depth <= 515; depth++) {
		char data[8192], *p = stpcpy(data, "{\"x\":");

		for (size_t i = 0; i < depth - 1; i++)
			*p++ = '[';
		for (size_t i = 0; i < depth - 1; i++)
			*p++ = ']';
		strcpy(p, "}");
		if (depth <= JSON_DEPTH_MAX) {
			assert_int_equal(decode_data(data), DECODE_OK);
			assert_data(0, data);
		} else {
			assert_int_equal(decode_data(data), DECODE_INVALID);
			assert_string_equal(result.errors[0].reason, "nested too deep");
		}
	}
}

/* Every length around the words in which strings are copied, with and without white space to remove. */
static void
test_strings_of_every_length_are_kept(void **state)
{
	for (size_t len = 0; len < 300; len++) {
		char data[1024], spaced[1024];

		snprintf(data, sizeof data, "{\"x\":\"%0*d\",\"y\":1}", (int)len, 0);
		snprintf(spaced, sizeof spaced, "{\"x\": \"%0*d\", \"y\": 1}", (int)len, 0);
		assert_int_equal(decode_data(data), DECODE_OK);
		assert_data(0, data);
		assert_int_equal(decode_data(spaced), DECODE_OK);
		assert_data(0, data);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_data_is_kept_byte_for_byte, setup),
	    cmocka_unit_test_setup(test_white_space_between_tokens_is_removed, setup),
	    cmocka_unit_test_setup(test_pretty_printed_data_is_stored_on_one_line, setup),
	    cmocka_unit_test_setup(test_nan_and_infinity_in_data_are_stored_as_null, setup),
	    cmocka_unit_test_setup(test_nan_and_infinity_are_refused_outside_data, setup),
	    cmocka_unit_test_setup(test_escapes_that_jsonb_refuses_are_kept_and_flagged, setup),
	    cmocka_unit_test_setup(test_events_with_replaced_values_are_counted_once, setup),
	    cmocka_unit_test_setup(test_data_that_is_no_object_is_refused, setup),
	    cmocka_unit_test_setup(test_data_that_is_nested_too_deep_is_refused, setup),
	    cmocka_unit_test_setup(test_strings_of_every_length_are_kept, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
