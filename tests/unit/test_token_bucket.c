/* The token bucket: which requests pass, which wait and for how long, with one process and with several. */
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
test_a_bucket_holds_the_tokens_of_a_second(void **state)
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
test_a_bucket_fills_at_its_rate(void **state)
{
	uint64_t bucket = 0, passed = 0;
	int64_t now_us = NOW_US;

	for (; now_us < NOW_US + 10 * SECOND_US; now_us += 1000)
		passed += token_bucket_take(&bucket, 5, 1, now_us) == 0;
	assert_int_equal(passed, 5 + 49); /* one every 200 ms; the fiftieth would come at ten seconds */
}

static void
test_the_reported_wait_is_exact(void **state)
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
test_a_large_request_passes_and_the_next_one_waits_for_it(void **state)
{
	uint64_t bucket = 0;

	assert_int_equal(token_bucket_take(&bucket, 10, 100, NOW_US), 0); /* as many as in ten seconds */
	assert_int_equal(token_bucket_take(&bucket, 10, 1, NOW_US), 9 * SECOND_US + SECOND_US / 10);
	assert_true(token_bucket_take(&bucket, 10, 100, NOW_US + 9 * SECOND_US) > 0);
	assert_int_equal(token_bucket_take(&bucket, 10, 100, NOW_US + 9 * SECOND_US + SECOND_US / 10), 0);
}

static void
test_tokens_that_are_put_back_may_be_taken_again(void **state)
{
	uint64_t bucket = 0;

	assert_int_equal(token_bucket_take(&bucket, 2, 2, NOW_US), 0);
	assert_true(token_bucket_take(&bucket, 2, 1, NOW_US) > 0);
	token_bucket_put_back(&bucket, 2, 2);
	assert_int_equal(token_bucket_take(&bucket, 2, 2, NOW_US), 0);
}

/* The key was removed between a take and its return, and a new key has its bucket. */
static void
test_tokens_that_are_put_back_into_a_new_bucket_leave_it_full(void **state)
{
	uint64_t bucket = 0;

	assert_int_equal(token_bucket_take(&bucket, 2, 2, NOW_US), 0);
	bucket = 0;
	token_bucket_put_back(&bucket, 2, 2);
	assert_int_equal(token_bucket_wait_us(&bucket, 2, NOW_US), 0);
	assert_int_equal(token_bucket_take(&bucket, 2, 2, NOW_US), 0);
}

static void
test_extreme_rates_and_amounts_do_not_overflow(void **state)
{
	uint64_t bucket = 0;

	assert_int_equal(token_bucket_take(&bucket, INT64_MAX, TOKEN_BUCKET_AMOUNT_MAX, NOW_US), 0);
	assert_int_equal(token_bucket_take(&bucket, INT64_MAX, TOKEN_BUCKET_AMOUNT_MAX, NOW_US), 0);
	bucket = 0;
	assert_int_equal(token_bucket_take(&bucket, 1, TOKEN_BUCKET_AMOUNT_MAX, NOW_US), 0);
	assert_int_equal(token_bucket_wait_us(&bucket, 1, NOW_US), (int64_t)TOKEN_BUCKET_AMOUNT_MAX * SECOND_US);
	assert_int_equal(token_bucket_take(&bucket, 1, 0, NOW_US) > 0, 1); /* a request without events also waits */
}

/* Four processes draw from one bucket at the same instant. Together they get as much as one would. */
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
	    cmocka_unit_test(test_a_bucket_holds_the_tokens_of_a_second),
	    cmocka_unit_test(test_a_bucket_fills_at_its_rate),
	    cmocka_unit_test(test_the_reported_wait_is_exact),
	    cmocka_unit_test(test_a_large_request_passes_and_the_next_one_waits_for_it),
	    cmocka_unit_test(test_tokens_that_are_put_back_may_be_taken_again),
	    cmocka_unit_test(test_tokens_that_are_put_back_into_a_new_bucket_leave_it_full),
	    cmocka_unit_test(test_extreme_rates_and_amounts_do_not_overflow),
	    cmocka_unit_test(test_processes_share_a_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
