/*
 * Bodies: one event, arrays and lines. They are accepted whole or not at all, and have limits of size, count and space.
 */
#include "tests/unit/decode_fixture.h"

#define GOOD "{\"event_type\":\"t\",\"session_id\":\"s\"}"
#define BAD "{\"event_type\":\"t\"}"
#define BOM "\xef\xbb\xbf"

static void
test_each_event_of_an_array_is_a_record(void **state)
{
	assert_int_equal(decode("[]", BODY_ARRAY), DECODE_OK);
	assert_int_equal(result.events, 0);
	assert_int_equal(result.bytes, 0);
	assert_int_equal(decode(" [ \n ] ", BODY_ARRAY), DECODE_OK);
	assert_int_equal(result.events, 0);
	assert_int_equal(decode("[" GOOD "]", BODY_ARRAY), DECODE_OK);
	assert_int_equal(result.events, 1);

	assert_int_equal(decode(" [ {\"event_type\":\"a\",\"session_id\":\"1\"} "
				",\n{\"event_type\":\"b\",\"session_id\":\"2\",\"data\":{ \"x\" : 1 }},"
				"\t{\"event_type\":\"c\",\"session_id\":\"3\",\"workflow_id\":\"w\"}\r\n] \n",
			     BODY_ARRAY),
	    DECODE_OK);
	assert_int_equal(result.events, 3);
	assert_string(0, RECORD_EVENT_TYPE, "a");
	assert_string(1, RECORD_EVENT_TYPE, "b");
	assert_string(2, RECORD_EVENT_TYPE, "c");
	assert_string(0, RECORD_SESSION_ID, "1");
	assert_string(2, RECORD_SESSION_ID, "3");
	assert_data(0, "{}");
	assert_data(1, "{\"x\":1}");
	/* No field of one event is left for the next. */
	assert_string(1, RECORD_WORKFLOW_ID, NULL);
	assert_data(2, "{}");
	/* The records follow each other, and nothing is written after them. */
	assert_int_equal(result.bytes, record_number(0)->length + record_number(1)->length + record_number(2)->length);
	assert_int_equal(arena[result.bytes], '#');
	/* Ids ascend in the order of the request. */
	assert_true(memcmp(record_number(0)->event_id, record_number(1)->event_id, 16) < 0);
	assert_true(memcmp(record_number(1)->event_id, record_number(2)->event_id, 16) < 0);
}

static void
test_a_batch_that_is_no_array_is_refused(void **state)
{
	static const char *const bodies[] = {"{}", GOOD, "null", "1", "\"x\"", "true", " {\"a\": [1,2]} "};

	for (size_t i = 0; i < COUNT(bodies); i++) {
		assert_int_equal(decode(bodies[i], BODY_ARRAY), DECODE_INVALID);
		assert_int_equal(result.error_count, 1);
		assert_error(0, "list_type", NULL, "Input should be a valid list", -1);
	}
	/* A syntax error comes before the wrong type. */
	assert_int_equal(decode("{\"a\":}", BODY_ARRAY), DECODE_INVALID);
	assert_syntax_error("expected a value", 5, -1);
	assert_int_equal(decode("{} x", BODY_ARRAY), DECODE_INVALID);
	assert_syntax_error("more than one value", 3, -1);
}

static const char not_object[] = "Input should be a valid dictionary or object to extract fields from";

static void
test_an_event_that_is_no_object_is_refused(void **state)
{
	static const char *const values[] = {"null", "1", "\"x\"", "true", "[]", "[" GOOD "]"};

	for (size_t i = 0; i < COUNT(values); i++) {
		char body[256];

		assert_int_equal(decode(values[i], BODY_EVENT), DECODE_INVALID);
		assert_int_equal(result.error_count, 1);
		assert_error(0, "model_attributes_type", NULL, not_object, -1);

		snprintf(body, sizeof body, "[" GOOD ",%s," GOOD "]", values[i]);
		assert_int_equal(decode(body, BODY_ARRAY), DECODE_INVALID);
		assert_int_equal(result.error_count, 1);
		assert_error(0, "model_attributes_type", NULL, not_object, 1);

		snprintf(body, sizeof body, GOOD "\n\n" GOOD "\n%s\n", values[i]);
		assert_int_equal(decode(body, BODY_NDJSON), DECODE_INVALID);
		assert_int_equal(result.error_count, 1);
		assert_error(0, "model_attributes_type", NULL, not_object, 2);
	}
}

