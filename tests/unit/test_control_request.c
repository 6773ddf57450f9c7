/* The input and output of control's handlers: the query of a request, answers, versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "control/query.h"
#include "control/request.h"

#define TEXT(literal) ((struct span){literal, sizeof(literal) - 1})

static const char *
value_of(struct span query, const char *name)
{
	static char out[QUERY_VALUE_BYTES];
	const struct request request = {.query = query};

	return query_value(&request, name, out) ? out : NULL;
}

static void
test_a_query_is_decoded(void **state)
{
	struct span query = TEXT("limit=5&cursor=a%2Db&na%6de=J+%C3%BCrgen&x&empty=&odd=100%&end=%4");

	assert_string_equal(value_of(query, "limit"), "5");
	assert_string_equal(value_of(query, "cursor"), "a-b");
	assert_string_equal(value_of(query, "name"), "J \xC3\xBCrgen");
	assert_string_equal(value_of(query, "odd"), "100%");
	assert_string_equal(value_of(query, "end"), "%4");
	assert_null(value_of(query, "x"));
	assert_null(value_of(query, "empty"));
	assert_null(value_of(query, "other"));
	assert_null(value_of((struct span){NULL, 0}, "limit"));
	assert_string_equal(value_of(TEXT("limit=&limit=5"), "limit"), "5");
	assert_string_equal(value_of(TEXT("limit&limit=5&limit="), "limit"), "5");
}

static void
test_a_query_with_a_value_that_is_no_text_is_refused_with_its_place(void **state)
{
	static char longest[600];
	char text[160];

	assert_true(query_is_readable(TEXT("a=1&b=%E2%82%AC&&=&c"), text, sizeof text));
	assert_false(query_is_readable(TEXT("a=1&name=%00"), text, sizeof text));
	assert_string_equal(text, "query: the value of name is not UTF-8, or holds a NUL");
	assert_false(query_is_readable(TEXT("name=%FF"), text, sizeof text));
	assert_false(query_is_readable(TEXT("a=1&\xC0\x80=1"), text, sizeof text));
	assert_string_equal(text, "query: the name of parameter 2 is not UTF-8, or holds a NUL");
	memset(longest, 'x', sizeof longest);
	memcpy(longest, "v=", 2);
	assert_true(query_is_readable((struct span){longest, 2 + QUERY_VALUE_BYTES - 1}, text, sizeof text));
	assert_false(query_is_readable((struct span){longest, 2 + QUERY_VALUE_BYTES}, text, sizeof text));
	assert_string_equal(text, "query: the value of v is too long");
	memset(longest, 'x', 63);
	memcpy(longest + 63, "\xC3\xA9=\xFF", 4);
	assert_false(query_is_readable((struct span){longest, 67}, text, sizeof text));
	assert_non_null(strstr(text, "xxx is not UTF-8"));
}

static void
test_a_parameter_has_one_value(void **state)
{
	char text[160], many[3 * QUERY_PARAMETERS_MAX + 4] = "";

	assert_true(query_is_readable(TEXT("a=1&b=1&a=&&a"), text, sizeof text));
	assert_false(query_is_readable(TEXT("a=1&b=1&%61=2"), text, sizeof text));
	assert_string_equal(text, "query: a is there twice");
	for (int i = 0; i < QUERY_PARAMETERS_MAX; i++)
		strcat(many, "a=&");
	assert_true(query_is_readable((struct span){many, strlen(many)}, text, sizeof text));
	strcat(many, "a=");
	assert_false(query_is_readable((struct span){many, strlen(many)}, text, sizeof text));
	assert_string_equal(text, "query: more than 50 parameters");
}

static void
number_is(struct span query, bool good, int64_t expected)
{
	const struct request request = {.query = query};
	struct reply reply = {0};
	int64_t number = 7;

	assert_int_equal(good, query_int(&request, "n", -5, 100, &number, &reply));
	assert_int_equal(expected, number);
	assert_int_equal(good ? 0 : 400, reply.status);
	bytes_free(&reply.body);
}

static void
test_a_number_of_a_query_is_in_its_range(void **state)
{
	number_is(TEXT(""), true, 7);
	number_is(TEXT("n="), true, 7);
	number_is(TEXT("n=100"), true, 100);
	number_is(TEXT("n=-5"), true, -5);
	number_is(TEXT("n=101"), false, 7);
	number_is(TEXT("n=-6"), false, 7);
	number_is(TEXT("n=1x"), false, 7);
	number_is(TEXT("n=+1"), false, 7);
	number_is(TEXT("n=%2B1"), false, 7);
	number_is(TEXT("n=-"), false, 7);
	number_is(TEXT("n=0x1"), false, 7);
	number_is(TEXT("n=99999999999999999999"), false, 7);
}

static void
test_an_error_has_code_detail_and_message(void **state)
{
	struct reply reply = {0};

	answer_error(&reply, 409, "conflict", "%s is taken", "\"t1\"");
	assert_int_equal(reply.status, 409);
	bytes_add(&reply.body, "", 1);
	assert_string_equal(reply.body.base,
	    "{\"error\":\"conflict\",\"detail\":\"\\\"t1\\\" is taken\",\"message\":\"\\\"t1\\\" is taken\"}");
	bytes_free(&reply.body);

	reply = (struct reply){0};
	answer_forbidden(&reply, "endpoints.write", "The key lacks a scope");
	assert_int_equal(reply.status, 403);
	bytes_add(&reply.body, "", 1);
	assert_non_null(strstr(reply.body.base, "\"required_scope\":\"endpoints.write\""));
	bytes_free(&reply.body);
}

static void
test_a_store_that_fails_is_503_and_its_connection_is_given_up(void **state)
{
	const struct error err = {.text = "password=secret"};
	struct reply reply = {0};

	answer_store_failed(&reply, -1, &err);
	assert_int_equal(reply.status, 503);
	assert_int_equal(reply.retry_after_seconds, 1);
	assert_true(reply.store_lost);
	bytes_add(&reply.body, "", 1);
	assert_non_null(strstr(reply.body.base, "\"store_unavailable\""));
	assert_null(strstr(reply.body.base, "secret"));
	bytes_free(&reply.body);
}

static void
test_if_match_names_the_version_or_the_answer_is_412(void **state)
{
	static const struct span fit[] = {{NULL, 0}, TEXT("\"7\""), TEXT("*"), TEXT("\"1\", \"7\""), TEXT(" \"7\"\t")};
	static const struct span unfit[] = {TEXT("\"8\""), TEXT("7"), TEXT("W/\"7\""), TEXT(""), TEXT("\"77\"")};
	struct reply reply = {0};

	for (size_t i = 0; i < sizeof fit / sizeof *fit; i++) {
		const struct request request = {.if_match = fit[i]};

		assert_true(request_matches_version(&request, 7, &reply));
		assert_int_equal(reply.status, 0);
	}
	for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++) {
		const struct request request = {.if_match = unfit[i]};

		assert_false(request_matches_version(&request, 7, &reply));
		assert_int_equal(reply.status, 412);
		bytes_free(&reply.body);
		reply = (struct reply){0};
	}
	reply_set_version(&reply, INT64_MAX);
	assert_string_equal(reply.etag, "\"9223372036854775807\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_query_is_decoded),
	    cmocka_unit_test(test_a_query_with_a_value_that_is_no_text_is_refused_with_its_place),
	    cmocka_unit_test(test_a_parameter_has_one_value),
	    cmocka_unit_test(test_a_number_of_a_query_is_in_its_range),
	    cmocka_unit_test(test_an_error_has_code_detail_and_message),
	    cmocka_unit_test(test_a_store_that_fails_is_503_and_its_connection_is_given_up),
	    cmocka_unit_test(test_if_match_names_the_version_or_the_answer_is_412),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
