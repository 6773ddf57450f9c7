/* A courier of one node among several: its shares of limits, and leases where these cannot be divided. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/courier_store_fixture.h"

static struct model_endpoint *const endpoint = &scene.endpoints[0];

static void
publish(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		(void)scene_publish(0);
	scene_settle();
}

static void
answer_all(void)
{
	for (uint32_t i = 0; i < scene.order_count; i++)
		http_answer(i, 200);
	scene_settle();
}

/* The nodes have been the same for long. */
static void
be_one_of(uint32_t nodes, uint32_t rank)
{
	store_tell_nodes(nodes, rank);
	scene_settle();
	scene_pass(SETTLE);
}

/* ---- shares ---- */

static void
test_a_node_has_its_share_of_attempts_at_a_time(void **state)
{
	endpoint->max_in_flight = 8;
	be_one_of(3, 1);
	publish(10);
	assert_int_equal(endpoint->in_flight, 3);
	store_tell_nodes(3, 2);
	scene_settle();
	http_answer(0, 200);
	scene_settle();
	assert_int_equal(endpoint->in_flight, 2);
	http_answer(0, 200);
	scene_settle();
	assert_int_equal(endpoint->in_flight, 2);
	assert_int_equal(endpoint->lease_asks, 0);
}

static void
test_more_is_begun_when_a_node_has_gone_for_so_long_that_its_attempts_have_ended(void **state)
{
	int64_t told_us;

	endpoint->max_in_flight = 8;
	be_one_of(4, 0);
	publish(10);
	assert_int_equal(endpoint->in_flight, 2);
	scene_pass(SECOND);
	store_tell_nodes(2, 0);
	scene_settle();
	told_us = fake_now_us;
	scene_pass(SETTLE - SECOND);
	assert_int_equal(endpoint->in_flight, 2);
	assert_int_equal(courier_turn(&scene.courier), told_us + SETTLE); /* it wakes up by itself */
	scene_pass(SECOND);
	assert_int_equal(endpoint->in_flight, 4);
	store_tell_nodes(1, 0);
	scene_settle();
	assert_int_equal(endpoint->in_flight, 8);
}

static void
test_a_node_that_joins_begins_nothing_before_others_have_made_room(void **state)
{
	scene_end();
	scene_begin(1 << 20, 1 << 20);
	scene.courier.ready.shares.view.nodes = 0;
	store_start();
	publish(3);
	assert_int_equal(scene.begun, 0);
	store_tell_nodes(2, 1);
	scene_settle();
	scene_pass(SETTLE - 1);
	assert_int_equal(scene.begun, 0);
	scene_pass(1);
	assert_int_equal(scene.begun, 1);
}

static void
test_a_node_has_its_share_of_requests_a_second(void **state)
{
	endpoint->rate_limit_rps = 2;
	be_one_of(3, 2); /* one in 1.5 seconds */
	publish(4);
	for (uint32_t i = 1; i <= 4; i++) {
		assert_int_equal(scene.begun, i);
		answer_all();
		scene_pass(SECOND * 3 / 2 - 1);
		assert_int_equal(scene.begun, i);
		scene_pass(1);
	}
}

/* ---- leases ---- */

/* With a lease comes an empty bucket of rate_limit_rps. */
static void
publish_leased(uint32_t count)
{
	publish(count);
	scene_pass(SECOND / 1000);
}

static void
test_of_a_limit_that_is_smaller_than_the_number_of_nodes_one_has_all(void **state)
{
	endpoint->max_in_flight = 2;
	be_one_of(3, 2);
	publish_leased(3);
	assert_true(endpoint->leased);
	assert_int_equal(endpoint->in_flight, 2);
	answer_all();
	assert_int_equal(scene.begun, 3);
	answer_all();
	assert_true(endpoint->leased); /* more may come */
	publish_leased(1);
	answer_all();
	assert_int_equal(endpoint->lease_asks, 1);
	scene_pass(SECOND);
	assert_false(endpoint->leased);
	scene_pass(3600 * SECOND);
	assert_int_equal(endpoint->lease_asks, 1);
}

static void
test_nothing_is_sent_while_another_node_has_the_lease(void **state)
{
	endpoint->exact_limits = endpoint->leased_elsewhere = true;
	be_one_of(2, 0);
	publish_leased(3);
	scene_pass(10 * SECOND);
	assert_int_equal(scene.begun, 0);
	assert_in_range(endpoint->lease_asks, 2, 21);
	endpoint->leased_elsewhere = false;
	scene_pass(SECOND / 2);
	assert_true(endpoint->leased);
	scene_pass(SECOND / 1000);
	assert_int_equal(scene.begun, 3); /* the whole limit */
}