/* The error for lines whose media type is that of one value. */
#define SEVERAL "more than one value: lines of JSON go to /events/batch as application/x-ndjson"

static void
test_syntax_errors_are_refused_with_their_position(void **state)
{
	static const struct {
		const char *body;
		enum body_kind kind;
		const char *reason;
		int64_t position;
		int64_t index;
	} cases[] = {
	    {"", BODY_EVENT, "empty body", 0, -1},
	    {" \n", BODY_EVENT, "empty body", 2, -1},
	    {"", BODY_ARRAY, "empty body", 0, -1},
	    {BOM, BODY_EVENT, "empty body", 3, -1},
	    {BOM BOM GOOD, BODY_EVENT, "byte order mark", 3, -1},
	    {" " BOM GOOD, BODY_EVENT, "byte order mark", 1, -1},
	    {GOOD BOM, BODY_EVENT, "more than one value", 35, -1},
	    {BOM "[" GOOD "," BOM GOOD "]", BODY_ARRAY, "byte order mark", 40, -1},
	    {BOM GOOD "\n" BOM GOOD "\n", BODY_NDJSON, "byte order mark", 39, 1},
	    {BOM GOOD "\nx\n", BODY_NDJSON, "expected a value", 39, 1},
	    {"\xff\xfe{", BODY_EVENT, "UTF-16: send UTF-8", 0, -1},
	    {"\xfe\xff", BODY_ARRAY, "UTF-16: send UTF-8", 0, -1},
	    {"\xff\xfe{", BODY_NDJSON, "UTF-16: send UTF-8", 0, -1},
	    {"\xef\xbb", BODY_EVENT, "expected a value", 0, -1},
	    {GOOD GOOD, BODY_EVENT, SEVERAL, 35, -1},
	    {GOOD GOOD, BODY_ARRAY, SEVERAL, 35, -1},
	    {BOM "5\n" GOOD "x", BODY_ARRAY, SEVERAL, 5, -1},
	    {GOOD ",", BODY_EVENT, "more than one value", 35, -1},
	    {"[" GOOD "]]", BODY_ARRAY, "more than one value", 37, -1},
	    {"[" GOOD ",]", BODY_ARRAY, "trailing comma", 37, -1},
	    {"[" GOOD " " GOOD "]", BODY_ARRAY, "expected ',' or ']'", 37, -1},
	    {"[" GOOD, BODY_ARRAY, "unexpected end", 36, -1},
	    {"[", BODY_ARRAY, "unexpected end", 1, -1},
	    {"{\"event_type\":\"t\",}", BODY_EVENT, "trailing comma", 18, -1},
	    {"{\"event_type\":'t'}", BODY_EVENT, "expected a value", 14, -1},
	    {"{\"event_type\":\"t}", BODY_EVENT, "unterminated string", 14, -1},
	    {"{\"event_type\":\"t\xff\"}", BODY_EVENT, "invalid UTF-8", 16, -1},
	    {"{\"other\":\"\xed\xa0\x80\"}", BODY_EVENT, "invalid UTF-8", 10, -1},
	    {"{\"event_\xc0\xaftype\":1}", BODY_EVENT, "invalid UTF-8", 8, -1},
	    {"{\"other\":01}", BODY_EVENT, "leading zero in a number", 10, -1},
	    {GOOD "\n" GOOD "x\n", BODY_NDJSON, "more than one value", 71, 1},
	    {GOOD " " GOOD "\n", BODY_NDJSON, "more than one value", 36, 0},
	    {GOOD "\n\n \r\n{\"event_type\":\n\"t\"}", BODY_NDJSON, "unexpected end", 54, 1},
	    {GOOD "\n[\n", BODY_NDJSON, "unexpected end", 37, 1},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(decode(cases[i].body, cases[i].kind), DECODE_INVALID);
		assert_syntax_error(cases[i].reason, cases[i].position, cases[i].index);
	}
	assert_int_equal(decode_body((struct span){NULL, 0}, BODY_EVENT, &env, (struct decode_space){NULL, 0}, &result),
	    DECODE_INVALID);
	assert_syntax_error("empty body", 0, -1);
}

