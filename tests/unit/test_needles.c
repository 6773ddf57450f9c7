/* The search for many values at once finds the same as a search for each of them alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "event/needles.h"
#include "tests/unit/lane_fixture.h"

#define NEEDLES_MAX 12

static struct json
string_of(const char *text, size_t len, bool escapes)
{
	return (struct json){.type = JSON_STRING, .text = text, .len = len, .escapes = escapes};
}

/* Writes len characters, a or b, and ends the string. */
static void
make_plain(struct dice *dice, char *to, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		to[i] = dice_below(dice, 3) == 0 ? 'b' : 'a';
	to[len] = '\0';
}

static void
test_each_string_in_the_text_is_found(void **state)
{
	struct dice dice = {seed_for("needles")};
	unsigned found = 0, missed = 0;

	for (unsigned round = 0; round < 20000; round++) {
		uint32_t count = 1 + dice_below(&dice, NEEDLES_MAX), len = dice_below(&dice, 40);
		char texts[NEEDLES_MAX][8], plain[48], quoted[64], escaped[8 * 48], *to = escaped;
		struct needle values[NEEDLES_MAX];
		uint64_t hits[NEEDLES_MAX + 3] = {0};
		struct needles *needles;
		struct json string;

		for (uint32_t i = 0; i < count; i++) {
			make_plain(&dice, texts[i], dice_below(&dice, 7));
			values[i] = (struct needle){.type = JSON_STRING, .string = {texts[i], strlen(texts[i])}};
		}
		make_plain(&dice, plain, len);
		(void)snprintf(quoted, sizeof quoted, "\"%s\"", plain);
		to = stpcpy(to, "\"");
		for (uint32_t i = 0; i < len; i++)
			to += sprintf(to, dice_below(&dice, 2) == 0 ? "%c" : "\\u%04x", plain[i]);
		(void)stpcpy(to, "\"");

		needles = needles_new(values, count);
		for (uint64_t turn = 1; turn <= 2; turn++) {
			string =
			    turn == 1 ? string_of(quoted, len + 2, false) : string_of(escaped, strlen(escaped), true);
			needles_search(needles, &string, hits, turn);
			for (uint32_t i = 0; i < count; i++) {
				bool there = strstr(plain, texts[i]) != NULL;

				assert_in_range(values[i].hit, 0, needles_hits(needles) - 1);
				if ((hits[values[i].hit] == turn) != there)
					fail_msg("%s in %s", texts[i], plain);
				found += there;
				missed += !there;
			}
		}
		needles_free(needles);
	}
	assert_true(found > 10000 && missed > 10000);
}

static void
test_elements_are_found_by_value(void **state)
{
	static char scratch[RULE_BYTES_MAX];
	struct needle values[] = {
	    {.type = JSON_NUMBER, .number = 1},
	    {.type = JSON_STRING, .string = {"1", 1}},
	    {.type = JSON_NULL},
	    {.type = JSON_NUMBER, .number = 9223372036854775807},
	    {.type = JSON_NUMBER, .number = 1.0L},
	};
	static const struct {
		enum json_type type;
		bool escapes;
		const char *text;
		int value; /* the index of its value above, or -1 */
	} elements[] = {
	    {JSON_NUMBER, false, "1", 0},
	    {JSON_NUMBER, false, "10e-1", 0},
	    {JSON_NUMBER, false, "2", -1},
	    {JSON_NUMBER, false, "9223372036854775807", 3},
	    {JSON_NUMBER, false, "9223372036854775808", -1},
	    {JSON_STRING, false, "\"1\"", 1},
	    {JSON_STRING, true, "\"\\u0031\"", 1},
	    {JSON_STRING, false, "\"\"", -1},
	    {JSON_NULL, false, "null", 2},
	    {JSON_BOOLEAN, false, "true", -1},
	    {JSON_BOOLEAN, false, "false", -1},
	    {JSON_ARRAY, false, "[1]", -1},
	};
	struct needles *needles = needles_new(values, 5);

	assert_int_equal(values[0].hit, values[4].hit);
	for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
		struct json json = {.type = elements[i].type,
		    .text = elements[i].text,
		    .len = strlen(elements[i].text),
		    .escapes = elements[i].escapes};
		uint32_t hit = needles_find(needles, &json, scratch);

		assert_int_equal(hit, elements[i].value < 0 ? NEEDLE_NONE : values[elements[i].value].hit);
	}
	needles_free(needles);
}

/* A plain search would begin again at each byte. Here each byte is read only once. */
static void
test_strings_that_nearly_match_are_read_in_one_pass(void **state)
{
	const size_t bytes = 500000;
	char *text = malloc(bytes), *needle = malloc(RULE_BYTES_MAX);
	struct needle value = {.type = JSON_STRING, .string = {needle, RULE_BYTES_MAX}};
	struct needles *needles;
	struct json string = string_of(text, bytes, false);
	struct timespec from, to;
	uint64_t hits[4] = {0};

	assert_true(text != NULL && needle != NULL);
	memset(text, 'a', bytes);
	memset(needle, 'a', RULE_BYTES_MAX);
	needle[RULE_BYTES_MAX - 1] = 'b';
	needles = needles_new(&value, 1);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	needles_search(needles, &string, hits, 1);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	assert_int_equal(hits[value.hit], 0);
	/* Byte by byte it would take 8,000,000,000 steps. */
	assert_true(to.tv_sec - from.tv_sec < 2);
	needles_free(needles);
	free(text);
	free(needle);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_string_in_the_text_is_found),
	    cmocka_unit_test(test_elements_are_found_by_value),
	    cmocka_unit_test(test_strings_that_nearly_match_are_read_in_one_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
