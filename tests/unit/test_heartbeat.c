/* Which processes are late with their heartbeat, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "shm/heartbeat.h"

#define SECOND INT64_C(1000000)

static void
test_the_period_is_a_quarter_of_the_option_within_bounds(void **state)
{
	assert_int_equal(heartbeat_period_ms(0), 5000);
	assert_int_equal(heartbeat_period_ms(1), 250);
	assert_int_equal(heartbeat_period_ms(4), 1000);
	assert_int_equal(heartbeat_period_ms(60), 5000);
	assert_int_equal(heartbeat_period_ms(3600), 5000);
}

static void
test_a_process_is_late_when_its_promise_and_the_option_have_passed(void **state)
{
	struct process_slot slot = {.alive_until_us = 100 * SECOND};

	assert_false(heartbeat_missed(&slot, 60, 0, 50 * SECOND));
	assert_false(heartbeat_missed(&slot, 60, 0, 160 * SECOND));
	assert_true(heartbeat_missed(&slot, 60, 0, 160 * SECOND + 1));
	assert_true(heartbeat_missed(&slot, 1, 0, 102 * SECOND));
}

static void
test_a_later_time_that_the_master_has_granted_counts(void **state)
{
	struct process_slot slot = {.alive_until_us = 100 * SECOND};

	assert_false(heartbeat_missed(&slot, 60, 500 * SECOND, 560 * SECOND));
	assert_true(heartbeat_missed(&slot, 60, 500 * SECOND, 561 * SECOND));
	assert_true(heartbeat_missed(&slot, 60, 50 * SECOND, 161 * SECOND));
}

static void
test_with_zero_no_process_is_ever_late(void **state)
{
	struct process_slot slot = {.alive_until_us = 1};

	assert_false(heartbeat_missed(&slot, 0, 0, INT64_MAX));
}

static void
test_three_periods_of_silence_are_reported(void **state)
{
	struct process_slot slot = {.alive_until_us = 100 * SECOND};
	struct segment_header header = {.alive_until_us = 100 * SECOND};

	assert_false(heartbeat_late(&slot, 60, 50 * SECOND));
	assert_false(heartbeat_late(&slot, 60, 115 * SECOND));
	assert_true(heartbeat_late(&slot, 60, 115 * SECOND + 1));
	assert_true(heartbeat_late(&slot, 1, 101 * SECOND));
	assert_true(heartbeat_late(&slot, 0, 116 * SECOND));
	assert_false(heartbeat_late_of_master(&header, 60, 115 * SECOND));
	assert_true(heartbeat_late_of_master(&header, 60, 115 * SECOND + 1));
}

static void
test_a_beat_promises_from_now_on(void **state)
{
	struct process_slot slot = {0};
	int64_t before = clock_steady_us();

	heartbeat(&slot, 30);
	assert_true((int64_t)slot.alive_until_us >= before + 30 * SECOND);
	assert_true((int64_t)slot.alive_until_us <= clock_steady_us() + 30 * SECOND);
	heartbeat(&slot, 0);
	assert_true((int64_t)slot.alive_until_us <= clock_steady_us());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_period_is_a_quarter_of_the_option_within_bounds),
	    cmocka_unit_test(test_a_process_is_late_when_its_promise_and_the_option_have_passed),
	    cmocka_unit_test(test_a_later_time_that_the_master_has_granted_counts),
	    cmocka_unit_test(test_with_zero_no_process_is_ever_late),
	    cmocka_unit_test(test_three_periods_of_silence_are_reported),
	    cmocka_unit_test(test_a_beat_promises_from_now_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
