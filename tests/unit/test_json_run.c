/*
 * Where a run of plain string characters ends. Each implementation is compared with the definition, in memory of
 * exactly the text's size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>

#include "base/json_run.h"
#include "tests/unit/lane_fixture.h"

#define LONGEST 80

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* A run from each place in the text has every alignment and every length. */
static void
require_ends(const char *text, size_t len)
{
	char *exact = malloc(len > 0 ? len : 1);
	size_t stop = len;

	assert_non_null(exact);
	memcpy(exact, text, len);
	for (size_t at = len + 1; at-- > 0;) {
		if (at < len && !is_plain((unsigned char)exact[at]))
			stop = at;
		assert_ptr_equal(json_run_end(exact + at, exact + len), exact + stop);
		assert_ptr_equal(json_run_end_words(exact + at, exact + len), exact + stop);
	}
	free(exact);
}

static void
test_each_byte_ends_a_run_as_defined(void **state)
{
	char text[LONGEST];

	memset(text, 'a', sizeof text);
	for (int byte = 0; byte < 256; byte++)
		for (size_t at = 0; at < sizeof text; at++) {
			text[at] = (char)byte;
			require_ends(text, at + 1);
			require_ends(text, sizeof text);
			text[at] = 'a';
		}
	for (size_t len = 0; len <= sizeof text; len++)
		require_ends(text, len);
}

/* Bytes at the limits and next to them show a carry into the neighbour within a word or a vector. */
static void
test_the_end_of_a_run_does_not_depend_on_its_neighbours(void **state)
{
	static const char bytes[] = {
	    0, 1, 0x1f, ' ', '!', '"', '#', '[', '\\', ']', '~', 0x7f, '\x80', '\x81', '\xa0', '\xa2', '\xdc', '\xff'};
	struct dice dice = {seed_for("test_plain")};
	char text[LONGEST];

	for (int round = 0; round < 20000; round++) {
		size_t len = dice_below(&dice, sizeof text + 1);

		for (size_t i = 0; i < len; i++)
			text[i] = dice_below(&dice, 4) > 0 ? 'a' : bytes[dice_below(&dice, sizeof bytes)];
		require_ends(text, len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_byte_ends_a_run_as_defined),
	    cmocka_unit_test(test_the_end_of_a_run_does_not_depend_on_its_neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