/* Windows programs write a byte order mark. */
static void
test_a_byte_order_mark_at_the_beginning_is_skipped(void **state)
{
	assert_int_equal(decode(BOM GOOD, BODY_EVENT), DECODE_OK);
	assert_int_equal(result.events, 1);
	assert_int_equal(decode(BOM " [" GOOD "]", BODY_ARRAY), DECODE_OK);
	assert_int_equal(result.events, 1);
	assert_int_equal(decode(BOM GOOD "\r\n" GOOD "\r\n", BODY_NDJSON), DECODE_OK);
	assert_int_equal(result.events, 2);
	assert_int_equal(decode(BOM, BODY_NDJSON), DECODE_OK);
	assert_int_equal(result.events, 0);
	/* Inside a string it is a character. */
	assert_int_equal(decode_with(",\"session_id\":\"" BOM "\""), DECODE_OK);
	assert_string(0, RECORD_SESSION_ID, BOM);
}

/* A body that ends early is refused at whichever byte it ends. */
static void
test_a_body_that_ends_early_is_refused(void **state)
{
	static const char array[] =
	    "[{\"event_type\":\"tool\\n\xc3\xa9\",\"session_id\":\"s\",\"timestamp\":1717245296.5e0,"
	    "\"data\":{\"x\":[1,-2.5e+3,true,false,null,NaN,-Infinity,\"\\ud83d\\ude00\"],\"y\":{}}},"
	    "{\"event_type\":\"\",\"session_id\":\"\",\"data\":null}]";

	assert_int_equal(decode(array, BODY_ARRAY), DECODE_OK);
	assert_int_equal(result.events, 2);
	for (size_t len = 0; len < strlen(array); len++) {
		assert_int_equal(decode_bytes(array, len, BODY_ARRAY), DECODE_INVALID);
		assert_int_equal(result.error_count, 1);
		assert_string_equal(result.errors[0].type, "json_invalid");
		assert_true(result.errors[0].position <= (int64_t)len);
	}
	/* The same as one event and as a line. */
	for (size_t len = 1; len < strlen(array) - 48; len++) {
		assert_int_equal(decode_bytes(array + 1, len - 1, BODY_EVENT), DECODE_INVALID);
		if (len > 1)
			assert_int_equal(decode_bytes(array + 1, len - 1, BODY_NDJSON), DECODE_INVALID);
	}
}

static void
test_each_line_of_ndjson_is_a_record(void **state)
{
	static const struct {
		const char *body;
		uint32_t events;
	} cases[] = {
	    {"", 0},
	    {"\n", 0},
	    {"\r\n \t\n\n", 0},
	    {GOOD, 1},
	    {GOOD "\n", 1},
	    {GOOD "\r\n", 1},
	    {GOOD "\n" GOOD, 2},
	    {GOOD "\r\n" GOOD "\r\n", 2},
	    {"\n\n" GOOD "\n\n\n" GOOD "\n\n", 2},
	    {" \t" GOOD " \t\r\n  " GOOD "  ", 2},
	    {"{ \"event_type\" : \"t\" ,\r\"session_id\":\"s\"}\n", 1},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(decode(cases[i].body, BODY_NDJSON), DECODE_OK);
		assert_int_equal(result.events, cases[i].events);
		for (uint32_t n = 0; n < result.events; n++)
			assert_string(n, RECORD_SESSION_ID, "s");
	}
	assert_int_equal(
	    decode_body((struct span){NULL, 0}, BODY_NDJSON, &env, (struct decode_space){NULL, 0}, &result), DECODE_OK);
	assert_int_equal(result.events, 0);
}

