/*
 * Endpoints with fifo when something changes: they get fifo, dead letters are requeued, another node sends. The fixture
 * checks each attempt against the earlier rows of its order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/courier_fifo_fixture.h"
#include "tests/unit/courier_store_fixture.h"

/* ---- an endpoint's order begins, or changes ---- */

static void
test_a_new_order_begins_when_the_attempt_from_before_it_has_ended(void **state)
{
	struct model_row *second;

	scene.endpoints[0].fifo = false;
	(void)scene_publish_key(0, 0);
	scene_settle();
	assert_int_equal(scene.attempt_count, 1);
	scene.endpoints[0].fifo = true;
	scene_change(0);
	scene_settle();
	second = scene_publish_key(0, 0);
	scene_pass(SECOND);
	assert_int_equal(scene.attempt_count, 1);
	answer(200);
	scene_pass(SECOND);
	assert_ptr_equal(under_way(), second);
}

static void
test_an_order_by_keys_begins_when_the_attempt_from_before_it_has_ended(void **state)
{
	struct model_row *second;

	(void)scene_publish_key(0, 'a');
	second = scene_publish_key(0, 'b');
	scene_settle();
	scene.endpoints[0].by_key = true;
	scene_change(0);
	scene_pass(SECOND);
	answer(200);
	scene_pass(SECOND);
	assert_ptr_equal(under_way(), second);
}

static void
test_a_job_that_dies_by_an_attempt_from_before_the_order_stops_it(void **state)
{
	struct model_row *first;

	scene.endpoints[0].fifo = false;
	first = scene_publish_key(0, 0);
	scene_settle();
	scene.endpoints[0].fifo = scene.endpoints[0].blocks = true;
	scene_change(0);
	(void)scene_publish_key(0, 0);
	scene_pass(SECOND);
	answer(422);
	scene_pass(2 * SECOND);
	assert_int_equal(scene.attempt_count, 0);
	scene_requeue(first);
	scene_pass(SECOND);
	assert_ptr_equal(under_way(), first);
}

static void
test_rows_without_a_place_get_one_although_the_store_could_not_read_them_at_first(void **state)
{
	struct model_row *old;

	scene.endpoints[0].fifo = scene.endpoints[0].enabled = false;
	scene_change(0);
	old = scene_publish_key(0, 0);
	scene_pass(10 * SECOND);
	scene.endpoints[0].fifo = scene.endpoints[0].enabled = scene.endpoints[0].unreadable = true;
	scene_change(0);
	scene_pass(30 * SECOND);
	assert_int_equal(scene.attempt_count, 0);
	scene.endpoints[0].unreadable = false;
	scene_pass(61 * SECOND);
	assert_ptr_equal(under_way(), old);
}

static void
test_a_job_with_a_place_waits_for_its_turn_before_its_courier_knows_of_the_order(void **state)
{
	struct model_row *first, *second;

	scene.endpoints[0].fifo = false;
	(void)scene_publish_key(0, 0);
	scene_settle();
	answer(200);
	scene.endpoints[0].fifo = true; /* the courier has not got the message yet */
	scene.endpoints[0].version++;
	first = scene_publish_key(0, 0);
	second = scene_publish_key(0, 0);
	(void)courier_turn(&scene.courier);
	assert_int_equal(scene.attempt_count, 0);
	scene_pass(SECOND);
	assert_ptr_equal(under_way(), first);
	answer(200);
	assert_ptr_equal(under_way(), second);
}

static void
test_a_requeued_job_does_not_wait_for_a_backlog_that_fills_memory(void **state)
{
	struct model_row *first = scene_publish_key(0, 0);

	scene_settle();
	answer(422);
	for (int i = 0; i < 6000; i++)
		(void)scene_store_key(0, 0);
	store_send_place(scene_publish_key(0, 0));
	scene_pass(SECOND);
	assert_in_range(jobs_in_memory(), 100, 5000);
	scene_requeue(first);
	for (int i = 0; i < 4 && under_way() != first; i++) {
		answer(200);
		scene_pass(2 * SECOND);
	}
	assert_ptr_equal(under_way(), first);
}

