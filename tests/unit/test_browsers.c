/* The names by which browsers may call a service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "server/browsers.h"

static const char hosts[] = "localhost, 127.0.0.1,::1 , Hooks.example";

static bool
listed(const char *authority)
{
	return browsers_host_listed(hosts, (struct span){authority, strlen(authority)});
}

static void
test_a_listed_host_is_found_with_and_without_a_port(void **state)
{
	static const char *const good[] = {"localhost", "localhost:8080", "LOCALHOST:1", "localhost.",
	    "localhost.:8080", "127.0.0.1:80", "[::1]", "[::1]:8080", "hooks.example", "hooks.EXAMPLE:443",
	    "localhost:"};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (!listed(good[i]))
			fail_msg("%s is not found", good[i]);
}

static void
test_a_host_that_is_not_listed_is_not_found(void **state)
{
	static const char *const bad[] = {"", ":8080", ".", "evil.example", "localhost.evil.example", "xlocalhost",
	    "localhos", "127.0.0.1.evil.example", "127.0.0.10", "[::1", "[]", "[::11]", "localhost..", "localhost,",
	    ",", "localhost 127.0.0.1", "hooks.example@evil.example", "::1"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (listed(bad[i]))
			fail_msg("%s is found", bad[i]);
	assert_false(browsers_host_listed(hosts, (struct span){NULL, 0}));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_listed_host_is_found_with_and_without_a_port),
	    cmocka_unit_test(test_a_host_that_is_not_listed_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
