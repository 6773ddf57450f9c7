/* When a breaker opens, which attempts it lets through then, and that it closes again however its probes end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "courier/breaker.h"
#include "tests/unit/lane_fixture.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)

static struct breaker breaker;
static int64_t now_us;

static int
set_up(void **state)
{
	breaker = (struct breaker){0};
	now_us = 1000 * SECOND;
	return 0;
}

static bool
is_allowed(void)
{
	return breaker_due_us(&breaker) <= now_us;
}

static void
attempt(enum breaker_result result)
{
	assert_true(is_allowed());
	breaker_end(&breaker, breaker_begin(&breaker), result, now_us);
}

static void
attempts(uint32_t count, enum breaker_result result)
{
	for (uint32_t i = 0; i < count; i++)
		attempt(result);
}

static void
wait_for_probe(void)
{
	assert_int_equal(breaker.state, BREAKER_OPEN);
	now_us = breaker_due_us(&breaker);
}

static void
test_a_breaker_opens_after_ten_failures_in_a_row(void **state)
{
	attempts(9, BREAKER_FAILURE);
	attempt(BREAKER_SUCCESS);
	attempts(9, BREAKER_FAILURE);
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	attempt(BREAKER_FAILURE);
	assert_int_equal(breaker.state, BREAKER_OPEN);
	assert_false(is_allowed());
}

static void
test_ten_failures_among_many_successes_open_no_breaker(void **state)
{
	attempts(100, BREAKER_SUCCESS);
	attempts(232, BREAKER_FAILURE);
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	attempts(2, BREAKER_FAILURE);
	assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void
test_successes_of_more_than_twenty_seconds_ago_do_not_count(void **state)
{
	attempts(100, BREAKER_SUCCESS);
	now_us += 10 * SECOND;
	attempts(10, BREAKER_FAILURE);
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	now_us += 10 * SECOND;
	attempt(BREAKER_FAILURE);
	assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void
test_a_breaker_opens_after_three_refused_connections_in_a_row(void **state)
{
	attempts(100, BREAKER_SUCCESS);
	attempts(2, BREAKER_REFUSED);
	attempt(BREAKER_FAILURE);
	attempts(2, BREAKER_REFUSED);
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	attempt(BREAKER_REFUSED);
	assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void
test_attempts_that_say_nothing_of_the_endpoint_do_not_count(void **state)
{
	attempts(9, BREAKER_FAILURE);
	attempts(100, BREAKER_NO_RESULT);
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	attempt(BREAKER_FAILURE);
	assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void
test_probes_are_sent_at_a_growing_distance_one_at_a_time(void **state)
{
	static const int64_t seconds[] = {5, 10, 20, 40, 80, 160, 300, 300};

	attempts(10, BREAKER_FAILURE);
	for (unsigned i = 0; i < sizeof seconds / sizeof *seconds; i++) {
		assert_int_equal(breaker_due_us(&breaker), now_us + seconds[i] * SECOND);
		wait_for_probe();
		assert_true(breaker_begin(&breaker));
		assert_false(is_allowed());
		now_us += 30 * SECOND;
		breaker_end(&breaker, true, BREAKER_FAILURE, now_us);
	}
}

static void
test_three_successful_probes_close_the_breaker(void **state)
{
	attempts(3, BREAKER_REFUSED);
	wait_for_probe();
	attempts(2, BREAKER_SUCCESS);
	assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
	attempt(BREAKER_SUCCESS);
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	attempts(9, BREAKER_FAILURE); /* the breaker counts as if it had never been open */
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	attempt(BREAKER_FAILURE);
	assert_int_equal(breaker_due_us(&breaker), now_us + 5 * SECOND);
}

static void
test_a_failed_probe_between_successful_ones_opens_the_breaker_again(void **state)
{
	attempts(3, BREAKER_REFUSED);
	wait_for_probe();
	attempts(2, BREAKER_SUCCESS);
	attempt(BREAKER_FAILURE);
	wait_for_probe();
	attempts(2, BREAKER_SUCCESS);
	assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
}

static void
test_a_probe_that_says_nothing_of_the_endpoint_keeps_the_distance_of_probes(void **state)
{
	attempts(10, BREAKER_FAILURE);
	for (int i = 0; i < 3; i++) {
		wait_for_probe();
		attempt(BREAKER_NO_RESULT);
		assert_int_equal(breaker_due_us(&breaker), now_us + 5 * SECOND);
	}
}

