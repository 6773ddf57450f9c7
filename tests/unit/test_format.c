/* Strings as JSON: which characters are escaped and how, and that another parser reads the same string back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "tests/unit/lane_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The text as a JSON string with a NUL, in memory of exactly the promised size. Release it with free(). */
static char *
json_of(const char *text, size_t len)
{
	char *exact = malloc(format_json_max(len)), *terminated, *end;

	assert_non_null(exact);
	end = format_json_string(exact, text, len);
	assert_true(end <= exact + format_json_max(len));
	terminated = calloc((size_t)(end - exact) + 1, 1);
	assert_non_null(terminated);
	memcpy(terminated, exact, (size_t)(end - exact));
	free(exact);
	return terminated;
}

static void
test_characters_are_escaped_as_json_wants(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
	    {"", "\"\""},
	    {"plain", "\"plain\""},
	    {"\"", "\"\\\"\""},
	    {"a\\b", "\"a\\\\b\""},
	    {"\n\r\t", "\"\\n\\r\\t\""},
	    {"\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\""},
	    {"more than sixteen bytes, then \"this\"", "\"more than sixteen bytes, then \\\"this\\\"\""},
	    {"\xc3\xa9\xf0\x9f\x98\x80 / \xe3\x81\x82", "\"\xc3\xa9\xf0\x9f\x98\x80 / \xe3\x81\x82\""},
	};
	char *json = json_of("a\0b", 3);

	assert_string_equal(json, "\"a\\u0000b\"");
	free(json);
	for (size_t i = 0; i < COUNT(cases); i++) {
		json = json_of(cases[i].text, strlen(cases[i].text));
		assert_string_equal(json, cases[i].json);
		free(json);
	}
}

static void
test_another_parser_reads_the_same_string(void **state)
{
	static const char *const pieces[] = {
	    "a", "plain text", "\"", "\\", "\n", "\x01", "\x1f", "\x7f", "\xc3\xa9", "\xf0\x9f\x98\x80"};
	struct dice dice = {seed_for("test_format")};

	for (int round = 0; round < 2000; round++) {
		char text[256] = "", *end = text, *json;
		cJSON *value;

		for (uint32_t i = dice_below(&dice, 24); i > 0; i--)
			end = stpcpy(end, pieces[dice_below(&dice, COUNT(pieces))]);
		json = json_of(text, (size_t)(end - text));
		value = cJSON_Parse(json);
		assert_non_null(value);
		assert_string_equal(cJSON_GetStringValue(value), text);
		cJSON_Delete(value);
		free(json);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_characters_are_escaped_as_json_wants),
	    cmocka_unit_test(test_another_parser_reads_the_same_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