/* --- all or nothing ---------------------------------------------------------------------------------------------- */

static void
test_one_bad_event_refuses_the_whole_batch(void **state)
{
	enum { EVENTS = 12 };

	for (int bad = 0; bad < EVENTS; bad++) {
		char array[1024] = "[", lines[1024] = "";

		for (int i = 0; i < EVENTS; i++) {
			strcat(array, i == 0 ? "" : ",");
			strcat(array, i == bad ? BAD : GOOD);
			strcat(lines, i == bad ? BAD : GOOD);
			strcat(lines, "\n");
		}
		strcat(array, "]");
		assert_int_equal(decode(array, BODY_ARRAY), DECODE_INVALID);
		assert_int_equal(result.error_count, 1);
		assert_error(0, "missing", "session_id", "Field required", bad);
		assert_int_equal(decode(lines, BODY_NDJSON), DECODE_INVALID);
		assert_int_equal(result.error_count, 1);
		assert_error(0, "missing", "session_id", "Field required", bad);
	}
}

static void
test_the_errors_of_all_events_are_reported(void **state)
{
	char body[8192] = "[";

	assert_int_equal(decode("[{}," GOOD ",1,{\"event_type\":\"t\",\"session_id\":5}]", BODY_ARRAY), DECODE_INVALID);
	assert_int_equal(result.error_count, 4);
	assert_error(0, "missing", "event_type", "Field required", 0);
	assert_error(1, "missing", "session_id", "Field required", 0);
	assert_error(2, "model_attributes_type", NULL, not_object, 2);
	assert_error(3, "string_type", "session_id", "Input should be a valid string", 3);

	/* The first errors are kept. */
	for (int i = 0; i < 140; i++)
		strcat(body, BAD ",");
	strcat(body, GOOD "]");
	assert_int_equal(decode(body, BODY_ARRAY), DECODE_INVALID);
	assert_int_equal(result.error_count, DECODE_ERRORS_MAX);
	assert_int_equal(result.errors_found, 140);
	for (uint32_t i = 0; i < DECODE_ERRORS_MAX; i++)
		assert_error(i, "missing", "session_id", "Field required", i);

	/* A syntax error after them is the only one that is reported. */
	body[strlen(body) - 1] = '}';
	assert_int_equal(decode(body, BODY_ARRAY), DECODE_INVALID);
	assert_syntax_error("expected ',' or ']'", (int64_t)strlen(body) - 1, -1);
	assert_int_equal(decode(BAD "\n" BAD "\n{]\n", BODY_NDJSON), DECODE_INVALID);
	assert_syntax_error("expected a key in double quotes", 39, 2);
}

/* --- sizes ------------------------------------------------------------------------------------------------------- */

static void
test_more_events_than_allowed_are_refused(void **state)
{
	env.max_events = 3;
	assert_int_equal(decode("[" GOOD "," GOOD "," GOOD "]", BODY_ARRAY), DECODE_OK);
	assert_int_equal(decode(GOOD "\n" GOOD "\n" GOOD "\n\n", BODY_NDJSON), DECODE_OK);
	for (int i = 0; i < 2; i++) {
		const char *body =
		    i == 0 ? "[" GOOD "," GOOD "," GOOD "," GOOD "]" : GOOD "\n" GOOD "\n" GOOD "\n" GOOD "\n";

		assert_int_equal(decode(body, i == 0 ? BODY_ARRAY : BODY_NDJSON), DECODE_TOO_LARGE);
		assert_int_equal(result.error_count, 1);
		assert_error(0, "too_many_events", NULL, "Too many events in one request", -1);
		assert_int_equal(result.errors[0].limit, 3);
	}
	/* It is the only error, whatever was wrong before it or comes after it. */
	assert_int_equal(decode("[1,2,3,4", BODY_ARRAY), DECODE_TOO_LARGE);
	assert_int_equal(result.error_count, 1);
}

