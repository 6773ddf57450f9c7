/* What clients read about events that were refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "server/rejection.h"

static struct decode_result result;

/* Empties the result, and returns its first error, which has no position yet. */
static struct decode_error *
one_error(const char *type, const char *msg)
{
	result = (struct decode_result){.errors_found = 1, .error_count = 1};
	result.errors[0] = (struct decode_error){.type = type, .msg = msg, .index = -1, .position = -1};
	return &result.errors[0];
}

static void
check(cJSON *tree, const char *expected)
{
	char *text = cJSON_PrintUnformatted(tree);

	assert_string_equal(text, expected);
	cJSON_free(text);
	cJSON_Delete(tree);
}

static void
test_a_wrong_field_is_named_with_its_event(void **state)
{
	struct decode_error *error = one_error("missing", "Field required");

	error->index = 3;
	error->field = "session_id";
	check(rejection_of_request(&result, false),
	    "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\",3,\"session_id\"],\"msg\":\"Field required\"}]}");
}

static void
test_a_limit_is_named(void **state)
{
	struct decode_error *error = one_error("string_too_long", "Too long");

	error->field = "event_type";
	error->limit = 100;
	check(rejection_of_request(&result, false),
	    "{\"detail\":[{\"type\":\"string_too_long\",\"loc\":[\"body\",\"event_type\"],\"msg\":\"Too long\","
	    "\"ctx\":{\"max_length\":100}}]}");
}

static void
test_a_syntax_error_has_its_position(void **state)
{
	struct decode_error *error = one_error("json_invalid", "JSON decode error");

	error->position = 17;
	error->reason = "trailing comma";
	check(rejection_of_request(&result, false),
	    "{\"detail\":[{\"type\":\"json_invalid\",\"loc\":[\"body\",17],\"msg\":\"JSON decode error\","
	    "\"ctx\":{\"error\":\"trailing comma\"}}]}");
}

static void
test_places_in_a_lenient_request_are_event_numbers(void **state)
{
	struct decode_error *error = one_error("json_invalid", "JSON decode error");

	error->index = 2;
	error->position = 17;
	error->reason = "trailing comma";
	result.rejected[CAUSE_JSON] = 1;
	result.rejected[CAUSE_FIELDS] = 4;
	result.errors_found = 6;
	check(rejection_of_events(&result),
	    "{\"rejected\":5,\"errors\":[{\"type\":\"json_invalid\",\"loc\":[\"body\",2],\"msg\":\"JSON decode error\","
	    "\"ctx\":{\"error\":\"trailing comma\",\"position\":17}}],\"errors_left_out\":5}");
}

static void
test_an_unknown_field_has_its_name_without_escapes(void **state)
{
	struct decode_error *error = one_error("extra_forbidden", "Extra inputs are not permitted");
	cJSON *tree;
	const char *name;

	error->key = (struct span){"\"a\\u00e9\\n\"", 11};
	tree = rejection_of_request(&result, false);
	name = cJSON_GetArrayItem(
	    cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(tree, "detail"), 0), "loc"), 1)
		   ->valuestring;
	assert_string_equal(name, "a\xc3\xa9\n");
	cJSON_Delete(tree);
}

static void
test_a_limit_of_size_names_the_event_and_the_option(void **state)
{
	char text[REJECTION_TEXT_BYTES];
	struct decode_error *error = one_error("too_many_events", "Too many events");

	error->limit = 1000;
	rejection_of_size(error, "MAX_EVENT_BYTES", text);
	assert_string_equal(text, "Too many events: at most 1000 (MAX_BATCH_EVENTS)");
	error = one_error("event_too_large", "Event too large");
	error->limit = 64;
	rejection_of_size(error, "MAX_EVENT_BYTES", text);
	assert_string_equal(text, "Event too large: at most 64 (MAX_EVENT_BYTES)");
	error->index = 7;
	rejection_of_size(error, "MAX_EVENT_BYTES", text);
	assert_string_equal(text, "Event too large: event 7 has more than 64 bytes (MAX_EVENT_BYTES)");
}

static void
test_published_events_are_refused_by_a_sentence_and_a_list(void **state)
{
	struct decode_error *error = one_error("missing", "Field required");

	error->index = 3;
	error->field = "topic";
	check(rejection_of_published(&result, false),
	    "{\"error\":\"validation_error\",\"detail\":\"event 3: topic: Field required\","
	    "\"message\":\"event 3: topic: Field required\","
	    "\"errors\":[{\"type\":\"missing\",\"loc\":[\"body\",3,\"topic\"],\"msg\":\"Field required\"}]}");
	error = one_error("json_invalid", "JSON decode error");
	error->cause = CAUSE_JSON;
	error->position = 17;
	error->reason = "trailing comma";
	check(rejection_of_published(&result, false),
	    "{\"error\":\"invalid_json\",\"detail\":\"malformed JSON at byte 17: trailing comma\","
	    "\"message\":\"malformed JSON at byte 17: trailing comma\","
	    "\"errors\":[{\"type\":\"json_invalid\",\"loc\":[\"body\",17],\"msg\":\"JSON decode error\","
	    "\"ctx\":{\"error\":\"trailing comma\"}}]}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_wrong_field_is_named_with_its_event),
	    cmocka_unit_test(test_a_limit_is_named),
	    cmocka_unit_test(test_a_syntax_error_has_its_position),
	    cmocka_unit_test(test_places_in_a_lenient_request_are_event_numbers),
	    cmocka_unit_test(test_an_unknown_field_has_its_name_without_escapes),
	    cmocka_unit_test(test_a_limit_of_size_names_the_event_and_the_option),
	    cmocka_unit_test(test_published_events_are_refused_by_a_sentence_and_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
