/* When a writer reads the months again. tests/e2e/test_months.py tests the reading itself, against a database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/postgres/month_schedule.h"

#define NOVEMBER_LAST INT64_C(1796083199000000) /* 2026-11-30T23:59:59Z */
#define DECEMBER_FIRST INT64_C(1796083200000000)
#define START INT64_C(5000000) /* of the steady clock */

static struct month_schedule
read_in_november(void)
{
	struct month_schedule schedule = {0};

	month_schedule_restart(&schedule, NOVEMBER_LAST, START);
	return schedule;
}

static void
test_months_are_read_at_the_start(void **state)
{
	assert_true(month_schedule_due(&(struct month_schedule){0}, NOVEMBER_LAST, START));
}

static void
test_months_are_read_every_hour(void **state)
{
	const struct month_schedule schedule = read_in_november();

	assert_false(month_schedule_due(&schedule, NOVEMBER_LAST, START));
	assert_false(month_schedule_due(&schedule, NOVEMBER_LAST, START + MONTHS_INTERVAL_US - 1));
	assert_true(month_schedule_due(&schedule, NOVEMBER_LAST, START + MONTHS_INTERVAL_US));
}

static void
test_months_are_read_when_the_month_changes(void **state)
{
	const struct month_schedule schedule = read_in_november();

	assert_false(month_schedule_due(&schedule, NOVEMBER_LAST, START + 1));
	assert_true(month_schedule_due(&schedule, DECEMBER_FIRST, START + 1));
}

static void
test_months_are_read_sooner_after_a_problem(void **state)
{
	struct month_schedule schedule = read_in_november();

	month_schedule_no_later(&schedule, START + 60);
	assert_false(month_schedule_due(&schedule, NOVEMBER_LAST, START + 59));
	assert_true(month_schedule_due(&schedule, NOVEMBER_LAST, START + 60));
	month_schedule_no_later(&schedule, START + 90);
	assert_true(month_schedule_due(&schedule, NOVEMBER_LAST, START + 60));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_months_are_read_at_the_start),
	    cmocka_unit_test(test_months_are_read_every_hour),
	    cmocka_unit_test(test_months_are_read_when_the_month_changes),
	    cmocka_unit_test(test_months_are_read_sooner_after_a_problem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
