/* When a writer looks at the months; what it does then is tested against a database (tests/e2e/test_months.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/postgres/partitions.h"

#define NOVEMBER_LAST INT64_C(1796083199000000) /* 2026-11-30T23:59:59Z */
#define DECEMBER_FIRST INT64_C(1796083200000000)

static void
test_due_at_start(void **state)
{
	const struct sink_env env = {0};
	struct partitions partitions;

	partitions_init(&partitions, 3, NULL, &env);
	assert_true(partitions_due(&partitions, NOVEMBER_LAST));
}

static void
test_due_when_its_time_has_come(void **state)
{
	struct partitions partitions = {.this_month = month_of(NOVEMBER_LAST)};

	partitions.due_us = clock_steady_us() + 60 * 1000000;
	assert_false(partitions_due(&partitions, NOVEMBER_LAST));
	partitions.due_us = clock_steady_us();
	assert_true(partitions_due(&partitions, NOVEMBER_LAST));
}

static void
test_due_when_the_month_changes(void **state)
{
	struct partitions partitions = {
	    .this_month = month_of(NOVEMBER_LAST), .due_us = clock_steady_us() + INT64_C(3600) * 1000000};

	assert_false(partitions_due(&partitions, NOVEMBER_LAST));
	assert_true(partitions_due(&partitions, DECEMBER_FIRST));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_due_at_start),
	    cmocka_unit_test(test_due_when_its_time_has_come),
	    cmocka_unit_test(test_due_when_the_month_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
