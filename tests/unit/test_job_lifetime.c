/* A job lives for 1.5 times its endpoint's schedule, but never less than a day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "store/webhooks/job_lifetime.h"

#define HOUR 3600000ll
#define DAY (24 * HOUR)

static char standard[] = "1h,9h,30h";
static struct config config = {.hl_retry_schedule = standard};

static int64_t
lifetime(const char *schedule, uint32_t attempts)
{
	return job_lifetime_ms(&config, (struct span){schedule, schedule != NULL ? strlen(schedule) : 0}, attempts);
}

static void
test_a_job_lives_for_one_and_a_half_times_the_schedule(void **state)
{
	assert_int_equal(lifetime("\"20h, 20h\"", 0), 60 * HOUR);
	assert_int_equal(lifetime("[\"20h\", \"20h\"]", 0), 60 * HOUR);
	assert_int_equal(lifetime("[72000000, \"20h\"]", 0), 60 * HOUR);
	assert_int_equal(lifetime(NULL, 0), 60 * HOUR);
}

static void
test_a_job_lives_for_at_least_a_day(void **state)
{
	assert_int_equal(lifetime("\"5s\"", 0), DAY);
	assert_int_equal(lifetime("[]", 0), DAY);
}

static void
test_max_attempts_cuts_the_schedule(void **state)
{
	assert_int_equal(lifetime("\"20h,20h\"", 2), 30 * HOUR);
	assert_int_equal(lifetime("\"20h,20h\"", 3), 60 * HOUR);
	assert_int_equal(lifetime(NULL, 1), DAY);
	config.hl_retry_max_attempts = 3;
	assert_int_equal(lifetime(NULL, 0), DAY);
	assert_int_equal(lifetime(NULL, 4), 60 * HOUR);
	assert_int_equal(lifetime("\"20h,20h\"", 0), 60 * HOUR);
	config.hl_retry_max_attempts = 0;
}

/* Another program may have written the row. */
static void
test_a_schedule_that_cannot_be_read_counts_as_the_standard_one(void **state)
{
	static const char *const broken[] = {"", "{}", "\"", "[\"1h\"", "[1]", "[true]", "\"soon\"", "[1e999]", "null"};

	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
		assert_int_equal(lifetime(broken[i], 0), 60 * HOUR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_job_lives_for_one_and_a_half_times_the_schedule),
	    cmocka_unit_test(test_a_job_lives_for_at_least_a_day),
	    cmocka_unit_test(test_max_attempts_cuts_the_schedule),
	    cmocka_unit_test(test_a_schedule_that_cannot_be_read_counts_as_the_standard_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
