/* Endpoints that pause for a while, because the receiver asks for it or because their name cannot be resolved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "shm/counters.h"
#include "tests/unit/courier_store_fixture.h"

static void
test_429_with_retry_after_pauses_the_endpoint(void **state)
{
	struct attempt_result result = {.end = ATTEMPT_ANSWERED, .http_status = 429, .retry_after_ms = 20000};
	struct model_row *row = scene_publish(0);

	scene_settle();
	http_end(0, &result);
	scene_settle();
	assert_int_equal(row->attempt_count, 0);
	(void)scene_publish(0);
	(void)scene_publish(1);
	scene_settle();
	assert_int_equal(scene.attempt_count, 1); /* of the other endpoint */
	scene_pass(19 * SECOND);
	assert_int_equal(scene.attempt_count, 1);
	scene_pass(SECOND);
	assert_int_equal(scene.attempt_count, 3);
	assert_int_equal(counter_read(&scene.slot.process, COUNTER_DELIVERIES_UNCHARGED), 1);
}

static void
test_a_long_pause_leaves_the_jobs_in_their_rows(void **state)
{
	struct attempt_result result = {.end = ATTEMPT_ANSWERED, .http_status = 429, .retry_after_ms = 3600000};

	for (uint32_t i = 0; i < 10; i++)
		(void)scene_publish(0);
	scene_settle();
	http_end(0, &result);
	http_answer(1, 200);
	http_answer(2, 200);
	scene_settle();
	(void)scene_publish(0);
	scene_settle();
	assert_int_equal(jobs_in_memory(), 0);
	scene_pass(3000 * SECOND);
	assert_int_equal(scene.begun, 3);
	scene_pass(541 * SECOND);
	assert_true(jobs_in_memory() > 0);
	assert_int_equal(scene.begun, 3);
	scene_pass(60 * SECOND);
	assert_int_equal(scene.begun, 6);
}

static void
test_a_page_that_comes_after_the_pause_began_leaves_its_rows(void **state)
{
	struct attempt_result result = {.end = ATTEMPT_ANSWERED, .http_status = 429, .retry_after_ms = 3600000};
	uint32_t pages;

	(void)scene_publish(0);
	scene_settle();
	for (uint32_t i = 0; i < 10; i++)
		(void)scene_row(0, 100, fake_now_us - 10 * SECOND);
	scene_miss();
	fake_now_us += 5 * SECOND;
	for (pages = scene.pages; scene.pages == pages; (void)courier_turn(&scene.courier))
		(void)store_answer();
	http_end(0, &result);
	(void)courier_turn(&scene.courier);
	scene_settle();
	assert_int_equal(jobs_in_memory(), 0);
	scene_pass(3000 * SECOND);
	assert_int_equal(jobs_in_memory(), 0);
	scene_pass(601 * SECOND);
	assert_int_equal(scene.begun, 4);
}

static const struct attempt_result unresolved = {.end = ATTEMPT_UNRESOLVED, .retry_after_ms = -1};

static void
test_an_endpoint_whose_name_cannot_be_resolved_is_tried_by_one_job_at_a_time(void **state)
{
	uint32_t begun;

	for (uint32_t i = 0; i < 10; i++)
		(void)scene_publish(0);
	scene_settle();
	for (uint32_t i = 0; i < 3; i++)
		http_end(i, &unresolved);
	scene_settle();
	scene_pass(5 * SECOND - 1);
	assert_int_equal(scene.begun, 3);
	scene_pass(SECOND + 1); /* jitter adds at most a fifth */
	assert_int_equal(scene.attempt_count, 1);
	http_end(0, &unresolved);
	scene_settle();
	scene_pass(9 * SECOND);
	assert_int_equal(scene.begun, 4);
	scene_pass(3 * SECOND);
	assert_int_equal(scene.attempt_count, 1);
	http_answer(0, 200);
	scene_settle();
	assert_int_equal(scene.attempt_count, 3);
	for (begun = 0; scene.attempt_count > 0 && begun < 20; begun++) {
		http_answer(0, 200);
		scene_settle();
	}
	assert_int_equal(scene.begun, 3 + 2 + 9);
	assert_int_equal(counter_read(&scene.slot.process, COUNTER_DELIVERIES_UNCHARGED), 4);
}

static void
test_jobs_of_a_name_that_cannot_be_resolved_for_long_cost_no_memory_and_few_updates(void **state)
{
	uint32_t outcomes = 0, empty = 0;

	for (uint32_t i = 0; i < 50; i++)
		(void)scene_publish(0);
	scene_settle();
	for (uint32_t seconds = 0; seconds < 3600; seconds++) {
		while (scene.attempt_count > 0) {
			http_end(0, &unresolved);
			scene_settle();
			outcomes++;
		}
		empty += jobs_in_memory() == 0;
		scene_pass(SECOND);
	}
	assert_in_range(outcomes, 20, 40);
	assert_true(empty > 1500);
	scene.endpoints[0].version++; /* another URL */
	scene_change(0);
	scene_pass(10 * SECOND);
	assert_int_equal(scene.attempt_count, 3);
}

static void
test_a_new_configuration_ends_a_pause(void **state)
{
	struct attempt_result result = {.end = ATTEMPT_ANSWERED, .http_status = 429, .retry_after_ms = 3600000};

	(void)scene_publish(0);
	scene_settle();
	http_end(0, &result);
	scene_settle();
	(void)scene_publish(0);
	scene_change(0);
	scene_pass(5 * SECOND);
	assert_int_equal(scene.begun, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENE_TEST(test_429_with_retry_after_pauses_the_endpoint),
	    SCENE_TEST(test_a_long_pause_leaves_the_jobs_in_their_rows),
	    SCENE_TEST(test_a_page_that_comes_after_the_pause_began_leaves_its_rows),
	    SCENE_TEST(test_an_endpoint_whose_name_cannot_be_resolved_is_tried_by_one_job_at_a_time),
	    SCENE_TEST(test_jobs_of_a_name_that_cannot_be_resolved_for_long_cost_no_memory_and_few_updates),
	    SCENE_TEST(test_a_new_configuration_ends_a_pause),
	};

	return cmocka_run_group_tests_name("courier_pauses", tests, NULL, NULL);
}
