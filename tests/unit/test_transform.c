/* What transforms make of events, byte for byte. test_rules.py has random transforms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "event/transform_apply.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define REMOVE(path) "{\"op\":\"remove_field\",\"field\":\"" path "\"}"
#define RENAME(from, to) "{\"op\":\"rename_field\",\"from\":\"" from "\",\"to\":\"" to "\"}"
#define ADD(path, value) "{\"op\":\"add_field\",\"field\":\"" path "\",\"value\":" value "}"
#define SET(path, value) "{\"op\":\"set_field\",\"field\":\"" path "\",\"value\":" value "}"

static const struct example {
	const char *transform, *event, *result;
} examples[] = {
    /* only the named members change */
    {SET("b", "2"), "{\"a\":1234567890123456789,\"b\":1e400,\"c\":-0,\"d\":1.10}",
	"{\"a\":1234567890123456789,\"b\":2,\"c\":-0,\"d\":1.10}"},
    {REMOVE("p.x"), " { \"k\\u0065y\" : [ 1 , 2 ] ,\n \"p\" : { \"x\" : 0 , \"y\" : 1 } } ",
	" { \"k\\u0065y\" : [ 1 , 2 ] ,\n \"p\" : { \"y\" : 1 } } "},
    {RENAME("b", "z"), "{ \"a\":1, \"b\" :2 ,\"c\":3}", "{ \"a\":1, \"z\" :2 ,\"c\":3}"},
    {"[" SET("a", "[ 1.0,  2 ]") "," ADD("x.y", "null") "]", "{\"a\":0}", "{\"a\":[ 1.0,  2 ],\"x\":{\"y\":null}}"},
    {"[]", " {\"a\" : 1}", " {\"a\" : 1}"},
    /* one member after the other is removed */
    {REMOVE("a"), "{\"a\":1,\"b\":2}", "{\"b\":2}"},
    {REMOVE("b"), "{\"a\":1,\"b\":2}", "{\"a\":1}"},
    {REMOVE("a"), "{ \"a\" : 1 }", "{}"},
    {"[" REMOVE("a") "," ADD("b", "1") "]", "{ \"a\" : 1 }", "{\"b\":1}"},
    {ADD("b", "1"), "{ }", "{\"b\":1}"},
    /* a field that does not exist, or is inside a value that is no object */
    {REMOVE("x"), "{ \"a\" : 1 }", "{ \"a\" : 1 }"},
    {RENAME("x", "a"), "{\"a\":1}", "{\"a\":1}"},
    {REMOVE("a.b"), "{\"a\":1}", "{\"a\":1}"},
    {SET("a.b", "1"), "{\"a\":[{}]}", "{\"a\":[{}]}"},
    {SET("a.0", "1"), "{\"a\":[{}]}", "{\"a\":[{}]}"},
    {SET("a.0.b", "1"), "{\"a\":[{}]}", "{\"a\":[{}]}"},
    {ADD("a.b", "1"), "{\"a\":null}", "{\"a\":null}"},
    {RENAME("a", "b.c"), "{\"a\":1,\"b\":\"text\"}", "{\"a\":1,\"b\":\"text\"}"},
    {"[" RENAME("a", "b.c") "," REMOVE("a") "]", "{\"a\":1,\"b\":\"text\"}", "{\"b\":\"text\"}"},
    {SET("a", "1"), "[1]", "[1]"},
    /* a member's name may be digits */
    {SET("a.0", "1"), "{\"a\":{\"0\":7}}", "{\"a\":{\"0\":1}}"},
    {ADD("a", "1"), "{\"a\":null}", "{\"a\":null}"},
    /* moving */
    {RENAME("a", "b.c"), "{\"a\":1.0,\"b\":{ }}", "{\"b\":{\"c\":1.0}}"},
    {RENAME("a.x", "b"), "{\"a\":{\"x\":{\"k\": 1}},\"b\":0}", "{\"a\":{},\"b\":{\"k\": 1}}"},
    {RENAME("a", "a.b"), "{\"a\":1}", "{\"a\":{\"b\":1}}"},
    {RENAME("a.b", "a"), "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":1}"},
    {RENAME("a", "b"), "{\"b\":1,\"a\":2}", "{\"b\":2}"},
    {RENAME("a", "a"), "{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}"},
    {"[" RENAME("a", "b") "," SET("b.x", "2") "," REMOVE("b.y") "]", "{\"a\":{\"x\":1,\"y\":1,\"z\":1}}",
	"{\"b\":{\"x\":2,\"z\":1}}"},
    {"[" SET("a", "{\"x\":{}}") "," SET("a.x.y", "1") "]", "{}", "{\"a\":{\"x\":{\"y\":1}}}"},
    /* of members with the same name the last one counts */
    {REMOVE("a"), "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2}"},
    {SET("a", "9"), "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":9}"},
    {SET("a.x", "9"), "{\"a\":{\"x\":1},\"a\":{\"x\":2}}", "{\"a\":{\"x\":1},\"a\":{\"x\":9}}"},
    {RENAME("a", "b"), "{\"a\":1,\"b\":2,\"a\":3,\"b\":4}", "{\"b\":3}"},
    /* names are compared without their escapes, and written as JSON */
    {REMOVE("a"), "{\"\\u0061\":1}", "{}"},
    {SET("\\u0062\\\"\\n", "1"), "{}", "{\"b\\\"\\u000a\":1}"},
    {RENAME("a", "\xc3\xa9"), "{\"a\":1}", "{\"\xc3\xa9\":1}"},
};