static void
test_an_event_larger_than_allowed_is_refused(void **state)
{
	static const char body[] = "[ " GOOD " ,{\"event_type\":\"t\",\"session_id\":\"s\",\"data\":{ }}]";

	env.max_event_bytes = strlen("{\"event_type\":\"t\",\"session_id\":\"s\",\"data\":{ }}");
	assert_int_equal(decode(body, BODY_ARRAY), DECODE_OK);
	env.max_event_bytes--;
	assert_int_equal(decode(body, BODY_ARRAY), DECODE_TOO_LARGE);
	assert_int_equal(result.error_count, 1);
	assert_error(0, "event_too_large", NULL, "Event is too large", 1);
	assert_int_equal(result.errors[0].limit, env.max_event_bytes);

	/* White space around an event does not count. A value that is no object has a size too. */
	env.max_event_bytes = strlen(GOOD);
	assert_int_equal(decode("      " GOOD "      ", BODY_EVENT), DECODE_OK);
	assert_int_equal(decode("      " GOOD "      \n", BODY_NDJSON), DECODE_OK);
	assert_int_equal(decode("{\"event_type\":\"t\",\"session_id\":\"st\"}", BODY_EVENT), DECODE_TOO_LARGE);
	assert_error(0, "event_too_large", NULL, "Event is too large", -1);
	assert_int_equal(decode("[\"0123456789012345678901234567890123456789\"]", BODY_ARRAY), DECODE_TOO_LARGE);
	assert_error(0, "event_too_large", NULL, "Event is too large", 0);

	env.max_event_bytes = UINT64_MAX;
	assert_int_equal(decode("[" GOOD "]", BODY_ARRAY), DECODE_OK);
}

/* Every capacity from nothing up: there is no space until it is exactly enough, and no byte is written past it. */
static void
test_records_that_do_not_fit_are_not_written(void **state)
{
	static const struct {
		const char *body;
		enum body_kind kind;
	} cases[] = {
	    {GOOD, BODY_EVENT},
	    {"{\"event_type\":\"t\",\"session_id\":\"12345678\",\"data\":{ \"x\" : [NaN, 1, 2 , \"y\"] } }",
		BODY_EVENT},
	    {"[" GOOD ",{\"event_type\":\"type\",\"session_id\":\"se\\u0000s\\n\",\"event_id\":\"e\",\"data\":{\"a\":"
	     "\"b\"}}," GOOD "]",
		BODY_ARRAY},
	    {GOOD "\n" GOOD "\n{\"event_type\":\"tt\",\"session_id\":\"s\"}\n", BODY_NDJSON},
	    {"[]", BODY_ARRAY},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len = strlen(cases[i].body), needed;

		assert_int_equal(decode(cases[i].body, cases[i].kind), DECODE_OK);
		needed = result.bytes;
		assert_int_equal(needed % 8, 0);
		for (size_t capacity = 0; capacity <= needed + 16; capacity++) {
			char *out = malloc(capacity + 64);
			enum decode_status status;

			assert_non_null(out);
			memset(out, '#', capacity + 64);
			status = decode_body((struct span){cases[i].body, len}, cases[i].kind, &env,
			    (struct decode_space){out, capacity}, &result);
			assert_int_equal(status, capacity < needed ? DECODE_NO_SPACE : DECODE_OK);
			assert_int_equal(result.bytes, capacity < needed ? 0 : needed);
			assert_int_equal(result.error_count, 0);
			for (size_t at = status == DECODE_OK ? needed : capacity; at < capacity + 64; at++)
				assert_int_equal(out[at], '#');
			free(out);
		}
	}
}