static void
test_a_requeued_job_does_not_wait_for_the_pages_that_are_being_read(void **state)
{
	struct model_row *first = scene_publish_key(0, 0);
	int pages = 0;

	scene_settle();
	answer(422);
	for (int i = 0; i < 20 * (int)MODEL_PAGE_ROWS; i++)
		(void)scene_store_key(0, 0);
	store_send_rows(&scene.endpoints[0]);
	(void)courier_turn(&scene.courier);
	assert_true(store_answer());
	(void)courier_turn(&scene.courier); /* the courier asks for the second page */
	scene_requeue(first);
	for (; jobs_find(&scene.courier.jobs, first->job_id) == NULL && pages < 20; pages++) {
		(void)courier_turn(&scene.courier);
		(void)store_answer();
	}
	assert_in_range(pages, 1, 3);
}

static void
test_many_requeued_jobs_are_read_together(void **state)
{
	struct model_row *rows[40];
	uint32_t pages;

	scene.endpoints[0].enabled = false;
	scene_change(0);
	for (int i = 0; i < 40; i++) {
		rows[i] = scene_publish_key(0, 0);
		scene_dead_letter(rows[i]);
		rows[i]->attempt_count = 1;
		scene_requeue(rows[i]);
	}
	scene_settle();
	scene.endpoints[0].enabled = true;
	scene_change(0);
	scene_pass(12 * SECOND);
	pages = scene.pages;
	for (int i = 0; i < 40; i++) {
		assert_int_equal(under_way()->seq, 0);
		answer(200);
	}
	assert_in_range(scene.pages - pages, 0, 10);
}

static void
test_a_job_that_upkeep_has_made_a_dead_letter_stops_its_order(void **state)
{
	struct model_row *first = scene_publish_key(0, 0), *second = scene_publish_key(0, 0);

	scene.endpoints[0].blocks = true;
	scene.endpoints[0].waits_ms[0] = 30000;
	scene_settle();
	answer(500);
	scene_dead_letter(first);
	scene_pass(SECOND);
	scene_pass(50 * SECOND);
	assert_int_equal(scene.attempt_count, 0);
	scene_requeue(first);
	scene_pass(SECOND);
	assert_ptr_equal(under_way(), first);
	answer(200);
	assert_ptr_equal(under_way(), second);
}

/* ---- places that an administrator has edited ---- */

static void
test_jobs_that_share_a_place_with_another_are_sent(void **state)
{
	struct model_row *late;

	for (int i = 0; i < 6; i++)
		(void)scene_publish_key(0, 0);
	scene_pass(SECOND);
	scene.endpoints[0].last_seq = 1;
	late = scene_publish_key(0, 0);
	scene_pass(SECOND);
	while (scene.attempt_count > 0)
		answer(200);
	assert_true(scene_is_over(late));
	assert_int_equal(scene.begun, 7);
}

static void
test_jobs_before_one_whose_place_was_raised_are_sent(void **state)
{
	struct model_row *first = scene_publish_key(0, 0), *raised, *late;

	scene_settle();
	raised = scene_store_key(0, 0);
	raised->seq = (int64_t)1 << 40;
	store_send_rows(&scene.endpoints[0]);
	scene_pass(SECOND);
	late = scene_publish_key(0, 0);
	scene_pass(SECOND);
	scene_pass(SECOND); /* the gap between two rounds */
	assert_ptr_equal(under_way(), first);
	answer(200);
	assert_ptr_equal(under_way(), late);
	answer(200);
	assert_ptr_equal(under_way(), raised);
	answer(200);
}

/* ---- nodes ---- */

static void
test_jobs_that_another_node_has_stored_are_sent_when_they_are_reported(void **state)
{
	struct model_row *row = scene_store_key(0, 0);
	uint32_t pages;

	store_send_place(row); /* the courier does not know the endpoint yet */
	scene_pass(SECOND);
	assert_ptr_equal(under_way(), row);
	answer(200);
	row = scene_store_key(0, 0);
	store_send_place(row);
	scene_pass(SECOND);
	assert_ptr_equal(under_way(), row);
	scene_pass(20 * SECOND);
	pages = scene.pages;
	for (int i = 0; i < 10; i++) {
		store_send_place(row);
		scene_pass(SECOND);
	}
	assert_int_equal(scene.pages, pages);
}

