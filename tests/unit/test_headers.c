/* The headers Prefer, Idempotency-Key, traceparent and tracestate, with any bytes, in memory of exactly their size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/headers.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static enum handling
handling(const char *value)
{
	size_t len = strlen(value);
	char *copy = malloc(len > 0 ? len : 1);
	enum handling said;

	assert_non_null(copy);
	memcpy(copy, value, len);
	said = prefer_handling(copy, len);
	free(copy);
	return said;
}

static void
test_the_first_valid_handling_of_prefer_counts(void **state)
{
	static const struct {
		const char *value;
		enum handling handling;
	} cases[] = {
	    {"handling=lenient", HANDLING_LENIENT},
	    {"handling=strict", HANDLING_STRICT},
	    {" \tHandling = \"LENIENT\" ", HANDLING_LENIENT},
	    {"respond-async, handling=lenient; foo", HANDLING_LENIENT},
	    {"return=minimal;a=\"x,handling=lenient\" ; b , wait=10,handling=lenient", HANDLING_LENIENT},
	    {",, ,handling=lenient,", HANDLING_LENIENT},
	    {"handling=lenient;a=b;c=\"d\"", HANDLING_LENIENT},
	    {"handling=strict, handling=lenient", HANDLING_STRICT},
	    {"handling=lenient, handling=strict", HANDLING_LENIENT},
	    {"handling=sloppy, handling=lenient", HANDLING_LENIENT},
	    {"", HANDLING_UNSAID},
	    {" ", HANDLING_UNSAID},
	    {"handling", HANDLING_UNSAID},
	    {"handling=", HANDLING_UNSAID},
	    {"handling=lenientx", HANDLING_UNSAID},
	    {"xhandling=lenient", HANDLING_UNSAID},
	    {"lenient", HANDLING_UNSAID},
	    {"a=\"handling=lenient\"", HANDLING_UNSAID},
	    {"a=\"\\\", handling=lenient\"", HANDLING_UNSAID},
	    {"a; handling=lenient", HANDLING_UNSAID},
	    {"a=\"b", HANDLING_UNSAID},
	    {"a=\"b\\", HANDLING_UNSAID},
	    {"=lenient", HANDLING_UNSAID},
	    {"a b handling=lenient", HANDLING_UNSAID},
	    {"\"\"\"\"=;=;\",", HANDLING_UNSAID},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		if (handling(cases[i].value) != cases[i].handling)
			fail_msg("%s: %d", cases[i].value, handling(cases[i].value));
}

static void
assert_key(const char *value, const char *key)
{
	size_t len = strlen(value), expected = key != NULL ? strlen(key) : 0;
	char *copy = malloc(len > 0 ? len : 1), read[IDEMPOTENCY_KEY_MAX];

	assert_non_null(copy);
	memcpy(copy, value, len);
	if (idempotency_key_parse(copy, len, read) != expected || memcmp(read, key != NULL ? key : "", expected) != 0)
		fail_msg("%s is not %s", value, key != NULL ? key : "refused");
	free(copy);
}

static void
test_an_idempotency_key_is_quoted_or_visible_ascii(void **state)
{
	static const char *const refused[] = {"", " ", "\"", "\"\"", "\"a", "a b", "\"a b\"", "\"a\" b", "\"a\"b\"",
	    "\"a\\\"", "\"\\a\"", "\"a\";b=c", "a\tb", "\x7f", "\xc3\xa9", "\"\xc3\xa9\"", "a\x01"};
	char text[IDEMPOTENCY_KEY_MAX + 4], quoted[sizeof text + 2];

	assert_key("a", "a");
	assert_key(" 8e03978e-40d5-43dd-bc93-6894a57f9324\t", "8e03978e-40d5-43dd-bc93-6894a57f9324");
	assert_key("\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", "8e03978e-40d5-43dd-bc93-6894a57f9324");
	assert_key("a\"b\\c;d=e,f~!", "a\"b\\c;d=e,f~!");
	assert_key("\"a\\\"b\\\\c;,\"", "a\"b\\c;,");
	for (size_t i = 0; i < COUNT(refused); i++)
		assert_key(refused[i], NULL);

	memset(text, 'x', sizeof text);
	for (size_t len = 253; len < 258; len++) {
		text[len] = '\0';
		(void)snprintf(quoted, sizeof quoted, "\"%s\"", text);
		assert_key(text, len <= IDEMPOTENCY_KEY_MAX ? text : NULL);
		assert_key(quoted, len <= IDEMPOTENCY_KEY_MAX ? text : NULL);
		text[len] = 'x';
	}
}

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static void
test_a_traceparent_has_the_form_of_its_standard(void **state)
{
	static const char *const right[] = {"00-" TRACE "-" SPAN "-01", "00-" TRACE "-" SPAN "-ff",
	    "cc-" TRACE "-" SPAN "-01", "01-" TRACE "-" SPAN "-01-more.x"};
	static const char *const wrong[] = {"", "00", "00-" TRACE "-" SPAN "-0", "00-" TRACE "-" SPAN "-01-",
	    "00-" TRACE "-" SPAN "-01-more", "01-" TRACE "-" SPAN "-01more", "01-" TRACE "-" SPAN "-01-a b",
	    "ff-" TRACE "-" SPAN "-01", "0x-" TRACE "-" SPAN "-01", "00_" TRACE "-" SPAN "-01",
	    "00-" TRACE "-0000000000000000-01", "00-00000000000000000000000000000000-" SPAN "-01",
	    "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", "00-" TRACE "-" SPAN "-0G"};
	char text[TRACEPARENT_MAX + 2] = "01-" TRACE "-" SPAN "-01-";

	for (size_t i = 0; i < COUNT(right); i++)
		assert_true(traceparent_valid(right[i], strlen(right[i])));
	for (size_t i = 0; i < COUNT(wrong); i++)
		if (traceparent_valid(wrong[i], strlen(wrong[i])))
			fail_msg("%s is accepted", wrong[i]);
	for (size_t len = strlen(text); len <= TRACEPARENT_MAX; len++)
		text[len] = 'x';
	assert_true(traceparent_valid(text, TRACEPARENT_MAX));
	assert_false(traceparent_valid(text, TRACEPARENT_MAX + 1));
}

static void
test_a_tracestate_has_a_limit_of_printable_characters(void **state)
{
	char text[TRACESTATE_MAX + 1];

	memset(text, 'x', sizeof text);
	assert_true(tracestate_valid("a=1, b@c=2", 10));
	assert_false(tracestate_valid("", 0));
	assert_false(tracestate_valid("a=\n", 3));
	assert_false(tracestate_valid("a=\xc3", 3));
	assert_true(tracestate_valid(text, TRACESTATE_MAX));
	assert_false(tracestate_valid(text, TRACESTATE_MAX + 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_first_valid_handling_of_prefer_counts),
	    cmocka_unit_test(test_an_idempotency_key_is_quoted_or_visible_ascii),
	    cmocka_unit_test(test_a_traceparent_has_the_form_of_its_standard),
	    cmocka_unit_test(test_a_tracestate_has_a_limit_of_printable_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
