/* Headers that ask for something: read from memory of exactly their size, whatever stands in them. */
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
test_prefer(void **state)
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
test_idempotency_key(void **state)
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_prefer),
	    cmocka_unit_test(test_idempotency_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
