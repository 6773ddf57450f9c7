/* How a courier treats jobs of tenants whose deliveries are paused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/courier_store_fixture.h"

static void
check_pause(const char *tenant_id)
{
	for (uint32_t i = 0; i < 10; i++)
		(void)scene_publish(0);
	scene_settle();
	store_send_pause(tenant_id);
	scene_settle();
	assert_int_equal(jobs_in_memory(), 3); /* under way */
	http_answer(0, 500);
	http_answer(1, 200);
	http_answer(2, 200);
	(void)scene_publish(0);
	for (uint32_t i = 0; i < 1000; i++)
		scene_pass(SECOND);
	assert_int_equal(jobs_in_memory(), 0);
	assert_int_equal(scene.begun, 3);
	store_send_pause(NULL);
	scene_settle();
	assert_int_equal(scene.begun, 6);
	for (uint32_t i = 0; i < 20 && scene.attempt_count > 0; i++) {
		http_answer(0, 200);
		scene_settle();
	}
	assert_int_equal(scene.begun, 12);
}

static void
test_jobs_of_a_paused_tenant_wait_in_their_rows(void **state)
{
	check_pause(scene.endpoints[0].tenant_id);
}

static void
test_a_pause_of_all_deliveries_pauses_each_tenant(void **state)
{
	check_pause("*");
}

static void
test_a_pause_of_one_tenant_does_not_pause_another(void **state)
{
	store_send_pause("somebody");
	(void)scene_publish(0);
	scene_settle();
	assert_int_equal(scene.begun, 1);
}

static void
test_a_scan_repeats_itself_when_a_pause_ends(void **state)
{
	uint32_t scans;

	scene_settle();
	store_send_pause("*");
	scene_pass(60 * SECOND);
	scans = scene.scans;
	store_send_pause(NULL);
	scene_settle();
	assert_int_equal(scene.scans, scans + 1);
	scene_pass(60 * SECOND);
	scene_pass(60 * SECOND);
	assert_int_equal(scene.scans, scans + 2);
}

/* ---- jobs that are a few seconds old when deliveries go on ---- */

static void
test_events_that_came_during_a_pause_are_sent_when_it_ends(void **state)
{
	store_send_pause("*");
	scene_settle();
	scene_publish_many(0, 2);
	assert_int_equal(scene.begun, 0);
	fake_now_us += SECOND;
	store_send_pause(NULL);
	scene_settle();
	assert_int_equal(scene.begun, 2);
}

static void
test_events_that_came_while_an_endpoint_was_disabled_are_sent_when_it_is_enabled(void **state)
{
	scene_publish_many(0, 1);
	scene_answer_all(200);
	scene.endpoints[0].enabled = false;
	scene_change(0);
	scene_settle();
	scene_publish_many(0, 2);
	fake_now_us += 2 * SECOND; /* past the last round of the endpoint, and before the next one */
	scene.endpoints[0].enabled = true;
	scene_change(0);
	scene_settle();
	assert_int_equal(scene.begun, 3);
}

static void
test_a_parcel_that_comes_after_its_job_is_done_is_dropped(void **state)
{
	struct model_row *row;

	scene_publish_many(0, 1);
	scene_answer_all(200);
	store_send_pause("*");
	scene_settle();
	row = scene_row(0, 100, fake_now_us);
	fake_now_us += 2 * SECOND;
	store_send_pause(NULL);
	scene_settle();
	assert_int_equal(scene.begun, 2);
	scene_answer_all(200);
	assert_int_equal(row->delivered, 1);
	fake_now_us += SECOND;
	scene_hand_over(0, &row, 1);
	scene_settle();
	assert_int_equal(scene.begun, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENE_TEST(test_jobs_of_a_paused_tenant_wait_in_their_rows),
	    SCENE_TEST(test_a_pause_of_all_deliveries_pauses_each_tenant),
	    SCENE_TEST(test_a_pause_of_one_tenant_does_not_pause_another),
	    SCENE_TEST(test_a_scan_repeats_itself_when_a_pause_ends),
	    SCENE_TEST(test_events_that_came_during_a_pause_are_sent_when_it_ends),
	    SCENE_TEST(test_events_that_came_while_an_endpoint_was_disabled_are_sent_when_it_is_enabled),
	    SCENE_TEST(test_a_parcel_that_comes_after_its_job_is_done_is_dropped),
	};

	return cmocka_run_group_tests_name("courier_paused", tests, NULL, NULL);
}
