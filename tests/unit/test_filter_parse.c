/* Which documents are filters, and where other documents are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/filter.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const good[] = {
    "{\"eq\":\"payload.x.0.y\",\"value\":1}",
    " { \"value\" : { \"a\" : [ 1 , null ] } , \"eq\" : \"payload\" } ",
    "{\"neq\":\"a\",\"value\":null}",
    "{\"gt\":\"a\",\"value\":\"2026-01-01\"}",
    "{\"lte\":\"a\",\"value\":1e400}",
    "{\"contains\":\"a\",\"value\":false}",
    "{\"exists\":\"a\"}",
    "{\"exists\":\"a\",\"value\":false}",
    "{\"and\":[]}",
    "{\"or\":[{\"exists\":\"a\"},{\"not\":{\"exists\":\"b\"}}]}",
    "{\"not\":[{\"exists\":\"a\"}]}",
    "{\"op\":\"gt\",\"path\":\"a\",\"value\":-0}",
    "{\"op\":\"and\",\"conditions\":[]}",
    "{\"op\":\"not\",\"conditions\":{\"op\":\"exists\",\"path\":\"a\"}}",
    "{\"\\u0065q\":\"a\",\"value\":\"\\ud800\"}",
};

static const struct refusal {
	const char *text;
	const char *sentence;
} bad[] = {
    {"", "filter, byte 0: there is no value"},
    {"{\"eq\":\"a\",\"value\":1", "filter, byte 19: unexpected end"},
    {"{\"eq\":\"a\",\"value\":NaN}", "filter, byte 18: NaN and Infinity are taken only inside data"},
    {"[]", "filter, byte 0: this is not an object"},
    {"null", "filter, byte 0: this is not an object"},
    {"{}", "filter, byte 0: the condition has no operator"},
    {"{\"value\":1}", "filter, byte 0: the condition has no operator"},
    {"{\"eq\":\"a\"}", "filter, byte 6: eq needs a value"},
    {"{\"equals\":\"a\",\"value\":1}", "filter, byte 1: a member of this name is not defined"},
    {"{\"eq\":\"a\",\"value\":1,\"value\":2}", "filter, byte 20: value is given twice"},
    {"{\"eq\":\"a\",\"gt\":\"a\",\"value\":1}", "filter, byte 15: a condition has one operator, not both eq and gt"},
    {"{\"op\":\"eq\",\"eq\":\"a\",\"value\":1}", "filter, byte 16: eq does not go with op"},
    {"{\"op\":\"like\",\"path\":\"a\",\"value\":1}", "filter.op, byte 6: this operator is not defined"},
    {"{\"op\":7,\"path\":\"a\",\"value\":1}", "filter.op, byte 6: this operator is not defined"},
    {"{\"op\":\"eq\",\"value\":1}", "filter, byte 0: eq needs path"},
    {"{\"op\":\"or\",\"path\":\"a\"}", "filter, byte 18: path does not go with or"},
    {"{\"and\":[],\"value\":1}", "filter, byte 18: value does not go with and"},
    {"{\"eq\":\"a\",\"path\":\"b\",\"value\":1}", "filter, byte 17: path does not go with eq"},
    {"{\"and\":1}", "filter.and, byte 7: this is not a list of conditions"},
    {"{\"not\":[]}", "filter.not, byte 7: not takes one condition"},
    {"{\"and\":[{\"exists\":\"a\"},{\"or\":[{\"eq\":\"\",\"value\":1}]}]}",
	"filter.and[1].or[0].eq, byte 36: the path has an empty step"},
    {"{\"eq\":1,\"value\":1}", "filter.eq, byte 6: a path is a string, as in \"payload.order.0.id\""},
    {"{\"eq\":\"a..b\",\"value\":1}", "filter.eq, byte 6: the path has an empty step"},
    {"{\"eq\":\"a\\u0000\",\"value\":1}", "filter.eq, byte 6: the path holds a NUL or half a surrogate pair"},
    {"{\"gt\":\"a\",\"value\":true}",
	"filter.value, byte 18: the value of gt, gte, lt and lte is a number or a string"},
    {"{\"contains\":\"a\",\"value\":[]}",
	"filter.value, byte 24: the value of contains is a string, a number, a boolean or null"},
    {"{\"exists\":\"a\",\"value\":1}", "filter.value, byte 22: the value of exists is true or false"},
    {"{\"eq\":\"a\",\"value\":[{\"k\":1,\"k\":2}]}", "filter.value, byte 26: the member is given twice"},
};

static struct span
text_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

static void
test_filters_are_accepted(void **state)
{
	for (size_t i = 0; i < COUNT(good); i++) {
		struct error err = {""};

		if (filter_check(text_of(good[i]), &err) != 0)
			fail_msg("%s: %s", good[i], err.text);
	}
}

static void
test_other_documents_are_refused_with_the_place(void **state)
{
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct error err = {""};

		assert_int_equal(filter_check(text_of(bad[i].text), &err), -1);
		assert_string_equal(err.text, bad[i].sentence);
	}
}

/* Writes the text `times` times. Returns the end. */
static char *
repeat(char *to, const char *text, size_t times)
{
	for (size_t i = 0; i < times; i++)
		to = stpcpy(to, text);
	return to;
}