/* Whether a request is valid does not depend on the space for it. */
static void
test_an_invalid_body_is_invalid_without_space_too(void **state)
{
	static const struct {
		const char *body;
		enum decode_status status;
	} cases[] = {
	    {"[" GOOD "," GOOD "]", DECODE_NO_SPACE},
	    {"[" GOOD "," BAD "]", DECODE_INVALID},
	    {"[" BAD "," GOOD "]", DECODE_INVALID},
	    {"[" GOOD "," GOOD "}", DECODE_INVALID},
	    {"[" GOOD "," GOOD "] x", DECODE_INVALID},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t capacity = 0; capacity < 144; capacity += 8) {
			assert_int_equal(decode_body((struct span){cases[i].body, strlen(cases[i].body)}, BODY_ARRAY,
					     &env, (struct decode_space){arena, capacity}, &result),
			    cases[i].status);
			assert_int_equal(result.events, 0);
		}
	env.max_events = 1;
	assert_int_equal(decode_body((struct span){"[" GOOD "," GOOD "]", strlen("[" GOOD "," GOOD "]")}, BODY_ARRAY,
			     &env, (struct decode_space){NULL, 0}, &result),
	    DECODE_TOO_LARGE);
}

/* Deep nesting from an attacker costs neither stack nor time. */
static void
test_deep_nesting_is_refused(void **state)
{
	enum { DEPTH = 100000 };
	static char body[DEPTH * 6];

	memset(body, '[', DEPTH);
	for (int kind = BODY_EVENT; kind <= BODY_NDJSON; kind++) {
		assert_int_equal(decode_bytes(body, DEPTH, (enum body_kind)kind), DECODE_INVALID);
		assert_string_equal(result.errors[0].reason, "nested too deep");
	}
	for (int i = 0; i < DEPTH; i++)
		memcpy(body + i * 5, "{\"\":[", 5);
	for (int kind = BODY_EVENT; kind <= BODY_NDJSON; kind++) {
		assert_int_equal(decode_bytes(body, DEPTH * 5, (enum body_kind)kind), DECODE_INVALID);
		assert_string_equal(result.errors[0].reason, "nested too deep");
	}
}

/* As many events as fit, each with data of its own. */
static void
test_as_many_events_as_allowed_are_decoded(void **state)
{
	enum { EVENTS = 5000 };
	char *body = malloc(EVENTS * 90), *p;

	assert_non_null(body);
	p = stpcpy(body, "[");
	for (int i = 0; i < EVENTS; i++)
		p += sprintf(p, "%s{\"event_type\":\"t\",\"session_id\":\"%d\\tescaped\",\"data\":{\"n\":%d}}",
		    i == 0 ? "" : ",", i % 7, i);
	p = stpcpy(p, "]");
	assert_int_equal(decode_bytes(body, (size_t)(p - body), BODY_ARRAY), DECODE_OK);
	assert_int_equal(result.events, EVENTS);
	for (uint32_t i = 0; i < EVENTS; i += 101) {
		char text[32];

		snprintf(text, sizeof text, "{\"n\":%u}", i);
		assert_data(i, text);
		snprintf(text, sizeof text, "%u\tescaped", i % 7);
		assert_string(i, RECORD_SESSION_ID, text);
	}
	free(body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_each_event_of_an_array_is_a_record, setup),
	    cmocka_unit_test_setup(test_a_batch_that_is_no_array_is_refused, setup),
	    cmocka_unit_test_setup(test_an_event_that_is_no_object_is_refused, setup),
	    cmocka_unit_test_setup(test_syntax_errors_are_refused_with_their_position, setup),
	    cmocka_unit_test_setup(test_a_byte_order_mark_at_the_beginning_is_skipped, setup),
	    cmocka_unit_test_setup(test_a_body_that_ends_early_is_refused, setup),
	    cmocka_unit_test_setup(test_each_line_of_ndjson_is_a_record, setup),
	    cmocka_unit_test_setup(test_one_bad_event_refuses_the_whole_batch, setup),
	    cmocka_unit_test_setup(test_the_errors_of_all_events_are_reported, setup),
	    cmocka_unit_test_setup(test_more_events_than_allowed_are_refused, setup),
	    cmocka_unit_test_setup(test_an_event_larger_than_allowed_is_refused, setup),
	    cmocka_unit_test_setup(test_records_that_do_not_fit_are_not_written, setup),
	    cmocka_unit_test_setup(test_an_invalid_body_is_invalid_without_space_too, setup),
	    cmocka_unit_test_setup(test_deep_nesting_is_refused, setup),
	    cmocka_unit_test_setup(test_as_many_events_as_allowed_are_decoded, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