static void
test_a_lease_is_given_back_in_time_and_others_can_get_it(void **state)
{
	endpoint->exact_limits = true;
	be_one_of(2, 0);
	publish_leased(20);
	for (uint32_t i = 0; i < 4; i++) {
		scene_pass(SECOND);
		http_answer(0, 200);
		scene_settle();
		assert_true(endpoint->leased);
	}
	scene_pass(SECOND);
	assert_int_equal(scene.begun, 7);
	http_answer(0, 200);
	scene_settle();
	assert_int_equal(scene.begun, 7); /* its time to begin attempts is over */
	assert_true(endpoint->leased);
	answer_all();
	assert_false(endpoint->leased);
	scene_pass(SECOND);
	assert_int_equal(endpoint->lease_asks, 1);
	scene_pass(SECOND);
	assert_int_equal(endpoint->lease_asks, 2);
	scene_pass(SECOND / 1000);
	assert_int_equal(scene.begun, 10);
}

static void
test_what_others_have_sent_counts_when_a_lease_comes(void **state)
{
	endpoint->exact_limits = true;
	endpoint->rate_limit_rps = 1;
	be_one_of(2, 1);
	publish(2);
	assert_true(endpoint->leased);
	assert_int_equal(scene.begun, 0);
	scene_pass(SECOND);
	assert_int_equal(scene.begun, 1);
}

static void
test_attempts_of_a_node_that_was_alone_keep_others_from_the_lease(void **state)
{
	endpoint->exact_limits = true;
	publish(3);
	assert_int_equal(endpoint->in_flight, 3);
	assert_int_equal(endpoint->lease_asks, 0);
	store_tell_nodes(2, 0);
	scene_settle();
	assert_true(endpoint->leased);
	scene_pass(60 * SECOND);
	assert_true(endpoint->leased);
	answer_all();
	assert_false(endpoint->leased);
	store_tell_nodes(1, 0);
	publish_leased(3);
	assert_int_equal(endpoint->in_flight, 3);
	assert_int_equal(endpoint->lease_asks, 1);
}

static void
test_a_lease_in_the_place_of_shares_waits_for_what_these_have_begun(void **state)
{
	endpoint->max_in_flight = 2;
	be_one_of(2, 0);
	publish(2);
	assert_int_equal(endpoint->in_flight, 1);
	store_tell_nodes(3, 0); /* of the other node one may be under way also */
	scene_settle();
	assert_true(endpoint->leased);
	scene_pass(SETTLE - 1);
	assert_int_equal(endpoint->in_flight, 1);
	answer_all();
	assert_int_equal(scene.begun, 1);
	scene_pass(2 * SECOND); /* the time of the lease is over also */
	scene_pass(2 * SECOND);
	scene_pass(SECOND / 1000);
	assert_int_equal(scene.begun, 2);
}

static void
test_shares_in_the_place_of_a_lease_wait_for_what_was_begun_under_it(void **state)
{
	endpoint->max_in_flight = 2;
	endpoint->leased_elsewhere = true;
	be_one_of(3, 1);
	publish_leased(2);
	assert_int_equal(scene.begun, 0);
	store_tell_nodes(2, 1); /* of the node with the lease two may be under way */
	scene_settle();
	scene_pass(SETTLE - 1);
	assert_int_equal(scene.begun, 0);
	scene_pass(1);
	assert_int_equal(endpoint->in_flight, 1);
}

static void
test_a_node_that_is_alone_again_gives_the_lease_back(void **state)
{
	endpoint->max_in_flight = 1;
	be_one_of(2, 0);
	publish_leased(1);
	assert_true(endpoint->leased);
	store_tell_nodes(1, 0);
	scene_settle();
	answer_all();
	assert_false(endpoint->leased);
}

static void
test_a_failure_that_is_tried_again_later_does_not_keep_the_lease(void **state)
{
	endpoint->max_in_flight = 1;
	endpoint->waits_ms[0] = 3000;
	be_one_of(2, 0);
	publish_leased(1);
	http_answer(0, 500);
	scene_settle();
	scene_pass(2 * SECOND);
	assert_false(endpoint->leased);
	scene_pass(3 * SECOND);
	assert_true(endpoint->leased);
	scene_pass(SECOND / 1000);
	assert_int_equal(scene.begun, 2);
}

static void
test_a_lease_of_a_row_that_was_taken_over_is_void(void **state)
{
	endpoint->max_in_flight = 1;
	be_one_of(2, 0);
	publish_leased(1);
	answer_all();
	assert_true(endpoint->leased);
	store_lose_node();
	scene_settle();
	endpoint->leased = false; /* it was the lost row's */
	store_start();
	publish_leased(1);
	assert_true(endpoint->leased);
	assert_int_equal(endpoint->lease_asks, 2);
	assert_int_equal(scene.begun, 2);
}

