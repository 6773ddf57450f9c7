/* Endpoints with fifo. The fixture checks each attempt against the earlier rows of its order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/courier_fifo_fixture.h"
#include "tests/unit/courier_store_fixture.h"

static void
test_jobs_are_sent_one_after_the_other_in_the_order_of_commits(void **state)
{
	struct model_row *rows[20];

	for (int i = 0; i < 20; i++)
		rows[i] = scene_publish_key(0, 0);
	scene_settle();
	for (int i = 0; i < 20; i++) {
		assert_ptr_equal(under_way(), rows[i]);
		answer(200);
	}
	assert_int_equal(scene.begun, 20);
}

static void
test_a_new_job_of_an_idle_endpoint_is_sent_at_once(void **state)
{
	for (int i = 0; i < 3; i++) {
		(void)scene_publish_key(0, 0);
		scene_pass(SECOND / 10);
		answer(200);
	}
	assert_int_equal(scene.begun, 3);
}

static void
test_later_jobs_wait_for_one_that_failed_and_use_no_attempt(void **state)
{
	struct model_row *first = scene_publish_key(0, 0), *second = scene_publish_key(0, 0);

	scene.endpoints[0].waits_ms[0] = 30000;
	scene_settle();
	answer(500);
	scene_pass(10 * SECOND);
	assert_int_equal(scene.attempt_count, 0);
	(void)scene_publish_key(0, 0);
	scene_pass(50 * SECOND);
	assert_ptr_equal(under_way(), first);
	answer(200);
	assert_ptr_equal(under_way(), second);
	assert_int_equal(second->attempts, 1);
}

static void
test_later_jobs_wait_for_one_that_waits_in_its_row(void **state)
{
	struct model_row *first = scene_publish_key(0, 0), *second = scene_publish_key(0, 0);

	scene.endpoints[0].waits_ms[0] = 3600000;
	scene_settle();
	answer(500);
	scene_settle();
	assert_int_equal(jobs_in_memory(), 0);
	for (int i = 0; i < 60; i++) {
		(void)scene_publish_key(0, 0);
		scene_pass(59 * SECOND);
		assert_int_equal(scene.attempt_count, 0);
	}
	assert_true(scene.pages < 200);
	scene_pass(3600 * SECOND);
	assert_ptr_equal(under_way(), first);
	answer(200);
	assert_ptr_equal(under_way(), second);
}

static void
test_the_next_job_is_sent_when_one_is_dead(void **state)
{
	struct model_row *second;

	(void)scene_publish_key(0, 0);
	second = scene_publish_key(0, 0);
	scene_settle();
	answer(422);
	assert_ptr_equal(under_way(), second);
}

static void
test_a_dead_job_stops_its_order_until_it_is_requeued_and_is_sent_first(void **state)
{
	struct model_row *first, *second;

	scene.endpoints[0].blocks = true;
	first = scene_publish_key(0, 0);
	second = scene_publish_key(0, 0);
	scene_settle();
	http_answer(0, 422);
	(void)courier_turn(&scene.courier);
	store_send_rows(&scene.endpoints[0]); /* a page is read before the outcome is committed */
	for (int i = 0; i < 5; i++) {
		(void)scene_publish_key(0, 0);
		scene_pass(40 * SECOND);
		assert_int_equal(scene.attempt_count, 0);
	}
	scene_requeue(first);
	scene_pass(SECOND);
	assert_ptr_equal(under_way(), first);
	answer(200);
	assert_ptr_equal(under_way(), second);
}

static void
test_a_stopped_order_stays_stopped_for_the_next_courier_until_its_dead_letter_is_removed(void **state)
{
	struct model_row *first, *second;

	scene.endpoints[0].blocks = true;
	first = scene_publish_key(0, 0);
	second = scene_publish_key(0, 0);
	scene_settle();
	answer(422);
	scene_kill();
	store_start();
	scene_pass(SECOND);
	scene_pass(100 * SECOND);
	assert_int_equal(scene.attempt_count, 0);
	first->stops = false; /* retention removes the dead letter, and the courier does not learn of it */
	scene_pass(61 * SECOND);
	assert_ptr_equal(under_way(), second);
}

