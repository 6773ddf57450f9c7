/* When a repeated condition is logged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/repeat.h"

#define SECOND INT64_C(1000000)
#define START (1000 * SECOND)
#define PAUSE (REPEAT_SECONDS * SECOND)

static void
test_a_condition_is_logged_at_once_and_then_with_its_count(void **state)
{
	struct repeat repeat = {0};

	assert_int_equal(repeat_met(&repeat, START), 1);
	for (int i = 1; i < 100; i++)
		assert_int_equal(repeat_met(&repeat, START + i * PAUSE / 100), 0);
	assert_int_equal(repeat_met(&repeat, START + PAUSE), 100);
	assert_int_equal(repeat_met(&repeat, START + PAUSE + 1), 0);
	assert_int_equal(repeat_met(&repeat, START + 5 * PAUSE), 2);
}

static void
test_the_end_is_logged_when_the_condition_has_not_come_for_a_while(void **state)
{
	struct repeat repeat = {0};

	assert_int_equal(repeat_over(&repeat, START), 0);
	(void)repeat_met(&repeat, START);
	(void)repeat_met(&repeat, START + SECOND);
	assert_int_equal(repeat_over(&repeat, START + PAUSE), 0);
	assert_int_equal(repeat_over(&repeat, START + SECOND + PAUSE), 2);
	assert_int_equal(repeat_over(&repeat, START + 9 * PAUSE), 0);
	assert_int_equal(repeat_met(&repeat, START + 10 * PAUSE), 1);
}

/* A condition that comes and goes: two lines in REPEAT_SECONDS at most. */
static void
test_a_flapping_condition_is_logged_as_one(void **state)
{
	struct repeat repeat = {0};
	uint64_t told = 0;

	for (int64_t now = START; now < START + 10 * PAUSE; now += SECOND / 10) {
		told += repeat_met(&repeat, now) > 0;
		told += repeat_over(&repeat, now) > 0;
	}
	assert_int_equal(told, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_condition_is_logged_at_once_and_then_with_its_count),
	    cmocka_unit_test(test_the_end_is_logged_when_the_condition_has_not_come_for_a_while),
	    cmocka_unit_test(test_a_flapping_condition_is_logged_as_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