static void
test_transforms_change_events_as_documented(void **state)
{
	struct json_edit *edit = json_edit_new();

	for (size_t i = 0; i < COUNT(examples); i++) {
		struct transform transform;
		struct error err;
		struct span got;

		if (transform_parse(
			(struct span){examples[i].transform, strlen(examples[i].transform)}, &transform, &err) < 0)
			fail_msg("%s", err.text);
		got = transform_apply(&transform, (struct span){examples[i].event, strlen(examples[i].event)}, edit);
		if (got.len != strlen(examples[i].result) || memcmp(got.base, examples[i].result, got.len) != 0)
			fail_msg("%s of %s: %.*s", examples[i].transform, examples[i].event, (int)got.len, got.base);
		transform_free(&transform);
	}
	json_edit_free(edit);
}

/* The most that steps can add: paths of one-character names, each to an object of its own, moved into one another. */
static void
test_an_event_grows_by_no_more_than_the_stated_limit(void **state)
{
	static char text[RULE_BYTES_MAX + 1000];
	char *to = stpcpy(text, "[" SET("a0", "{}"));
	struct json_edit *edit = json_edit_new();
	struct transform transform;
	struct error err;
	struct span got;

	for (int i = 1; i < TRANSFORM_STEPS_MAX; i++) {
		to += sprintf(to, ",{\"op\":\"rename_field\",\"from\":\"a%d\",\"to\":\"a%d", i - 1, i);
		for (int j = 1; j < RULE_PATH_STEPS_MAX; j++)
			to = stpcpy(to, ".b");
		to = stpcpy(to, "\"}");
	}
	(void)stpcpy(to, "]");
	assert_int_equal(transform_parse((struct span){text, strlen(text)}, &transform, &err), 0);
	got = transform_apply(&transform, (struct span){"{}", 2}, edit);
	assert_in_range(got.len, 10000, 2 + TRANSFORM_GROWTH_MAX);
	assert_memory_equal(got.base, "{\"a63\":{\"b\":{\"b\":", 17);
	transform_free(&transform);
	json_edit_free(edit);
}

static void
test_a_large_event_is_scanned_once_for_all_steps(void **state)
{
	const size_t bytes = 1000000;
	char *event = malloc(bytes + 64), *end, steps[RULE_BYTES_MAX], *to = stpcpy(steps, "[" REMOVE("none"));
	struct json_edit *edit = json_edit_new();
	struct transform transform;
	struct timespec from, until;
	struct error err;
	struct span got;

	assert_non_null(event);
	for (end = stpcpy(event, "{"); (size_t)(end - event) < bytes;)
		end = stpcpy(end, "\"a\":1,\"b\":2,");
	(void)stpcpy(end, "\"c\":3}");
	for (int i = 1; i < TRANSFORM_STEPS_MAX; i++)
		to = stpcpy(to, i % 2 == 0 ? "," RENAME("a", "b") : "," RENAME("b", "a"));
	(void)stpcpy(to, "]");
	assert_int_equal(transform_parse((struct span){steps, strlen(steps)}, &transform, &err), 0);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	got = transform_apply(&transform, (struct span){event, strlen(event)}, edit);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &until);
	assert_int_equal(got.len, 13);
	assert_memory_equal(got.base, "{\"a\":2,\"c\":3}", 13);
	assert_true(until.tv_sec - from.tv_sec < 2);
	transform_free(&transform);
	json_edit_free(edit);
	free(event);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_transforms_change_events_as_documented),
	    cmocka_unit_test(test_an_event_grows_by_no_more_than_the_stated_limit),
	    cmocka_unit_test(test_a_large_event_is_scanned_once_for_all_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