static void
expect_refusal(const char *text, const char *sentence)
{
	struct error err = {""};

	assert_int_equal(filter_check(text_of(text), &err), -1);
	assert_non_null(strstr(err.text, sentence));
}

static void
test_depth_is_bounded(void **state)
{
	static char text[200000];
	struct error err;

	for (size_t depth = 1; depth < 40; depth++) {
		(void)repeat(stpcpy(repeat(text, "{\"not\":", depth - 1), "{\"exists\":\"a\"}"), "}", depth - 1);
		assert_int_equal(filter_check(text_of(text), &err), depth <= FILTER_DEPTH_MAX ? 0 : -1);
		(void)stpcpy(repeat(repeat(stpcpy(text, "{\"eq\":\"a\",\"value\":"), "[", depth), "]", depth), "}");
		assert_int_equal(filter_check(text_of(text), &err), depth <= FILTER_DEPTH_MAX ? 0 : -1);
	}
	(void)repeat(text, "[", 10000);
	expect_refusal(text, "nested too deep");
	(void)repeat(text, "{\"not\":", 10000);
	expect_refusal(text, "filter, byte 16384: more than 16384 bytes");
}

static void
test_the_number_of_conditions_is_bounded(void **state)
{
	static char text[200000];
	char *end;
	struct error err;

	end = repeat(stpcpy(text, "{\"and\":[{\"exists\":\"a\"}"), ",{\"exists\":\"a\"}", FILTER_NODES_MAX - 2);
	(void)stpcpy(end, "]}");
	assert_int_equal(filter_check(text_of(text), &err), 0);
	(void)stpcpy(end, ",{\"exists\":\"a\"}]}");
	expect_refusal(text, "filter.and[255], byte ");
	expect_refusal(text, "more than 256 conditions, values within lists and objects counted");
	end = repeat(stpcpy(text, "{\"eq\":\"a\",\"value\":[0"), ",0", 1000);
	(void)stpcpy(end, "]}");
	expect_refusal(text, "more than 256 conditions, values within lists and objects counted");
}

static void
test_the_length_of_paths_and_numbers_is_bounded(void **state)
{
	static char text[20000];
	struct error err;

	(void)stpcpy(repeat(stpcpy(text, "{\"exists\":\"a"), ".0", RULE_PATH_STEPS_MAX - 1), "\"}");
	assert_int_equal(filter_check(text_of(text), &err), 0);
	(void)stpcpy(repeat(stpcpy(text, "{\"exists\":\"a"), ".0", RULE_PATH_STEPS_MAX), "\"}");
	expect_refusal(text, "filter.exists, byte 10: the path has more than 32 steps");
	(void)stpcpy(repeat(stpcpy(text, "{\"exists\":\""), "x", RULE_PATH_BYTES_MAX), "\"}");
	assert_int_equal(filter_check(text_of(text), &err), 0);
	(void)stpcpy(repeat(stpcpy(text, "{\"exists\":\""), "x", RULE_PATH_BYTES_MAX + 1), "\"}");
	expect_refusal(text, "filter.exists, byte 10: the path has more than 1024 bytes");
	(void)stpcpy(repeat(stpcpy(text, "{\"eq\":\"a\",\"value\":"), "1", JSON_NUMBER_CHARS_MAX), "}");
	assert_int_equal(filter_check(text_of(text), &err), 0);
	(void)stpcpy(repeat(stpcpy(text, "{\"eq\":\"a\",\"value\":"), "1", JSON_NUMBER_CHARS_MAX + 1), "}");
	expect_refusal(text, "filter.value, byte 18: the number has more than 1000 characters");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_filters_are_accepted),
	    cmocka_unit_test(test_other_documents_are_refused_with_the_place),
	    cmocka_unit_test(test_depth_is_bounded),
	    cmocka_unit_test(test_the_number_of_conditions_is_bounded),
	    cmocka_unit_test(test_the_length_of_paths_and_numbers_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
