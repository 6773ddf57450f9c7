/* The calendar, day by day over all its years, against a count by the rule of leap years and against the C library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "base/calendar.h"

#define FIRST_DAY (-719162) /* 0001-01-01 */
#define LAST_DAY 2932896 /* 9999-12-31 */

static void
test_every_day_has_its_date_and_back(void **state)
{
	struct calendar_date walk = {1, 1, 1};

	for (int32_t day = FIRST_DAY; day <= LAST_DAY; day++) {
		struct calendar_date date = calendar_date(day);

		/* cmocka's asserts are too slow for so many days. */
		if (date.year != walk.year || date.month != walk.month || date.day != walk.day ||
		    calendar_day(walk) != day)
			fail_msg("day %d: %d-%d-%d instead of %d-%d-%d", day, date.year, date.month, date.day,
			    walk.year, walk.month, walk.day);
		if (walk.day++ == calendar_month_length(walk.year, walk.month)) {
			walk.day = 1;
			if (walk.month++ == 12) {
				walk.month = 1;
				walk.year++;
			}
		}
	}
	assert_int_equal(walk.year, 10000);
	assert_int_equal(calendar_day(walk), LAST_DAY + 1);
}

static void
test_dates_are_those_of_the_c_library(void **state)
{
	for (int32_t day = FIRST_DAY; day <= LAST_DAY; day += 13) {
		time_t seconds = (time_t)day * 86400;
		struct calendar_date date = calendar_date(day);
		struct tm tm;

		assert_non_null(gmtime_r(&seconds, &tm));
		if (date.year != tm.tm_year + 1900 || date.month != tm.tm_mon + 1 || date.day != tm.tm_mday)
			fail_msg("day %d: %d-%d-%d", day, date.year, date.month, date.day);
	}
}

static void
test_lengths_of_february(void **state)
{
	assert_int_equal(calendar_month_length(2023, 2), 28);
	assert_int_equal(calendar_month_length(2024, 2), 29);
	assert_int_equal(calendar_month_length(1900, 2), 28);
	assert_int_equal(calendar_month_length(2000, 2), 29);
}

static void
test_an_instant_before_1970_belongs_to_the_day_it_lies_in(void **state)
{
	assert_int_equal(calendar_day_of(0), 0);
	assert_int_equal(calendar_day_of(-1), -1);
	assert_int_equal(calendar_day_of(CALENDAR_DAY_US - 1), 0);
	assert_int_equal(calendar_day_of(CALENDAR_DAY_US), 1);
	assert_int_equal(calendar_day_of(-CALENDAR_DAY_US), -1);
	assert_int_equal(calendar_day_of(-CALENDAR_DAY_US - 1), -2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_day_has_its_date_and_back),
	    cmocka_unit_test(test_dates_are_those_of_the_c_library),
	    cmocka_unit_test(test_lengths_of_february),
	    cmocka_unit_test(test_an_instant_before_1970_belongs_to_the_day_it_lies_in),
	};

	return cmocka_run_group_tests_name("calendar", tests, NULL, NULL);
}
