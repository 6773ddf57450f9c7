/* A courier makes tests of endpoints beside its jobs: no limit or pause holds them back, and no breaker counts them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/courier_store_fixture.h"

static const uint8_t attempt_id[16] = {1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, 16};

static void
end_test(int32_t status, enum attempt_end end)
{
	struct attempt_result result = {.end = end, .http_status = status, .retry_after_ms = -1};

	memcpy(result.attempt_id, attempt_id, sizeof attempt_id);
	courier_attempt_done(&scene.courier, scene.test.context, &result);
}

static void
ask_for_test(uint32_t endpoint, const struct model_row *row)
{
	store_send_test(&scene.endpoints[endpoint], row, attempt_id);
	scene_settle();
}

static void
test_a_test_is_made_although_the_endpoint_is_disabled_and_everything_paused(void **state)
{
	struct model_row *row = scene_row(0, 100, fake_now_us);

	scene.endpoints[0].enabled = false;
	scene_change(0);
	store_send_pause("*");
	ask_for_test(0, row);
	assert_int_equal(scene.tests, 1);
	assert_int_equal(scene.begun, 0);
	assert_int_equal(courier_in_flight(&scene.courier), 1);
	assert_memory_equal(scene.test.attempt_id, attempt_id, sizeof attempt_id);
	assert_memory_equal(scene.test.event, row->event, row->event->length);
	end_test(500, ATTEMPT_ANSWERED);
	assert_int_equal(courier_in_flight(&scene.courier), 0);
	assert_int_equal(scene.tested_count, 1);
	assert_int_equal(scene.tested.http_status, 500);
}

static void
test_tests_that_fail_open_no_breaker_and_use_no_slot(void **state)
{
	struct model_row *row = scene_publish(0);

	scene_settle();
	assert_int_equal(scene.begun, 1);
	for (uint32_t i = 0; i < 20; i++) {
		ask_for_test(0, row);
		end_test(410, ATTEMPT_ANSWERED);
	}
	assert_int_equal(scene.tested_count, 20);
	assert_int_equal(scene.courier.queues.breakers[BREAKER_OPEN], 0);
	assert_int_equal(scene.courier.jobs.in_flight, 1);
	http_answer(0, 200);
	scene_settle();
	(void)scene_publish(0);
	scene_settle();
	assert_int_equal(scene.begun, 2);
	http_answer(0, 200);
	scene_settle();
}

static void
test_a_drain_begins_no_test_and_stores_no_result_of_one_that_it_cuts_off(void **state)
{
	struct model_row *row = scene_row(0, 100, fake_now_us);

	ask_for_test(0, row);
	courier_drain(&scene.courier);
	ask_for_test(0, row);
	assert_int_equal(scene.tests, 1);
	assert_int_equal(courier_in_flight(&scene.courier), 1);
	end_test(0, ATTEMPT_INTERNAL);
	assert_int_equal(courier_in_flight(&scene.courier), 0);
	assert_int_equal(scene.tested_count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENE_TEST(test_a_test_is_made_although_the_endpoint_is_disabled_and_everything_paused),
	    SCENE_TEST(test_tests_that_fail_open_no_breaker_and_use_no_slot),
	    SCENE_TEST(test_a_drain_begins_no_test_and_stores_no_result_of_one_that_it_cuts_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
