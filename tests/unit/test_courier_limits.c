/* A courier keeps to an endpoint's limits, and asks an endpoint that fails only now and then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sizes.h"
#include "tests/unit/courier_fixture.h"

static int
begin_scene(void **state)
{
	scene_begin(8 * MIB, 1 * MIB);
	store_start();
	scene_settle();
	return 0;
}

static int
end_scene(void **state)
{
	scene_end();
	return 0;
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, begin_scene, end_scene)

static void
publish(uint32_t endpoint, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		(void)scene_publish(endpoint);
	scene_settle();
}

static void
answer_all(int32_t status)
{
	for (uint32_t i = 0; i < scene.order_count; i++)
		http_answer(i, status);
	scene_settle();
}

/* ---- rate_limit_rps ---- */

static void
test_five_events_go_one_a_second(void **state)
{
	scene.endpoints[0].rate_limit_rps = 1;
	publish(0, 5);
	for (uint32_t i = 1; i <= 5; i++) {
		assert_int_equal(scene.begun, i);
		answer_all(200);
		fake_now_us += SECOND - 1;
		scene_settle();
		assert_int_equal(scene.begun, i);
		fake_now_us++;
		scene_settle();
	}
	for (uint32_t i = 0; i < scene.row_count; i++)
		assert_int_equal(scene.rows[i]->attempt_count, 1);
}

static void
test_the_courier_sleeps_until_the_next_token(void **state)
{
	int64_t began_us = fake_now_us;

	scene.endpoints[0].rate_limit_rps = 2;
	publish(0, 3);
	answer_all(200);
	assert_int_equal(courier_turn(&scene.courier), began_us + SECOND / 2);
}

static void
test_an_endpoint_at_its_limit_does_not_keep_others_waiting(void **state)
{
	scene.endpoints[0].rate_limit_rps = 1;
	publish(0, 5);
	publish(1, 3);
	assert_int_equal(scene.endpoints[0].in_flight, 1);
	assert_int_equal(scene.endpoints[1].in_flight, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENE_TEST(test_five_events_go_one_a_second),
	    SCENE_TEST(test_the_courier_sleeps_until_the_next_token),
	    SCENE_TEST(test_an_endpoint_at_its_limit_does_not_keep_others_waiting),
	};

	return cmocka_run_group_tests_name("courier_limits", tests, NULL, NULL);
}
