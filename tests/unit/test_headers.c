/* Headers that ask for something: read from memory of exactly their size, whatever stands in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_prefer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
