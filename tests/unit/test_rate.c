/* The requests that a bucket lets through, for a caller that comes as often as it likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "courier/rate.h"
#include "tests/unit/lane_fixture.h"

#define SECOND INT64_C(1000000)
#define WINDOW (10 * SECOND)
#define PASSED_MOST 20000

static int64_t passed[PASSED_MOST];

static bool
pass(struct rate *rate, uint32_t per_second, int64_t now_us)
{
	if (rate_due_us(rate, rate_token_ns(per_second, 1)) > now_us)
		return false;
	rate_take(rate, rate_token_ns(per_second, 1), now_us);
	return true;
}

static void
test_five_requests_at_once_go_one_a_second(void **state)
{
	struct rate rate = {0};
	int64_t now_us = 1000 * SECOND, began_us = now_us;

	for (int i = 0; i < 5; i++) {
		now_us = i == 0 ? now_us : rate_due_us(&rate, rate_token_ns(1, 1));
		assert_int_equal(now_us, began_us + i * SECOND);
		assert_true(pass(&rate, 1, now_us));
		assert_false(pass(&rate, 1, now_us));
	}
}

static void
test_a_bucket_holds_the_requests_of_a_tenth_of_a_second(void **state)
{
	struct rate rate = {0};
	int count = 0;

	while (pass(&rate, 1000, 1000 * SECOND))
		count++;
	assert_int_equal(count, 100);
}

static void
test_a_changed_limit_holds_at_once(void **state)
{
	struct rate rate = {0};

	assert_true(pass(&rate, 1, 1000 * SECOND));
	assert_false(pass(&rate, 2, 1000 * SECOND));
	assert_true(pass(&rate, 1000, 1001 * SECOND));
	assert_true(pass(&rate, 1000, 1001 * SECOND));
}

static void
test_a_bucket_that_was_emptied_fills_from_then_on(void **state)
{
	struct rate rate = {0};

	rate_empty(&rate, rate_token_ns(1, 1), 1000 * SECOND);
	assert_int_equal(rate_due_us(&rate, rate_token_ns(1, 1)), 1001 * SECOND);
	assert_true(pass(&rate, 1, 1001 * SECOND));
	rate_empty(&rate, rate_token_ns(1, 1), 1000 * SECOND); /* the bucket is known to be empty already */
	assert_int_equal(rate_due_us(&rate, rate_token_ns(1, 1)), 1002 * SECOND);
	rate = (struct rate){0};
	rate_empty(&rate, rate_token_ns(1000, 1), 1000 * SECOND);
	assert_int_equal(rate_due_us(&rate, rate_token_ns(1000, 1)), 1000 * SECOND + 1000);
}

/* Steps of random length, some of them long enough to fill the bucket. Now and then another process takes over. */
static uint32_t
run(struct dice *dice, uint32_t per_second)
{
	struct rate rate = {0};
	int64_t now_us = 1000 * SECOND, end_us = now_us + 60 * SECOND;
	uint32_t count = 0;

	while (now_us < end_us && count < PASSED_MOST) {
		if (dice_below(dice, 100) == 0) {
			rate = (struct rate){0};
			rate_empty(&rate, rate_token_ns(per_second, 1), now_us);
		}
		if (pass(&rate, per_second, now_us))
			passed[count++] = now_us;
		else if (dice_below(dice, 2) == 0)
			now_us = rate_due_us(&rate, rate_token_ns(per_second, 1));
		else
			now_us += dice_below(dice, dice_below(dice, 200) == 0 ? 2000000 : 3000);
	}
	return count;
}

static void
test_no_ten_seconds_have_more_than_ten_percent_above_the_limit(void **state)
{
	struct dice dice = {seed_for("rate")};

	for (uint32_t round = 0; round < 200; round++) {
		uint32_t per_second = 1 + dice_below(&dice, round % 2 == 0 ? 20 : 400);
		uint32_t count = run(&dice, per_second), first = 0;

		for (uint32_t i = 0; i < count; i++) {
			while (passed[i] - passed[first] > WINDOW)
				first++;
			assert_true((i - first + 1) * 10 <= per_second * 10 * 11);
		}
	}
}

static void
test_a_caller_that_asks_all_the_time_gets_the_whole_limit(void **state)
{
	static const uint32_t limits[] = {1, 3, 7, 100, 333, 1000, 30000, 100000};

	for (unsigned n = 0; n < sizeof limits / sizeof *limits; n++) {
		struct rate rate = {0};
		uint64_t count = 0;

		for (int64_t now_us = 1000 * SECOND; now_us < 1010 * SECOND; now_us += 1000)
			while (pass(&rate, limits[n], now_us))
				count++;
		assert_true(count * 100 >= limits[n] * UINT64_C(10) * 99);
		assert_true(count * 100 <= limits[n] * UINT64_C(10) * 101 + 100);
	}
}

/* Three processes have a third each. Some thirds are less than one request a second, or not a whole number. */
static void
test_equal_parts_of_a_limit_add_up_to_the_limit(void **state)
{
	static const uint32_t limits[] = {1, 2, 30, 100, 1000, 100000};

	for (unsigned n = 0; n < sizeof limits / sizeof *limits; n++) {
		int64_t token_ns = rate_token_ns(limits[n], 3);
		struct rate rates[3] = {0};
		uint64_t count = 0;

		for (int64_t now_us = 1000 * SECOND; now_us < 1030 * SECOND; now_us += 1000)
			for (int i = 0; i < 3; i++)
				while (rate_due_us(&rates[i], token_ns) <= now_us) {
					rate_take(&rates[i], token_ns, now_us);
					count++;
				}
		assert_true(count * 100 >= limits[n] * UINT64_C(30) * 99);
		assert_true(count * 100 <= limits[n] * UINT64_C(30) * 101 + 300);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_five_requests_at_once_go_one_a_second),
	    cmocka_unit_test(test_a_bucket_holds_the_requests_of_a_tenth_of_a_second),
	    cmocka_unit_test(test_a_changed_limit_holds_at_once),
	    cmocka_unit_test(test_a_bucket_that_was_emptied_fills_from_then_on),
	    cmocka_unit_test(test_no_ten_seconds_have_more_than_ten_percent_above_the_limit),
	    cmocka_unit_test(test_a_caller_that_asks_all_the_time_gets_the_whole_limit),
	    cmocka_unit_test(test_equal_parts_of_a_limit_add_up_to_the_limit),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