static void
test_keys_do_not_wait_for_each_other(void **state)
{
	struct model_row *a, *b;

	scene.endpoints[0].by_key = true;
	scene.endpoints[0].waits_ms[0] = 3600000;
	a = scene_publish_key(0, 'a');
	scene_settle();
	answer(500);
	for (int i = 0; i < 50; i++)
		(void)scene_publish_key(0, 'a');
	b = scene_publish_key(0, 'b');
	scene_settle();
	assert_ptr_equal(under_way(), b);
	for (int i = 0; i < 100; i++)
		(void)scene_publish_key(0, 'b');
	scene_pass(SECOND);
	for (int i = 0; i < 101; i++) {
		assert_int_equal(under_way()->key, 'b');
		answer(200);
		scene_pass(SECOND);
	}
	assert_int_equal(scene.attempt_count, 0);
	scene_pass(7200 * SECOND);
	assert_ptr_equal(under_way(), a);
}

static void
test_a_key_with_many_jobs_costs_few_rounds_over_all_rows(void **state)
{
	scene.endpoints[0].by_key = true;
	for (int i = 0; i < 300; i++)
		(void)scene_store_key(0, 'a');
	store_send_rows(&scene.endpoints[0]);
	scene_settle();
	while (scene.attempt_count > 0)
		answer(200);
	assert_int_equal(scene.begun, 300);
	assert_true(scene.pages < 3 * 300 / MODEL_PAGE_ROWS);
}

static void
test_a_key_with_large_jobs_leaves_room_for_the_others(void **state)
{
	scene.endpoints[0].by_key = true;
	for (int i = 0; i < 100; i++)
		(void)scene_row_of_key(0, 40000, fake_now_us, 'a');
	(void)scene_store_key(0, 'b');
	store_send_rows(&scene.endpoints[0]);
	scene_settle();
	assert_int_equal(scene.attempt_count, 2);
}

static void
test_as_many_keys_as_may_be_in_flight_are_sent_at_the_same_time(void **state)
{
	scene.endpoints[0].by_key = true;
	for (int i = 0; i < 30; i++)
		(void)scene_publish_key(0, "abc"[i % 3]);
	scene_settle();
	assert_int_equal(scene.attempt_count, 3);
	while (scene.attempt_count > 0) {
		assert_true(scene.attempt_count <= 3);
		answer(200);
	}
	assert_int_equal(scene.begun, 30);
}

static void
test_a_stopped_key_does_not_stop_the_others(void **state)
{
	scene.endpoints[0].by_key = scene.endpoints[0].blocks = true;
	(void)scene_publish_key(0, 'a');
	scene_settle();
	answer(422);
	(void)scene_publish_key(0, 'a');
	(void)scene_publish_key(0, 'b');
	scene_pass(SECOND);
	assert_int_equal(under_way()->key, 'b');
	answer(200);
	scene_kill();
	store_start();
	(void)scene_publish_key(0, 'b');
	scene_pass(SECOND);
	assert_int_equal(under_way()->key, 'b');
}

static void
test_the_order_holds_over_the_death_of_a_courier(void **state)
{
	struct model_row *rows[20];

	for (int i = 0; i < 20; i++)
		rows[i] = scene_publish_key(0, 0);
	scene_settle();
	for (int i = 0; i < 20; i++) {
		assert_ptr_equal(under_way(), rows[i]);
		if (i % 3 == 0) {
			scene_kill();
			store_start();
			scene_pass(SECOND);
			assert_ptr_equal(under_way(), rows[i]);
		}
		answer(200);
	}
}

static void
test_the_order_holds_over_a_pause(void **state)
{
	struct model_row *first = scene_publish_key(0, 0), *second = scene_publish_key(0, 0);

	scene_settle();
	scene.endpoints[0].enabled = false;
	scene_change(0);
	scene_settle();
	answer(500);
	(void)scene_publish_key(0, 0);
	scene_pass(100 * SECOND);
	assert_int_equal(scene.attempt_count, 0);
	scene.endpoints[0].enabled = true;
	scene_change(0);
	scene_pass(SECOND);
	assert_ptr_equal(under_way(), first);
	answer(200);
	assert_ptr_equal(under_way(), second);
}

static void
test_an_endpoint_that_gets_fifo_sends_the_waiting_jobs_first(void **state)
{
	struct model_row *old[3], *new;

	scene.endpoints[0].fifo = false;
	for (int i = 0; i < 3; i++)
		old[i] = scene_publish_key(0, 0);
	scene_settle();
	assert_int_equal(scene.attempt_count, 3);
	http_answer(0, 500);
	scene_settle();
	scene.endpoints[0].fifo = true;
	scene_change(0);
	scene_settle();
	new = scene_publish_key(0, 0);
	scene_pass(10 * SECOND);
	assert_int_equal(scene.attempt_count, 2); /* nothing begins beside the two attempts from before */
	answer(500);
	answer(200);
	scene_pass(10 * SECOND);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(under_way()->seq, 0);
		answer(200);
	}
	assert_ptr_equal(under_way(), new);
	for (int i = 0; i < 3; i++)
		assert_true(scene_is_over(old[i]));
}

