/* The token bucket: what passes, what waits and for how long, and by several processes at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <ck_pr.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/token_bucket.h"
#include "tests/unit/lane_fixture.h"

#define NOW_US 5000000000
#define SECOND_US 1000000

static void
test_a_second_lets_exactly_its_number_through(void **state)
{
	static const uint64_t rates[] = {1, 2, 3, 5, 7, 10, 99, 1000, 33333, 1000000};

	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		uint64_t bucket = 0, passed = 0;

		while (token_bucket_take(&bucket, rates[i], 1, NOW_US) == 0)
			passed++;
		assert_int_equal(passed, rates[i]);
	}
}

static void
test_tokens_flow_in_with_the_time(void **state)
{
	uint64_t bucket = 0, passed = 0;
	int64_t now_us = NOW_US;

	for (; now_us < NOW_US + 10 * SECOND_US; now_us += 1000)
		passed += token_bucket_take(&bucket, 5, 1, now_us) == 0;
	assert_int_equal(passed, 5 + 49); /* one each 200 ms; the fiftieth would come at ten seconds */
}

static void
test_the_wait_is_told_and_enough(void **state)
{
	uint64_t bucket = 0;
	int64_t wait_us;

	for (int i = 0; i < 5; i++)
		assert_int_equal(token_bucket_take(&bucket, 5, 1, NOW_US), 0);
	wait_us = token_bucket_take(&bucket, 5, 1, NOW_US + 50000);
	assert_int_equal(wait_us, 150000);
	assert_int_equal(token_bucket_wait_us(&bucket, 5, NOW_US + 50000), wait_us);
	assert_true(token_bucket_take(&bucket, 5, 1, NOW_US + 50000 + wait_us - 1) > 0);
	assert_int_equal(token_bucket_take(&bucket, 5, 1, NOW_US + 50000 + wait_us), 0);
}

static void
test_something_large_passes_and_then_waits_its_time(void **state)
{
	uint64_t bucket = 0;

	assert_int_equal(token_bucket_take(&bucket, 10, 100, NOW_US), 0); /* ten seconds' worth */
	assert_int_equal(token_bucket_take(&bucket, 10, 1, NOW_US), 9 * SECOND_US + SECOND_US / 10);
	assert_true(token_bucket_take(&bucket, 10, 100, NOW_US + 9 * SECOND_US) > 0);
	assert_int_equal(token_bucket_take(&bucket, 10, 100, NOW_US + 9 * SECOND_US + SECOND_US / 10), 0);
}

static void
test_what_is_put_back_may_be_taken_again(void **state)
{
	uint64_t bucket = 0;

	assert_int_equal(token_bucket_take(&bucket, 2, 2, NOW_US), 0);
	assert_true(token_bucket_take(&bucket, 2, 1, NOW_US) > 0);
	token_bucket_put_back(&bucket, 2, 2);
	assert_int_equal(token_bucket_take(&bucket, 2, 2, NOW_US), 0);
}

/* Between a take and its return the key was removed, and a new one got its bucket. */
static void
test_what_is_put_back_into_a_new_bucket_leaves_it_full(void **state)
{
	uint64_t bucket = 0;

	assert_int_equal(token_bucket_take(&bucket, 2, 2, NOW_US), 0);
	bucket = 0;
	token_bucket_put_back(&bucket, 2, 2);
	assert_int_equal(token_bucket_wait_us(&bucket, 2, NOW_US), 0);
	assert_int_equal(token_bucket_take(&bucket, 2, 2, NOW_US), 0);
}

static void
test_extreme_rates_and_amounts(void **state)
{
	uint64_t bucket = 0;

	assert_int_equal(token_bucket_take(&bucket, INT64_MAX, TOKEN_BUCKET_AMOUNT_MAX, NOW_US), 0);
	assert_int_equal(token_bucket_take(&bucket, INT64_MAX, TOKEN_BUCKET_AMOUNT_MAX, NOW_US), 0);
	bucket = 0;
	assert_int_equal(token_bucket_take(&bucket, 1, TOKEN_BUCKET_AMOUNT_MAX, NOW_US), 0);
	assert_int_equal(token_bucket_wait_us(&bucket, 1, NOW_US), (int64_t)TOKEN_BUCKET_AMOUNT_MAX * SECOND_US);
	assert_int_equal(token_bucket_take(&bucket, 1, 0, NOW_US) > 0, 1); /* a request without events also waits */
}

/* Four processes draw from one bucket at one instant: together they get what one would have got. */
static void
test_processes_share_a_bucket(void **state)
{
	struct {
		uint64_t bucket, passed;
		uint32_t go;
	} *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(shared, MAP_FAILED);
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			while (ck_pr_load_32(&shared->go) == 0)
				ck_pr_stall();
			while (token_bucket_take(&shared->bucket, 100000, 1, NOW_US) == 0)
				ck_pr_inc_64(&shared->passed);
			_exit(0);
		}
	ck_pr_store_32(&shared->go, 1);
	for (int i = 0; i < 4; i++) {
		int status;

		REQUIRE(wait(&status) > 0 && status == 0);
	}
	assert_int_equal(shared->passed, 100000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_second_lets_exactly_its_number_through),
	    cmocka_unit_test(test_tokens_flow_in_with_the_time),
	    cmocka_unit_test(test_the_wait_is_told_and_enough),
	    cmocka_unit_test(test_something_large_passes_and_then_waits_its_time),
	    cmocka_unit_test(test_what_is_put_back_may_be_taken_again),
	    cmocka_unit_test(test_what_is_put_back_into_a_new_bucket_leaves_it_full),
	    cmocka_unit_test(test_extreme_rates_and_amounts),
	    cmocka_unit_test(test_processes_share_a_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
