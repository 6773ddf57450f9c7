/* Escapes that jsonb cannot hold, and text that resembles them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "store/postgres/jsonb_text.h"

#define U "\\u"

static void
test_escapes_that_jsonb_cannot_hold_are_replaced(void **state)
{
	static const struct {
		const char *text, *cleaned;
	} cases[] = {
	    {"", ""},
	    {"{}", "{}"},
	    {"plain text", "plain text"},
	    {U "0000", U "fffd"},
	    {U "0000" U "0000", U "fffd" U "fffd"},
	    {"a" U "0000b", "a" U "fffdb"},
	    {U "0001" U "0041" U "00e9" U "fffd", U "0001" U "0041" U "00e9" U "fffd"},
	    {U "d7ff" U "e000", U "d7ff" U "e000"},
	    /* surrogates: pairs stay, whatever the case of their digits */
	    {U "d83d" U "de00", U "d83d" U "de00"},
	    {U "D83D" U "DE00", U "D83D" U "DE00"},
	    {U "d800" U "dc00" U "dbff" U "dfff", U "d800" U "dc00" U "dbff" U "dfff"},
	    {U "d83d", U "fffd"},
	    {U "DBFF", U "fffd"},
	    {U "de00", U "fffd"},
	    {U "dFfF", U "fffd"},
	    {U "d83dx" U "de00", U "fffdx" U "fffd"},
	    {U "d83d\\n", U "fffd\\n"},
	    {U "d83d\\\\", U "fffd\\\\"},
	    {U "d83d" U "0041", U "fffd" U "0041"},
	    {U "d83d" U "0000", U "fffd" U "fffd"},
	    {U "d83d" U "d83d" U "de00", U "fffd" U "d83d" U "de00"},
	    {U "de00" U "d83d", U "fffd" U "fffd"},
	    {U "d83d" U "de00" U "de00", U "d83d" U "de00" U "fffd"},
	    /* an escaped backslash begins no escape */
	    {"\\" U "0000", "\\" U "0000"},
	    {"\\" U "d83d", "\\" U "d83d"},
	    {"\\\\" U "0000", "\\\\" U "fffd"},
	    {"\\\\\\" U "0000", "\\\\\\" U "0000"},
	    {U "d83d\\" U "de00", U "fffd\\" U "de00"},
	    {"\\\"" U "0000\\\"", "\\\"" U "fffd\\\""},
	    {"{\"" U "0000\":[\"\\n" U "dc00\"]}", "{\"" U "fffd\":[\"\\n" U "fffd\"]}"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t len = strlen(cases[i].text);
		/* The copy has exactly the text's length, so that a sanitizer sees a read past its end. */
		char *text = malloc(len + (len == 0));

		memcpy(text, cases[i].text, len);
		jsonb_text_clean(text, len);
		assert_int_equal(strlen(cases[i].cleaned), len);
		assert_memory_equal(text, cases[i].cleaned, len);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_escapes_that_jsonb_cannot_hold_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
