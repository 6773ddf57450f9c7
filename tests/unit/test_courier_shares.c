/* A courier of one node among several: its shares of limits, and leases for limits that cannot be divided. */
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
	for (uint32_t i = 0; i < scene.attempt_count; i++)
		http_answer(i, 200);
	scene_settle();
}

/* This node has been one of so many for long. */
static void
be_one_of(uint32_t nodes, uint32_t rank)
{
	store_send_nodes(nodes, rank);
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
	store_send_nodes(3, 2);
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
test_a_share_grows_when_the_attempts_of_a_node_that_is_gone_have_ended(void **state)
{
	int64_t told_us;

	endpoint->max_in_flight = 8;
	be_one_of(4, 0);
	publish(10);
	assert_int_equal(endpoint->in_flight, 2);
	scene_pass(SECOND);
	store_send_nodes(2, 0);
	scene_settle();
	told_us = fake_now_us;
	scene_pass(SETTLE - SECOND);
	assert_int_equal(endpoint->in_flight, 2);
	assert_int_equal(courier_turn(&scene.courier), told_us + SETTLE); /* its timer, not a message, ends the wait */
	scene_pass(SECOND);
	assert_int_equal(endpoint->in_flight, 4);
	store_send_nodes(1, 0);
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
	store_send_nodes(2, 1);
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
	be_one_of(3, 2); /* one request in 1.5 seconds */
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

/* A lease begins with an empty bucket of rate_limit_rps. */
static void
publish_leased(uint32_t count)
{
	publish(count);
	scene_pass(SECOND / 1000);
}

static void
test_one_node_has_all_of_a_limit_that_is_smaller_than_the_number_of_nodes(void **state)
{
	endpoint->max_in_flight = 2;
	be_one_of(3, 2);
	publish_leased(3);
	assert_true(endpoint->leased);
	assert_int_equal(endpoint->in_flight, 2);
	answer_all();
	assert_int_equal(scene.begun, 3);
	answer_all();
	assert_true(endpoint->leased); /* the lease stays for jobs that may come */
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
test_a_lease_is_given_back_in_time_for_other_nodes(void **state)
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
	assert_int_equal(scene.begun, 7); /* the lease is too near its end for another attempt */
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
test_a_new_lease_does_not_allow_a_burst_after_another_nodes_requests(void **state)
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
test_a_node_that_was_alone_keeps_the_lease_until_its_attempts_have_ended(void **state)
{
	endpoint->exact_limits = true;
	publish(3);
	assert_int_equal(endpoint->in_flight, 3);
	assert_int_equal(endpoint->lease_asks, 0);
	store_send_nodes(2, 0);
	scene_settle();
	assert_true(endpoint->leased);
	scene_pass(60 * SECOND);
	assert_true(endpoint->leased);
	answer_all();
	assert_false(endpoint->leased);
	store_send_nodes(1, 0);
	publish_leased(3);
	assert_int_equal(endpoint->in_flight, 3);
	assert_int_equal(endpoint->lease_asks, 1);
}

static void
test_a_lease_waits_for_attempts_that_were_begun_under_shares(void **state)
{
	endpoint->max_in_flight = 2;
	be_one_of(2, 0);
	publish(2);
	assert_int_equal(endpoint->in_flight, 1);
	store_send_nodes(3, 0); /* one attempt of the other node may also be under way */
	scene_settle();
	assert_true(endpoint->leased);
	scene_pass(SETTLE - 1);
	assert_int_equal(endpoint->in_flight, 1);
	answer_all();
	assert_int_equal(scene.begun, 1);
	scene_pass(2 * SECOND); /* by now the time of the lease is also over */
	scene_pass(2 * SECOND);
	scene_pass(SECOND / 1000);
	assert_int_equal(scene.begun, 2);
}

static void
test_shares_wait_for_attempts_that_were_begun_under_a_lease(void **state)
{
	endpoint->max_in_flight = 2;
	endpoint->leased_elsewhere = true;
	be_one_of(3, 1);
	publish_leased(2);
	assert_int_equal(scene.begun, 0);
	store_send_nodes(2, 1); /* two attempts of the node with the lease may be under way */
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
	store_send_nodes(1, 0);
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
test_a_lease_is_void_when_another_node_has_adopted_this_ones_row(void **state)
{
	endpoint->max_in_flight = 1;
	be_one_of(2, 0);
	publish_leased(1);
	answer_all();
	assert_true(endpoint->leased);
	store_lose_node();
	scene_settle();
	endpoint->leased = false; /* the lease belonged to the lost row */
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
	answer_all(); /* the lease is given back, and taken anew */
	scene_pass(SECOND / 1000);
	assert_int_equal(endpoint->lease_asks, 2);
	assert_int_equal(endpoint->in_flight, 1);
	endpoint->timeout_ms /= 2;
	scene_change(0);
	publish_leased(1);
	assert_int_equal(endpoint->in_flight, 2);
}

/* By the store's clock the lease has run out, and another node may have taken it. */
static void
sleep_for_a_minute(void)
{
	fake_slept_us += 60 * SECOND;
	endpoint->leased = false;
}

static void
test_a_machine_that_has_slept_does_not_send_by_its_old_lease(void **state)
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
test_a_machine_that_has_slept_does_not_send_by_a_lease_it_had_asked_for(void **state)
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
	scene_settle(); /* the answer to the request from before the sleep */
	assert_int_equal(scene.begun, 1);
	assert_false(endpoint->leased);
	scene_pass(2 * SECOND);
	scene_pass(SECOND / 1000);
	assert_int_equal(scene.begun, 2);
}

/* ---- endpoints without jobs ---- */

static void
test_no_lease_is_asked_for_without_a_job_that_is_due(void **state)
{
	endpoint->max_in_flight = 1;
	endpoint->waits_ms[0] = 90000;
	endpoint->leased_elsewhere = true;
	be_one_of(3, 0);
	store_send_rows(endpoint); /* so that the courier knows the endpoint */
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
	    SCENE_TEST(test_a_share_grows_when_the_attempts_of_a_node_that_is_gone_have_ended),
	    SCENE_TEST(test_a_node_that_joins_begins_nothing_before_others_have_made_room),
	    SCENE_TEST(test_a_node_has_its_share_of_requests_a_second),
	    SCENE_TEST(test_one_node_has_all_of_a_limit_that_is_smaller_than_the_number_of_nodes),
	    SCENE_TEST(test_nothing_is_sent_while_another_node_has_the_lease),
	    SCENE_TEST(test_a_lease_is_given_back_in_time_for_other_nodes),
	    SCENE_TEST(test_a_new_lease_does_not_allow_a_burst_after_another_nodes_requests),
	    SCENE_TEST(test_a_node_that_was_alone_keeps_the_lease_until_its_attempts_have_ended),
	    SCENE_TEST(test_a_lease_waits_for_attempts_that_were_begun_under_shares),
	    SCENE_TEST(test_shares_wait_for_attempts_that_were_begun_under_a_lease),
	    SCENE_TEST(test_a_node_that_is_alone_again_gives_the_lease_back),
	    SCENE_TEST(test_a_failure_that_is_tried_again_later_does_not_keep_the_lease),
	    SCENE_TEST(test_a_lease_is_void_when_another_node_has_adopted_this_ones_row),
	    SCENE_TEST(test_a_lease_covers_no_attempt_that_may_take_longer_than_those_for_which_it_was_taken),
	    SCENE_TEST(test_a_machine_that_has_slept_does_not_send_by_its_old_lease),
	    SCENE_TEST(test_a_machine_that_has_slept_does_not_send_by_a_lease_it_had_asked_for),
	    SCENE_TEST(test_no_lease_is_asked_for_without_a_job_that_is_due),
	};

	return cmocka_run_group_tests_name("courier_shares", tests, NULL, NULL);
}