static void
test_an_endpoint_that_loses_fifo_sends_many_jobs_at_a_time(void **state)
{
	for (int i = 0; i < 10; i++)
		(void)scene_publish_key(0, 0);
	scene_settle();
	assert_int_equal(scene.attempt_count, 1);
	scene.endpoints[0].fifo = false;
	scene_change(0);
	scene_pass(6 * SECOND);
	assert_int_equal(scene.attempt_count, 5);
}

static void
test_the_one_node_that_sends_has_the_whole_limits(void **state)
{
	scene.endpoints[0].by_key = true;
	scene.endpoints[0].max_in_flight = 4;
	store_send_nodes(8, 7);
	scene_settle();
	scene_pass(SETTLE);
	for (uint32_t key = 1; key <= 6; key++)
		(void)scene_publish_key(0, key);
	scene_pass(SECOND);
	assert_int_equal(scene.endpoints[0].in_flight, 4);
	assert_int_equal(scene.endpoints[0].lease_asks, 0);
}

static void
test_the_next_job_is_sent_when_one_is_cancelled(void **state)
{
	struct model_row *first = scene_publish_key(0, 0), *second = scene_publish_key(0, 0);

	scene.endpoints[0].waits_ms[0] = 3600000;
	scene_settle();
	answer(500);
	scene_pass(SECOND);
	assert_int_equal(scene.attempt_count, 0);
	scene_cancel(first);
	scene_pass(SECOND);
	assert_ptr_equal(under_way(), second);
}

static void
test_a_job_that_waits_for_its_turn_does_not_expire(void **state)
{
	struct model_row *second;

	scene.endpoints[0].waits_ms[0] = 3600000;
	(void)scene_publish_key(0, 0);
	second = scene_publish_key(0, 0);
	scene_settle();
	for (int day = 0; day < 3; day++) {
		answer(429);
		scene_pass(24 * 3600 * SECOND);
	}
	if (scene.attempt_count == 1 && under_way() != second)
		answer(200);
	scene_pass(SECOND);
	assert_ptr_equal(under_way(), second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    FIFO_TEST(test_jobs_are_sent_one_after_the_other_in_the_order_of_commits),
	    FIFO_TEST(test_a_new_job_of_an_idle_endpoint_is_sent_at_once),
	    FIFO_TEST(test_later_jobs_wait_for_one_that_failed_and_use_no_attempt),
	    FIFO_TEST(test_later_jobs_wait_for_one_that_waits_in_its_row),
	    FIFO_TEST(test_the_next_job_is_sent_when_one_is_dead),
	    FIFO_TEST(test_a_dead_job_stops_its_order_until_it_is_requeued_and_is_sent_first),
	    FIFO_TEST(test_a_stopped_order_stays_stopped_for_the_next_courier_until_its_dead_letter_is_removed),
	    FIFO_TEST(test_keys_do_not_wait_for_each_other),
	    FIFO_TEST(test_a_key_with_many_jobs_costs_few_rounds_over_all_rows),
	    FIFO_TEST(test_a_key_with_large_jobs_leaves_room_for_the_others),
	    FIFO_TEST(test_as_many_keys_as_may_be_in_flight_are_sent_at_the_same_time),
	    FIFO_TEST(test_a_stopped_key_does_not_stop_the_others),
	    FIFO_TEST(test_the_order_holds_over_the_death_of_a_courier),
	    FIFO_TEST(test_the_order_holds_over_a_pause),
	    FIFO_TEST(test_an_endpoint_that_gets_fifo_sends_the_waiting_jobs_first),
	    FIFO_TEST(test_an_endpoint_that_loses_fifo_sends_many_jobs_at_a_time),
	    FIFO_TEST(test_the_one_node_that_sends_has_the_whole_limits),
	    FIFO_TEST(test_the_next_job_is_sent_when_one_is_cancelled),
	    FIFO_TEST(test_a_job_that_waits_for_its_turn_does_not_expire),
	};

	return cmocka_run_group_tests_name("courier_fifo", tests, NULL, NULL);
}
