/* Months: the calendar, which months are known to exist, and for which events a month must be made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "config/config.h"
#include "tests/unit/record_fixture.h"
#include "store/postgres/months.h"

#define MONTH(year, number) ((year)*12 + (number)-1)
#define SECONDS INT64_C(1000000)

static void
test_the_month_of_an_instant(void **state)
{
	assert_int_equal(month_of(0), MONTH(1970, 1));
	assert_int_equal(month_of(-1), MONTH(1969, 12));
	assert_int_equal(month_of(951782400 * SECONDS), MONTH(2000, 2)); /* February 29 */
	assert_int_equal(month_of(951868800 * SECONDS - 1), MONTH(2000, 2));
	assert_int_equal(month_of(951868800 * SECONDS), MONTH(2000, 3));
	assert_int_equal(month_of(-62135596800 * SECONDS), MONTH(1, 1));
	assert_int_equal(month_of(253402300800 * SECONDS - 1), MONTH(9999, 12));
	assert_int_equal(month_year(MONTH(2026, 12)), 2026);
	assert_int_equal(month_number(MONTH(2026, 12)), 12);
	assert_int_equal(month_year(MONTH(2027, 1)), 2027);
	assert_int_equal(month_number(MONTH(2027, 1)), 1);
}

static void
test_months_within_the_window_are_remembered(void **state)
{
	const int32_t now = MONTH(2026, 11);
	struct months months;

	months_init(&months, now);
	for (int32_t month = now - 100; month < now + 100; month++)
		assert_false(months_has(&months, month));
	assert_true(months_known(&months, now - WINDOW_BACK));
	assert_true(months_known(&months, now + PARTITIONS_AHEAD_MAX));
	assert_false(months_known(&months, now + PARTITIONS_AHEAD_MAX + 1));

	for (int32_t month = now - 100; month < now + 100; month += 2)
		months_add(&months, month);
	for (int32_t month = now - 100; month < now + 100; month++)
		assert_int_equal(months_has(&months, month), months_known(&months, month) && (month - now) % 2 == 0);
}

static void
test_months_in_a_row_are_counted_from_this_one(void **state)
{
	const int32_t now = MONTH(2026, 11);
	struct months months;

	months_init(&months, now);
	months_add(&months, now + 2);
	assert_int_equal(months_in_a_row(&months, now), 0);
	months_add(&months, now + 1);
	assert_int_equal(months_in_a_row(&months, now), 2);
	for (int32_t month = now + 3; month <= now + PARTITIONS_AHEAD_MAX; month++)
		months_add(&months, month);
	assert_int_equal(months_in_a_row(&months, now), PARTITIONS_AHEAD_MAX);
}

/* The beginnings of months in seconds since 1970. */
#define JULY_2026 INT64_C(1782864000)
#define AUGUST_2026 INT64_C(1785542400)
#define SEPTEMBER_2026 INT64_C(1788220800)
#define JULY_2024 INT64_C(1719792000)

static enum month_need
need(struct months *months, int64_t timestamp_us, int64_t received_us, int32_t *month)
{
	struct record *record = record_of(&(struct event){
	    .timestamp_us = timestamp_us, .received_us = received_us, .event_type = "t", .session_id = "s"});
	enum month_need needed = months_need(months, record, month);

	free(record);
	return needed;
}

static void
test_a_month_is_made_only_within_the_window_of_the_event(void **state)
{
	const int64_t received = JULY_2026 * SECONDS + 5;
	static const struct {
		int64_t timestamp_us;
		enum month_need need;
	} cases[] = {
	    {JULY_2026 * SECONDS, MONTH_IS_WANTED},
	    {AUGUST_2026 * SECONDS, MONTH_IS_WANTED},
	    {SEPTEMBER_2026 * SECONDS - 1, MONTH_IS_WANTED},
	    {SEPTEMBER_2026 * SECONDS, MONTH_IS_OUTSIDE},
	    {JULY_2024 * SECONDS, MONTH_IS_WANTED},
	    {JULY_2024 * SECONDS - 1, MONTH_IS_OUTSIDE},
	    {INT64_C(-62135596800) * SECONDS, MONTH_IS_OUTSIDE},
	};
	struct months months;
	int32_t month;

	months_init(&months, MONTH(2026, 7));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(need(&months, cases[i].timestamp_us, received, &month), cases[i].need);
		assert_int_equal(month, month_of(cases[i].timestamp_us));
	}
}

/* The month of the last event is remembered with its bounds, and answers for the next event without the calendar. */
static void
test_a_month_that_is_there_is_not_wanted(void **state)
{
	struct months months;
	int32_t month;

	months_init(&months, MONTH(2026, 7));
	months_add(&months, MONTH(2026, 7));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(need(&months, JULY_2026 * SECONDS, JULY_2026 * SECONDS, &month), MONTH_IS_THERE);
		assert_int_equal(need(&months, AUGUST_2026 * SECONDS - 1, JULY_2026 * SECONDS, &month), MONTH_IS_THERE);
		assert_int_equal(need(&months, AUGUST_2026 * SECONDS, JULY_2026 * SECONDS, &month), MONTH_IS_WANTED);
		assert_int_equal(month, MONTH(2026, 8));
		assert_int_equal(need(&months, JULY_2026 * SECONDS - 1, JULY_2026 * SECONDS, &month), MONTH_IS_WANTED);
		assert_int_equal(month, MONTH(2026, 6));
	}
}

static void
test_a_month_that_is_refused_stops_no_other(void **state)
{
	struct months months;
	int32_t month;

	months_init(&months, MONTH(2026, 7));
	months_refuse(&months, MONTH(2026, 8));
	months_refuse(&months, MONTH(1970, 1));
	assert_true(months_refused(&months, MONTH(2026, 8)));
	assert_false(months_refused(&months, MONTH(2026, 7)));
	assert_false(months_refused(&months, MONTH(1970, 1)));
	assert_int_equal(need(&months, AUGUST_2026 * SECONDS, JULY_2026 * SECONDS, &month), MONTH_IS_REFUSED);
	assert_int_equal(need(&months, JULY_2026 * SECONDS, JULY_2026 * SECONDS, &month), MONTH_IS_WANTED);
	months_init(&months, MONTH(2026, 7));
	assert_int_equal(need(&months, AUGUST_2026 * SECONDS, JULY_2026 * SECONDS, &month), MONTH_IS_WANTED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_month_of_an_instant),
	    cmocka_unit_test(test_months_within_the_window_are_remembered),
	    cmocka_unit_test(test_months_in_a_row_are_counted_from_this_one),
	    cmocka_unit_test(test_a_month_is_made_only_within_the_window_of_the_event),
	    cmocka_unit_test(test_a_month_that_is_there_is_not_wanted),
	    cmocka_unit_test(test_a_month_that_is_refused_stops_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
