/* UTF-8: every code point, and byte sequences that are no character. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

static size_t
encode(uint32_t c, char out[4])
{
	size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char first[] = {0, 0x00, 0xc0, 0xe0, 0xf0};

	for (size_t i = len - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (char)(first[len] | c);
	return len;
}

static void
test_every_code_point_is_a_character(void **state)
{
	for (uint32_t c = 0; c < 0x120000; c++) {
		bool valid = c < 0x110000 && !(c >= 0xd800 && c < 0xe000);
		char bytes[4];
		size_t len = encode(c, bytes);

		if (utf8_length(bytes, len) != (valid ? len : 0))
			fail_msg("U+%04X", c);
		if (len > 1 && utf8_length(bytes, len - 1) != 0)
			fail_msg("U+%04X without its last byte", c);
	}
}

static void
test_other_bytes_are_no_character(void **state)
{
	static const char *const broken[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf",
	    "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xc3(", "\xe2\x82(", "\xf0\x9f\x98(", "\xf5\x80\x80\x80", "\xfe",
	    "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98"};

	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
		assert_int_equal(utf8_length(broken[i], strlen(broken[i])), 0);
	assert_int_equal(utf8_length("x", 0), 0);
	assert_int_equal(utf8_length("\xc3\xa9x", 3), 2);
}

static void
test_characters_that_control_a_terminal_are_recognised(void **state)
{
	for (uint32_t c = 0; c < 0x110000; c++) {
		bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
		char bytes[4];

		if (utf8_is_control(bytes, encode(c, bytes)) != control)
			fail_msg("U+%04X", c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_code_point_is_a_character),
	    cmocka_unit_test(test_other_bytes_are_no_character),
	    cmocka_unit_test(test_characters_that_control_a_terminal_are_recognised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
