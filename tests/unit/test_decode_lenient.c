/* Lenient requests: good events are accepted, and each bad one is reported. */
#include "tests/unit/decode_fixture.h"

#define GOOD "{\"event_type\":\"t\",\"session_id\":\"s\"}"
#define NUMBER(n) "{\"event_type\":\"" #n "\",\"session_id\":\"s\"}"
#define BAD "{\"event_type\":\"t\"}"

static int
setup_lenient(void **state)
{
	(void)setup(state);
	env.lenient = true;
	return 0;
}

static void
assert_rejected(uint32_t fields, uint32_t json, uint32_t event_size)
{
	assert_int_equal(result.rejected[CAUSE_FIELDS], fields);
	assert_int_equal(result.rejected[CAUSE_JSON], json);
	assert_int_equal(result.rejected[CAUSE_EVENT_SIZE], event_size);
	assert_int_equal(result.rejected[CAUSE_BATCH_SIZE], 0);
}

static enum decode_status
decode_lenient(const char *body, enum body_kind kind)
{
	memset(arena, '#', sizeof arena);
	return decode_body(
	    (struct span){body, strlen(body)}, kind, &env, (struct decode_space){arena, sizeof arena}, &result);
}

static void
test_bad_events_of_an_array_are_left_out_and_reported(void **state)
{
	assert_int_equal(
	    decode_lenient("[" NUMBER(0) "," BAD "," NUMBER(2) ",5,{\"session_id\":1}," NUMBER(5) "]", BODY_ARRAY),
	    DECODE_OK);
	assert_int_equal(result.events, 3);
	assert_string(0, RECORD_EVENT_TYPE, "0");
	assert_string(1, RECORD_EVENT_TYPE, "2");
	assert_string(2, RECORD_EVENT_TYPE, "5");
	assert_int_equal(arena[result.bytes], '#');
	assert_rejected(3, 0, 0);
	assert_int_equal(result.error_count, 4);
	assert_int_equal(result.errors_found, 4);
	assert_error(0, "missing", "session_id", "Field required", 1);
	assert_error(
	    1, "model_attributes_type", NULL, "Input should be a valid dictionary or object to extract fields from", 3);
	assert_error(2, "missing", "event_type", "Field required", 4);
	assert_error(3, "string_type", "session_id", "Input should be a valid string", 4);
}

static void
test_a_request_without_bad_events_has_no_errors(void **state)
{
	assert_int_equal(decode_lenient("[" GOOD "," GOOD "]", BODY_ARRAY), DECODE_OK);
	assert_int_equal(result.events, 2);
	assert_int_equal(result.error_count, 0);
	assert_rejected(0, 0, 0);
	assert_int_equal(decode_lenient("[]", BODY_ARRAY), DECODE_OK);
	assert_int_equal(decode_lenient("", BODY_NDJSON), DECODE_OK);
	assert_int_equal(result.events, 0);
}

/* After an error in an array there is no telling where the next event begins. */
static void
test_broken_json_in_an_array_refuses_the_request(void **state)
{
	assert_int_equal(decode_lenient("[" GOOD "," BAD ",{\"event_type\":}," GOOD "]", BODY_ARRAY), DECODE_INVALID);
	assert_syntax_error("expected a value", 70, -1);
	assert_int_equal(result.errors_found, 1);
	assert_rejected(0, 0, 0);
	assert_int_equal(decode_lenient("[" GOOD "]x", BODY_ARRAY), DECODE_INVALID);
	assert_syntax_error("more than one value", 37, -1);
}

static void
test_a_line_that_is_no_json_is_left_out_alone(void **state)
{
	assert_int_equal(decode_lenient(NUMBER(0) "\n\nnonsense\n" NUMBER(2) " " NUMBER(3) "\n" NUMBER(
					    4) "\n"
					       "{\"event_type\":\"\xff\"}\n\xef\xbb\xbf" GOOD
					       "\n{\"event_type\":\"t\n" BAD "\n" NUMBER(9),
			     BODY_NDJSON),
	    DECODE_OK);
	assert_int_equal(result.events, 3);
	assert_string(0, RECORD_EVENT_TYPE, "0");
	assert_string(1, RECORD_EVENT_TYPE, "4");
	assert_string(2, RECORD_EVENT_TYPE, "9");
	assert_rejected(1, 5, 0);
	assert_int_equal(result.error_count, 6);
	assert_error(0, "json_invalid", NULL, "JSON decode error", 1);
	assert_string_equal(result.errors[0].reason, "expected a value");
	assert_true(result.errors[0].position == 37);
	assert_error(1, "json_invalid", NULL, "JSON decode error", 2);
	assert_string_equal(result.errors[1].reason, "more than one value");
	assert_error(2, "json_invalid", NULL, "JSON decode error", 4);
	assert_error(3, "json_invalid", NULL, "JSON decode error", 5);
	assert_string_equal(result.errors[3].reason, "byte order mark");
	assert_error(4, "json_invalid", NULL, "JSON decode error", 6);
	assert_error(5, "missing", "session_id", "Field required", 7);
}

