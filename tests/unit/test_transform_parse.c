/* Which documents are transforms, and where other documents are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "event/transform.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const good[] = {
    "[]",
    "{\"op\":\"remove_field\",\"field\":\"payload.a\"}",
    "[{\"op\":\"rename_field\",\"from\":\"a\",\"to\":\"b.c\"},{\"op\":\"add_field\",\"field\":\"a\",\"value\":null}]",
    "[{\"type\":\"set_field\",\"path\":\"a\",\"value\":{\"x\":1e400}}]",
    "[{\"rename_field\":{\"from\":\"a\",\"to\":\"b\"}},{\"remove_field\":{\"path\":\"x\"}}]",
    " { \"set_field\" : { \"value\" : [ 1 ] , \"field\" : \"a\" } } ",
};

static const struct refusal {
	const char *text;
	const char *sentence;
} bad[] = {
    {"", "transform, byte 0: there is no value"},
    {"[", "transform, byte 1: unexpected end"},
    {"7", "transform, byte 0: this is not a list of steps"},
    {"[7]", "transform[0], byte 1: this is not an object"},
    {"[{}]", "transform[0], byte 1: a step has op: rename_field, remove_field, add_field or set_field"},
    {"[{\"field\":\"a\"}]", "transform[0], byte 1: a step has op: rename_field, remove_field, add_field or set_field"},
    {"[{\"op\":\"drop\",\"field\":\"a\"}]",
	"transform[0].op, byte 7: a step is rename_field, remove_field, add_field or set_field"},
    {"[{\"type\":1,\"field\":\"a\"}]",
	"transform[0].type, byte 9: a step is rename_field, remove_field, add_field or set_field"},
    {"{\"op\":\"remove_field\",\"type\":\"remove_field\",\"field\":\"a\"}",
	"transform, byte 28: op and type are the same"},
    {"{\"remove_field\":{\"field\":\"a\"},\"set_field\":{}}",
	"transform, byte 42: a step does one thing, not both remove_field and set_field"},
    {"{\"op\":\"add_field\",\"set_field\":{}}",
	"transform, byte 30: a step does one thing, not both add_field and set_field"},
    {"{\"remove_field\":{},\"field\":\"a\"}", "transform, byte 0: the members of remove_field stand within it"},
    {"{\"remove_field\":\"a\"}", "transform.remove_field, byte 16: this is not an object"},
    {"{\"remove_field\":{\"op\":\"x\"}}", "transform.remove_field, byte 22: op does not go with remove_field"},
    {"{\"remove_field\":{}}", "transform.remove_field, byte 16: remove_field needs field"},
    {"{\"op\":\"remove_field\",\"field\":\"a\",\"path\":\"a\"}", "transform, byte 40: field and path are the same"},
    {"{\"op\":\"remove_field\",\"field\":\"a\",\"value\":1}",
	"transform, byte 41: value does not go with remove_field"},
    {"{\"op\":\"rename_field\",\"path\":\"a\",\"to\":\"b\"}", "transform, byte 0: rename_field needs from"},
    {"{\"op\":\"rename_field\",\"from\":\"a\",\"to\":\"b\",\"field\":\"c\"}",
	"transform, byte 49: field does not go with rename_field"},
    {"{\"op\":\"set_field\",\"field\":\"a\"}", "transform, byte 0: set_field needs value"},
    {"[{\"op\":\"remove_field\",\"field\":\"a.\"}]", "transform[0].field, byte 30: the path has an empty step"},
    {"[{\"op\":\"remove_field\",\"path\":9}]",
	"transform[0].path, byte 29: a path is a string, as in \"payload.order.0.id\""},
    {"{\"op\":\"remove_field\",\"field\":\"a\",\"if\":1}", "transform, byte 33: a member of this name is not defined"},
};

static struct span
text_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

static void
test_transforms_are_accepted(void **state)
{
	for (size_t i = 0; i < COUNT(good); i++) {
		struct error err = {""};

		if (transform_check(text_of(good[i]), &err) != 0)
			fail_msg("%s: %s", good[i], err.text);
	}
}

static void
test_other_documents_are_refused_with_the_place(void **state)
{
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct error err = {""};

		assert_int_equal(transform_check(text_of(bad[i].text), &err), -1);
		assert_string_equal(err.text, bad[i].sentence);
	}
}

static char *
repeat(char *to, const char *text, size_t times)
{
	for (size_t i = 0; i < times; i++)
		to = stpcpy(to, text);
	return to;
}

static void
test_steps_and_values_are_limited(void **state)
{
	static char text[200000];
	struct error err;

	for (size_t depth = 31; depth < 35; depth++) {
		char *end = stpcpy(text, "{\"op\":\"set_field\",\"field\":\"a\",\"value\":");

		(void)stpcpy(repeat(repeat(end, "[", depth), "]", depth), "}");
		assert_int_equal(transform_check(text_of(text), &err), depth <= TRANSFORM_VALUE_DEPTH_MAX ? 0 : -1);
	}
	assert_string_equal(err.text, "transform.value, byte 70: the value is nested deeper than 32");
	for (size_t steps = TRANSFORM_STEPS_MAX; steps <= TRANSFORM_STEPS_MAX + 1; steps++) {
		char *end = stpcpy(text, "[{\"op\":\"remove_field\",\"field\":\"a\"}");

		(void)stpcpy(repeat(end, ",{\"op\":\"remove_field\",\"field\":\"a\"}", steps - 1), "]");
		assert_int_equal(transform_check(text_of(text), &err), steps == TRANSFORM_STEPS_MAX ? 0 : -1);
	}
	assert_non_null(strstr(err.text, "transform[64], byte "));
	assert_non_null(strstr(err.text, ": more than 64 steps"));
	(void)repeat(text, " ", RULE_BYTES_MAX + 1);
	assert_int_equal(transform_check(text_of(text), &err), -1);
	assert_string_equal(err.text, "transform, byte 16384: more than 16384 bytes");
}

/* Each name has one number, however often and however it is spelt. */
static void
test_paths_become_numbers_of_names(void **state)
{
	struct transform transform;
	struct error err;

	assert_int_equal(transform_parse(text_of("[{\"op\":\"rename_field\",\"from\":\"a.b\",\"to\":\"b.\\u0061\"},"
						 "{\"op\":\"set_field\",\"field\":\"b\",\"value\": [1.10 ]}]"),
			     &transform, &err),
	    0);
	assert_int_equal(transform.step_count, 2);
	assert_int_equal(transform.names.count, 2);
	assert_int_equal(transform.path_name_count, 5);
	for (uint32_t i = 0; i < 5; i++) /* a.b, b.a, b */
		assert_int_equal(transform.path_names[i], "01101"[i] - '0');
	assert_int_equal(transform.steps[1].value.len, 7);
	assert_memory_equal(transform.text.base + transform.steps[1].value.at, "[1.10 ]", 7);
	transform_free(&transform);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_transforms_are_accepted),
	    cmocka_unit_test(test_other_documents_are_refused_with_the_place),
	    cmocka_unit_test(test_steps_and_values_are_limited),
	    cmocka_unit_test(test_paths_become_numbers_of_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
