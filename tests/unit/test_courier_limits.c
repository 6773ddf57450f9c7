/* A courier keeps to an endpoint's limits and to its memory, and reports how late its jobs are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sizes.h"
#include "tests/unit/courier_store_fixture.h"

/* ---- rate_limit_rps ---- */

static void
test_five_events_go_one_a_second(void **state)
{
	scene.endpoints[0].rate_limit_rps = 1;
	scene_publish_many(0, 5);
	for (uint32_t i = 1; i <= 5; i++) {
		assert_int_equal(scene.begun, i);
		scene_answer_all(200);
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
	scene_publish_many(0, 3);
	scene_answer_all(200);
	assert_int_equal(courier_turn(&scene.courier), began_us + SECOND / 2);
}

static void
test_an_endpoint_at_its_limit_does_not_delay_others(void **state)
{
	scene.endpoints[0].rate_limit_rps = 1;
	scene_publish_many(0, 5);
	scene_publish_many(1, 3);
	assert_int_equal(scene.endpoints[0].in_flight, 1);
	assert_int_equal(scene.endpoints[1].in_flight, 3);
}

static void
test_a_restart_of_the_courier_allows_no_burst_above_the_rate_limit(void **state)
{
	scene.endpoints[0].rate_limit_rps = 1;
	scene_publish_many(0, 3);
	scene_answer_all(200);
	assert_int_equal(scene.begun, 1);
	scene_kill();
	store_start();
	fake_now_us += 10 * SECOND; /* past the five seconds in which their parcels may still come */
	scene.courier.queues.opened_us = fake_now_us;
	scene_settle();
	assert_int_equal(scene.begun, 1);
	fake_now_us += SECOND;
	scene_settle();
	assert_int_equal(scene.begun, 2);
}

/* ---- many jobs of one tenant ---- */

/* Publishes rows to three endpoints of the tenant "default", whose receivers do not answer. */
static void
pile_up(uint32_t rows, uint32_t bytes)
{
	for (uint32_t i = 3; i < 6; i++)
		scene.endpoints[i].max_in_flight = 10000;
	for (uint32_t i = 0; i < rows; i++)
		(void)scene_row(3 + i % 3, bytes, fake_now_us - 10 * SECOND);
	scene_miss();
	scene_pass(5 * SECOND);
}

static void
test_many_jobs_of_one_tenant_leave_memory_to_another(void **state)
{
	scene_end();
	scene_begin(512 * KIB, 8 * MIB);
	store_start();
	pile_up(1200, 2000);
	assert_true(jobs_in_memory() < 400);
	scene_publish_many(0, 20);
	assert_int_equal(scene.endpoints[0].in_flight, 3);
	assert_true(scene.courier.jobs.bytes <= 512 * KIB);
	for (uint32_t done = 0; done < 20;) {
		uint32_t number = 0;

		while (scene.attempts[number]->row->endpoint != 0)
			number++;
		http_answer(number, 200);
		scene_settle();
		done = 0;
		for (uint32_t i = 1200; i < scene.row_count; i++)
			done += scene.rows[i]->delivered;
	}
}

static void
test_many_attempts_of_one_tenant_leave_slots_to_another(void **state)
{
	scene_end();
	scene_begin(8 * MIB, 16 * MIB);
	store_start();
	pile_up(1200, 10);
	assert_in_range(scene.attempt_count, COURIER_IN_FLIGHT_MOST / 2, COURIER_IN_FLIGHT_MOST - 100);
	scene_publish_many(0, 3);
	scene_publish_many(1, 3);
	assert_int_equal(scene.endpoints[0].in_flight, 3);
	assert_int_equal(scene.endpoints[1].in_flight, 3);
}

/* ---- how late deliveries are ---- */

static int64_t
late_since_us(void)
{
	return courier_oldest_due_us(&scene.slot);
}

static void
test_the_courier_reports_since_when_its_oldest_job_is_due(void **state)
{
	int64_t published_us = fake_now_us;

	scene_publish_many(0, 5);
	scene_pass(5 * SECOND);
	assert_int_equal(late_since_us(), published_us);
	scene_answer_all(200);
	assert_int_equal(scene.attempt_count, 2);
	scene_pass(5 * SECOND);
	assert_int_equal(late_since_us(), 0);
	scene_publish_many(0, 2);
	scene_pass(5 * SECOND);
	assert_int_equal(late_since_us(), fake_now_us - 5 * SECOND);
	assert_in_range(courier_turn(&scene.courier), fake_now_us, fake_now_us + 5 * SECOND);
}

static void
test_jobs_of_a_disabled_endpoint_are_not_late(void **state)
{
	scene_publish_many(0, 5);
	scene.endpoints[0].enabled = false;
	scene_change(0);
	scene_pass(5 * SECOND);
	assert_int_equal(late_since_us(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENE_TEST(test_five_events_go_one_a_second),
	    SCENE_TEST(test_the_courier_sleeps_until_the_next_token),
	    SCENE_TEST(test_an_endpoint_at_its_limit_does_not_delay_others),
	    SCENE_TEST(test_many_jobs_of_one_tenant_leave_memory_to_another),
	    SCENE_TEST(test_many_attempts_of_one_tenant_leave_slots_to_another),
	    SCENE_TEST(test_the_courier_reports_since_when_its_oldest_job_is_due),
	    SCENE_TEST(test_jobs_of_a_disabled_endpoint_are_not_late),
	    SCENE_TEST(test_a_restart_of_the_courier_allows_no_burst_above_the_rate_limit),
	};

	return cmocka_run_group_tests_name("courier_limits", tests, NULL, NULL);
}