static void
test_an_event_that_is_too_large_is_left_out_alone(void **state)
{
	env.max_event_bytes = 40;
	assert_int_equal(
	    decode_lenient("[" GOOD ",{\"event_type\":\"t\",\"session_id\":\"a longer one\"}," GOOD "]", BODY_ARRAY),
	    DECODE_OK);
	assert_int_equal(result.events, 2);
	assert_rejected(0, 0, 1);
	assert_error(0, "event_too_large", NULL, "Event is too large", 1);
	assert_int_equal(result.errors[0].limit, 40);
	assert_int_equal(
	    decode_lenient("{\"event_type\":\"t\",\"session_id\":\"a longer one\"}\n" GOOD, BODY_NDJSON), DECODE_OK);
	assert_int_equal(result.events, 1);
	assert_error(0, "event_too_large", NULL, "Event is too large", 0);
}

static void
test_a_request_without_good_events_is_refused(void **state)
{
	assert_int_equal(decode_lenient("[" BAD ",1]", BODY_ARRAY), DECODE_INVALID);
	assert_int_equal(result.events, 0);
	assert_int_equal(result.error_count, 2);
	assert_rejected(2, 0, 0);
	assert_int_equal(decode_lenient("x\ny\n", BODY_NDJSON), DECODE_INVALID);
	assert_rejected(0, 2, 0);
	assert_int_equal(decode_lenient(BAD, BODY_EVENT), DECODE_INVALID);
	assert_error(0, "missing", "session_id", "Field required", -1);
	assert_int_equal(decode_lenient("{", BODY_EVENT), DECODE_INVALID);
	assert_syntax_error("unexpected end", 1, -1);
	assert_int_equal(decode_lenient("{}", BODY_ARRAY), DECODE_INVALID);
	assert_error(0, "list_type", NULL, "Input should be a valid list", -1);
	env.max_event_bytes = 10;
	assert_int_equal(decode_lenient("[" GOOD "]", BODY_ARRAY), DECODE_INVALID);
	assert_rejected(0, 0, 1);
	assert_int_equal(decode_lenient(GOOD, BODY_EVENT), DECODE_TOO_LARGE);
}

/* Bad events count for the limit too. */
static void
test_too_many_events_refuse_the_request(void **state)
{
	env.max_events = 2;
	assert_int_equal(decode_lenient("[" GOOD "," BAD "," GOOD "]", BODY_ARRAY), DECODE_TOO_LARGE);
	assert_error(0, "too_many_events", NULL, "Too many events in one request", -1);
	assert_rejected(0, 0, 0);
	assert_int_equal(decode_lenient("x\nx\n" GOOD "\n", BODY_NDJSON), DECODE_TOO_LARGE);
	assert_int_equal(decode_lenient("x\n" GOOD "\n\n", BODY_NDJSON), DECODE_OK);
}

static void
test_the_first_errors_are_listed_and_all_are_counted(void **state)
{
	char body[16384] = "[" GOOD;

	for (int i = 0; i < 2 * DECODE_ERRORS_MAX; i++)
		strcat(body, ",{}");
	strcat(body, "]");
	assert_int_equal(decode_lenient(body, BODY_ARRAY), DECODE_OK);
	assert_int_equal(result.events, 1);
	assert_int_equal(result.error_count, DECODE_ERRORS_MAX);
	assert_int_equal(result.errors_found, 4 * DECODE_ERRORS_MAX);
	assert_rejected(2 * DECODE_ERRORS_MAX, 0, 0);
}

/* The good events need exactly that space. Without it no error is reported, because the request may be sent again. */
static void
test_good_events_without_space_are_sent_again(void **state)
{
	static const char body[] = "[" GOOD "," BAD "," GOOD "]";
	size_t needed;

	assert_int_equal(decode_lenient(body, BODY_ARRAY), DECODE_OK);
	needed = result.bytes;
	assert_int_equal(decode_body((struct span){body, strlen(body)}, BODY_ARRAY, &env,
			     (struct decode_space){arena, needed - 8}, &result),
	    DECODE_NO_SPACE);
	assert_int_equal(result.error_count, 0);
	assert_rejected(0, 0, 0);
	assert_int_equal(decode_body((struct span){body, strlen(body)}, BODY_ARRAY, &env,
			     (struct decode_space){arena, needed}, &result),
	    DECODE_OK);
	assert_int_equal(result.events, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_bad_events_of_an_array_are_left_out_and_reported, setup_lenient),
	    cmocka_unit_test_setup(test_a_request_without_bad_events_has_no_errors, setup_lenient),
	    cmocka_unit_test_setup(test_broken_json_in_an_array_refuses_the_request, setup_lenient),
	    cmocka_unit_test_setup(test_a_line_that_is_no_json_is_left_out_alone, setup_lenient),
	    cmocka_unit_test_setup(test_an_event_that_is_too_large_is_left_out_alone, setup_lenient),
	    cmocka_unit_test_setup(test_a_request_without_good_events_is_refused, setup_lenient),
	    cmocka_unit_test_setup(test_too_many_events_refuse_the_request, setup_lenient),
	    cmocka_unit_test_setup(test_the_first_errors_are_listed_and_all_are_counted, setup_lenient),
	    cmocka_unit_test_setup(test_good_events_without_space_are_sent_again, setup_lenient),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