static void
test_a_lease_covers_no_attempt_that_may_take_longer_than_those_for_which_it_was_taken(void **state)
{
	endpoint->exact_limits = true;
	be_one_of(2, 0);
	publish_leased(1);
	assert_int_equal(endpoint->in_flight, 1);
	endpoint->timeout_ms *= 2;
	scene_change(0);
	publish_leased(1);
	assert_int_equal(endpoint->in_flight, 1);
	answer_all(); /* then it is given back, and taken anew */
	scene_pass(SECOND / 1000);
	assert_int_equal(endpoint->lease_asks, 2);
	assert_int_equal(endpoint->in_flight, 1);
	endpoint->timeout_ms /= 2;
	scene_change(0);
	publish_leased(1);
	assert_int_equal(endpoint->in_flight, 2);
}

/* By the store's clock the lease has run out, and another node has got it. */
static void
sleep_for_a_minute(void)
{
	fake_slept_us += 60 * SECOND;
	endpoint->leased = false;
}

static void
test_a_machine_that_has_slept_does_not_send_by_a_lease_of_before(void **state)
{
	endpoint->exact_limits = true;
	be_one_of(2, 0);
	publish_leased(1);
	answer_all();
	assert_true(endpoint->leased);
	sleep_for_a_minute();
	endpoint->leased_elsewhere = true;
	publish_leased(1);
	assert_int_equal(scene.begun, 1);
	assert_int_equal(endpoint->lease_asks, 2);
	endpoint->leased_elsewhere = false;
	scene_pass(SECOND / 2);
	scene_pass(SECOND / 1000);
	assert_int_equal(scene.begun, 2);
}

static void
test_nor_by_a_lease_that_it_had_asked_for_before(void **state)
{
	endpoint->exact_limits = true;
	be_one_of(2, 0);
	publish_leased(1);
	answer_all();
	scene_pass(SECOND);
	assert_false(endpoint->leased);
	(void)scene_publish(0);
	(void)courier_turn(&scene.courier);
	assert_int_equal(endpoint->lease_asks, 2);
	sleep_for_a_minute();
	(void)courier_turn(&scene.courier);
	scene_settle(); /* the answer comes */
	assert_int_equal(scene.begun, 1);
	assert_false(endpoint->leased);
	scene_pass(2 * SECOND);
	scene_pass(SECOND / 1000);
	assert_int_equal(scene.begun, 2);
}

/* ---- endpoints without jobs ---- */

static void
test_the_lease_of_an_endpoint_without_a_job_that_is_due_is_not_asked_for(void **state)
{
	endpoint->max_in_flight = 1;
	endpoint->waits_ms[0] = 90000;
	endpoint->leased_elsewhere = true;
	be_one_of(3, 0);
	store_tell_rows(endpoint); /* so it is known */
	scene_settle();
	scene_pass(3600 * SECOND);
	assert_int_equal(endpoint->lease_asks, 0);

	endpoint->leased_elsewhere = false;
	publish_leased(1);
	http_answer(0, 500);
	scene_settle();
	assert_int_equal(endpoint->lease_asks, 1);
	for (int second = 0; second < 60; second++)
		scene_pass(SECOND);
	assert_false(endpoint->leased);
	assert_int_equal(endpoint->lease_asks, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENE_TEST(test_a_node_has_its_share_of_attempts_at_a_time),
	    SCENE_TEST(test_more_is_begun_when_a_node_has_gone_for_so_long_that_its_attempts_have_ended),
	    SCENE_TEST(test_a_node_that_joins_begins_nothing_before_others_have_made_room),
	    SCENE_TEST(test_a_node_has_its_share_of_requests_a_second),
	    SCENE_TEST(test_of_a_limit_that_is_smaller_than_the_number_of_nodes_one_has_all),
	    SCENE_TEST(test_nothing_is_sent_while_another_node_has_the_lease),
	    SCENE_TEST(test_a_lease_is_given_back_in_time_and_others_can_get_it),
	    SCENE_TEST(test_what_others_have_sent_counts_when_a_lease_comes),
	    SCENE_TEST(test_attempts_of_a_node_that_was_alone_keep_others_from_the_lease),
	    SCENE_TEST(test_a_lease_in_the_place_of_shares_waits_for_what_these_have_begun),
	    SCENE_TEST(test_shares_in_the_place_of_a_lease_wait_for_what_was_begun_under_it),
	    SCENE_TEST(test_a_node_that_is_alone_again_gives_the_lease_back),
	    SCENE_TEST(test_a_failure_that_is_tried_again_later_does_not_keep_the_lease),
	    SCENE_TEST(test_a_lease_of_a_row_that_was_taken_over_is_void),
	    SCENE_TEST(test_a_lease_covers_no_attempt_that_may_take_longer_than_those_for_which_it_was_taken),
	    SCENE_TEST(test_a_machine_that_has_slept_does_not_send_by_a_lease_of_before),
	    SCENE_TEST(test_nor_by_a_lease_that_it_had_asked_for_before),
	    SCENE_TEST(test_the_lease_of_an_endpoint_without_a_job_that_is_due_is_not_asked_for),
	};

	return cmocka_run_group_tests_name("courier_shares", tests, NULL, NULL);
}