static void
test_attempts_that_began_before_the_breaker_opened_change_nothing(void **state)
{
	attempts(10, BREAKER_FAILURE);
	int64_t due_us = breaker_due_us(&breaker);

	now_us += SECOND;
	breaker_end(&breaker, false, BREAKER_FAILURE, now_us);
	breaker_end(&breaker, false, BREAKER_SUCCESS, now_us);
	assert_int_equal(breaker_due_us(&breaker), due_us);
	wait_for_probe();
	assert_true(breaker_begin(&breaker));
	breaker_end(&breaker, false, BREAKER_SUCCESS, now_us);
	assert_false(is_allowed()); /* the probe is still under way */
	breaker_end(&breaker, true, BREAKER_SUCCESS, now_us);
	assert_true(is_allowed());
}

static void
test_a_breaker_that_was_open_in_another_process_goes_on_with_a_probe(void **state)
{
	breaker_resume(&breaker);
	assert_true(breaker_begin(&breaker));
	assert_false(is_allowed());
	breaker_end(&breaker, true, BREAKER_FAILURE, now_us);
	assert_int_equal(breaker_due_us(&breaker), now_us + 5 * SECOND);
	breaker_reset(&breaker);
	assert_true(is_allowed());
}

static void
test_words_are_read_as_they_are_written(void **state)
{
	for (int i = BREAKER_CLOSED; i <= BREAKER_HALF_OPEN; i++) {
		const char *word = breaker_word((enum breaker_state)i);

		assert_int_equal(breaker_of_word((struct span){word, strlen(word)}), i);
	}
	assert_int_equal(breaker_of_word((struct span){"CLOSED", 6}), BREAKER_OPEN);
}

/*
 * At most one probe is under way, none begins before its time, and an endpoint that is well again closes the breaker,
 * whatever happened before.
 */
static void
test_an_endpoint_that_is_well_again_is_closed_whatever_was_before(void **state)
{
	struct dice dice = {seed_for("breaker")};

	for (int round = 0; round < 300; round++) {
		bool is_probe[8];
		uint32_t under_way = 0, probes = 0;

		(void)set_up(NULL);
		for (int step = 0; step < 300; step++) {
			if (dice_below(&dice, 2) == 0 && under_way < 8 && is_allowed()) {
				is_probe[under_way] = breaker_begin(&breaker);
				probes += is_probe[under_way++];
			} else if (under_way > 0) {
				uint32_t which = dice_below(&dice, under_way);

				probes -= is_probe[which];
				breaker_end(&breaker, is_probe[which],
				    dice_below(&dice, 10) < 8 ? BREAKER_FAILURE
							      : (enum breaker_result)dice_below(&dice, 4),
				    now_us);
				is_probe[which] = is_probe[--under_way];
			}
			assert_true(probes <= 1);
			assert_true(breaker.state != BREAKER_HALF_OPEN || breaker.probing == (probes == 1));
			now_us += dice_below(&dice, 3000000);
		}
		while (under_way > 0)
			breaker_end(&breaker, is_probe[--under_way], BREAKER_FAILURE, now_us);
		now_us += 5 * MINUTE;
		attempts(3, BREAKER_SUCCESS);
		assert_int_equal(breaker.state, BREAKER_CLOSED);
	}
}

#define TEST(test) cmocka_unit_test_setup(test, set_up)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_breaker_opens_after_ten_failures_in_a_row),
	    TEST(test_ten_failures_among_many_successes_open_no_breaker),
	    TEST(test_successes_of_more_than_twenty_seconds_ago_do_not_count),
	    TEST(test_a_breaker_opens_after_three_refused_connections_in_a_row),
	    TEST(test_attempts_that_say_nothing_of_the_endpoint_do_not_count),
	    TEST(test_probes_are_sent_at_a_growing_distance_one_at_a_time),
	    TEST(test_three_successful_probes_close_the_breaker),
	    TEST(test_a_failed_probe_between_successful_ones_opens_the_breaker_again),
	    TEST(test_a_probe_that_says_nothing_of_the_endpoint_keeps_the_distance_of_probes),
	    TEST(test_attempts_that_began_before_the_breaker_opened_change_nothing),
	    TEST(test_a_breaker_that_was_open_in_another_process_goes_on_with_a_probe),
	    TEST(test_words_are_read_as_they_are_written),
	    TEST(test_an_endpoint_that_is_well_again_is_closed_whatever_was_before),
	};

	return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