static void
test_nothing_is_sent_while_another_node_is_the_sender(void **state)
{
	struct model_row *second;

	(void)scene_publish_key(0, 0);
	second = scene_publish_key(0, 0);
	scene_settle();
	scene.endpoints[0].other_sender = true;
	(void)scene_publish_key(0, 0);
	scene_pass(SECOND);
	answer(200);
	scene_pass(100 * SECOND);
	assert_int_equal(scene.attempt_count, 0);
	assert_int_equal(jobs_in_memory(), 0);
	scene.endpoints[0].other_sender = false; /* this node has adopted the sender */
	scene_miss();
	scene_pass(6 * SECOND);
	assert_ptr_equal(under_way(), second);
}

static void
test_rows_of_an_adopted_node_that_have_no_place_get_one(void **state)
{
	struct model_row *row;

	(void)scene_publish_key(0, 0);
	scene_settle();
	answer(200);
	scene_pass(20 * SECOND);
	row = scene_store_key(0, 0);
	row->seq = -1; /* the row is from before the endpoint had fifo */
	scene_miss();
	scene_pass(10 * SECOND);
	assert_ptr_equal(under_way(), row);
}

static void
test_attempts_of_orders_are_cut_off_before_another_node_may_continue_the_orders(void **state)
{
	struct model_row *first = scene_publish_key(0, 0), *second = scene_publish_key(0, 0);

	node_set_attempts_until_us(&scene.node, fake_now_us + 20 * SECOND);
	(void)scene_publish(1);
	scene_settle();
	assert_int_equal(scene.attempt_count, 2);
	scene_pass(19 * SECOND);
	assert_int_equal(scene.attempt_count, 2);
	scene_pass(2 * SECOND);
	assert_int_equal(under_way()->endpoint, 1); /* endpoints without fifo go on */
	answer(200);
	scene_pass(100 * SECOND);
	assert_int_equal(scene.attempt_count, 0);
	node_set_attempts_until_us(&scene.node, INT64_MAX); /* a heartbeat has succeeded */
	scene_pass(10 * SECOND);
	assert_ptr_equal(under_way(), first);
	assert_int_equal(first->attempt_count, 0);
	answer(200);
	assert_ptr_equal(under_way(), second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    FIFO_TEST(test_a_new_order_begins_when_the_attempt_from_before_it_has_ended),
	    FIFO_TEST(test_an_order_by_keys_begins_when_the_attempt_from_before_it_has_ended),
	    FIFO_TEST(test_a_job_that_dies_by_an_attempt_from_before_the_order_stops_it),
	    FIFO_TEST(test_rows_without_a_place_get_one_although_the_store_could_not_read_them_at_first),
	    FIFO_TEST(test_a_job_with_a_place_waits_for_its_turn_before_its_courier_knows_of_the_order),
	    FIFO_TEST(test_a_requeued_job_does_not_wait_for_a_backlog_that_fills_memory),
	    FIFO_TEST(test_jobs_that_share_a_place_with_another_are_sent),
	    FIFO_TEST(test_jobs_before_one_whose_place_was_raised_are_sent),
	    FIFO_TEST(test_a_requeued_job_does_not_wait_for_the_pages_that_are_being_read),
	    FIFO_TEST(test_many_requeued_jobs_are_read_together),
	    FIFO_TEST(test_a_job_that_upkeep_has_made_a_dead_letter_stops_its_order),
	    FIFO_TEST(test_jobs_that_another_node_has_stored_are_sent_when_they_are_reported),
	    FIFO_TEST(test_nothing_is_sent_while_another_node_is_the_sender),
	    FIFO_TEST(test_rows_of_an_adopted_node_that_have_no_place_get_one),
	    FIFO_TEST(test_attempts_of_orders_are_cut_off_before_another_node_may_continue_the_orders),
	};

	return cmocka_run_group_tests_name("courier_fifo_changes", tests, NULL, NULL);
}
