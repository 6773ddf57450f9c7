/* Each wait of a backoff is within its bounds, and waits differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/backoff.h"

#define ROUNDS 500

static void
test_each_wait_is_between_half_and_all_of_its_ceiling(void **state)
{
	static const uint32_t ceilings[] = {100, 200, 400, 800, 1000, 1000, 1000};

	for (int round = 0; round < ROUNDS; round++) {
		struct backoff backoff = {.first_ms = 100, .cap_ms = 1000};

		for (size_t i = 0; i < sizeof ceilings / sizeof ceilings[0]; i++)
			assert_in_range(backoff_next_ms(&backoff), ceilings[i] / 2, ceilings[i]);
	}
}

static void
test_waits_differ(void **state)
{
	uint32_t least = UINT32_MAX, most = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct backoff backoff = {.first_ms = 1000, .cap_ms = 1000};
		uint32_t wait = backoff_next_ms(&backoff);

		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
	}
	assert_in_range(least, 500, 600);
	assert_in_range(most, 900, 1000);
}

static void
test_a_reset_begins_again_with_short_waits(void **state)
{
	struct backoff backoff = {.first_ms = 10, .cap_ms = 60000};

	for (int i = 0; i < 12; i++)
		(void)backoff_next_ms(&backoff);
	assert_in_range(backoff_next_ms(&backoff), 20480, 40960);
	backoff_reset(&backoff);
	assert_in_range(backoff_next_ms(&backoff), 5, 10);
}

static void
test_waits_are_within_their_bounds_for_the_largest_and_smallest_settings(void **state)
{
	struct backoff widest = {.first_ms = UINT32_MAX, .cap_ms = UINT32_MAX, .failures = UINT32_MAX - 1};
	struct backoff above = {.first_ms = 500, .cap_ms = 100};
	struct backoff zero = {.first_ms = 0, .cap_ms = 0, .failures = 3};

	assert_in_range(backoff_next_ms(&widest), UINT32_MAX / 2, UINT32_MAX);
	assert_in_range(backoff_next_ms(&above), 50, 100);
	assert_int_equal(backoff_next_ms(&zero), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_wait_is_between_half_and_all_of_its_ceiling),
	    cmocka_unit_test(test_waits_differ),
	    cmocka_unit_test(test_a_reset_begins_again_with_short_waits),
	    cmocka_unit_test(test_waits_are_within_their_bounds_for_the_largest_and_smallest_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
