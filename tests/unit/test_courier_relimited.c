/* A change of an endpoint's limits that also changes how nodes divide them: by shares, or by turns with a lease. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/courier_store_fixture.h"

static struct model_endpoint *const endpoint = &scene.endpoints[0];

/* This node has been one of so many for long. */
static void
be_one_of(uint32_t nodes, uint32_t rank)
{
	store_send_nodes(nodes, rank);
	scene_settle();
	scene_pass(SETTLE);
}

/* Changes the limits of the endpoint with that version. */
static void
change_limits(int64_t version)
{
	endpoint->limits_version = version;
	scene_change(0);
	scene_settle();
}

/* Attempts begin only when all nodes act by the version, and when those that began before have ended. */
static void
must_rest_until_seen(int64_t version)
{
	uint32_t begun = scene.begun;

	scene_pass(60 * SECOND);
	assert_int_equal(scene.begun, begun);
	store_send_seen(version - 1);
	scene_pass(60 * SECOND);
	assert_int_equal(scene.begun, begun);
	store_send_seen(version);
	scene_settle();
	scene_pass(SETTLE - 1);
	assert_int_equal(scene.begun, begun);
	scene_pass(1);
	scene_pass(SECOND / 1000);
	assert_true(scene.begun > begun);
}

static void
test_turns_replace_shares_when_all_nodes_know_of_the_change(void **state)
{
	endpoint->max_in_flight = 4;
	be_one_of(2, 0);
	scene_publish_many(0, 10);
	scene_answer_all(200);
	assert_int_equal(endpoint->in_flight, 2);
	endpoint->exact_limits = true;
	change_limits(8);
	scene_answer_all(200);
	assert_int_equal(endpoint->in_flight, 0);
	must_rest_until_seen(8);
	assert_true(endpoint->leased);
	assert_int_equal(endpoint->in_flight, 4);
}

static void
test_shares_replace_turns_when_all_nodes_know_of_the_change(void **state)
{
	endpoint->max_in_flight = 4;
	endpoint->exact_limits = endpoint->leased_elsewhere = true;
	be_one_of(2, 0);
	scene_publish_many(0, 10);
	assert_int_equal(endpoint->in_flight, 0);
	endpoint->exact_limits = false;
	change_limits(8);
	must_rest_until_seen(8);
	assert_int_equal(endpoint->in_flight, 2);
}

static void
test_turns_replace_shares_when_a_limit_becomes_smaller_than_the_number_of_nodes(void **state)
{
	endpoint->max_in_flight = 4;
	be_one_of(3, 0);
	scene_publish_many(0, 10);
	endpoint->max_in_flight = 2;
	change_limits(8);
	scene_answer_all(200);
	must_rest_until_seen(8);
	assert_int_equal(endpoint->in_flight, 2);
}

static void
test_a_node_that_is_alone_after_the_change_does_not_wait_for_others(void **state)
{
	be_one_of(2, 0);
	scene_publish_many(0, 1);
	endpoint->exact_limits = true;
	change_limits(8);
	scene_answer_all(200);
	scene_publish_many(0, 3);
	assert_int_equal(endpoint->in_flight, 0);
	store_send_nodes(1, 0);
	scene_settle();
	scene_pass(SETTLE);
	assert_int_equal(endpoint->in_flight, 3);
}

static void
test_other_changes_of_limits_hold_at_once(void **state)
{
	store_send_seen(1);
	endpoint->max_in_flight = 4;
	be_one_of(2, 0);
	scene_publish_many(0, 20);
	assert_int_equal(endpoint->in_flight, 2);
	endpoint->max_in_flight = 8;
	change_limits(8);
	assert_int_equal(endpoint->in_flight, 4);

	store_send_nodes(1, 0); /* a node that is alone waits for nobody */
	scene_settle();
	endpoint->exact_limits = true;
	change_limits(9);
	scene_answer_all(200);
	assert_int_equal(endpoint->in_flight, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENE_TEST(test_turns_replace_shares_when_all_nodes_know_of_the_change),
	    SCENE_TEST(test_shares_replace_turns_when_all_nodes_know_of_the_change),
	    SCENE_TEST(test_turns_replace_shares_when_a_limit_becomes_smaller_than_the_number_of_nodes),
	    SCENE_TEST(test_a_node_that_is_alone_after_the_change_does_not_wait_for_others),
	    SCENE_TEST(test_other_changes_of_limits_hold_at_once),
	};

	return cmocka_run_group_tests_name("courier_relimited", tests, NULL, NULL);
}
