/* A courier keeps to an endpoint's limits, and asks an endpoint that fails only now and then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sizes.h"
#include "tests/unit/courier_fixture.h"

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

static void
test_a_courier_waits_for_a_token_that_its_predecessor_has_not_taken(void **state)
{
	scene.endpoints[0].rate_limit_rps = 1;
	publish(0, 3);
	answer_all(200);
	assert_int_equal(scene.begun, 1);
	scene_kill();
	store_start();
	fake_now_us += 10 * SECOND; /* until the rows are not young any more */
	scene.courier.queues.opened_us = fake_now_us;
	scene_settle();
	assert_int_equal(scene.begun, 1);
	fake_now_us += SECOND;
	scene_settle();
	assert_int_equal(scene.begun, 2);
}

/* ---- many jobs of one tenant ---- */

/* Of three endpoints of the tenant "default", whose receivers answer nothing. */
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
	publish(0, 20);
	assert_int_equal(scene.endpoints[0].in_flight, 3);
	assert_true(scene.courier.jobs.bytes <= 512 * KIB);
	for (uint32_t done = 0; done < 20;) {
		uint32_t number = 0;

		while (scene.orders[number]->row->endpoint != 0)
			number++;
		http_answer(number, 200);
		scene_settle();
		done = 0;
		for (uint32_t i = 1200; i < scene.row_count; i++)
			done += scene.rows[i]->delivered;
	}
}

static void
test_many_jobs_of_one_tenant_leave_slots_to_another(void **state)
{
	scene_end();
	scene_begin(8 * MIB, 16 * MIB);
	store_start();
	pile_up(1200, 10);
	assert_in_range(scene.order_count, COURIER_IN_FLIGHT_MOST / 2, COURIER_IN_FLIGHT_MOST - 100);
	publish(0, 3);
	publish(1, 3);
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
test_the_instant_is_told_since_when_the_oldest_job_is_due(void **state)
{
	int64_t published_us = fake_now_us;

	publish(0, 5);
	scene_pass(5 * SECOND);
	assert_int_equal(late_since_us(), published_us);
	answer_all(200);
	assert_int_equal(scene.order_count, 2);
	scene_pass(5 * SECOND);
	assert_int_equal(late_since_us(), 0);
	publish(0, 2);
	scene_pass(5 * SECOND);
	assert_int_equal(late_since_us(), fake_now_us - 5 * SECOND);
	assert_in_range(courier_turn(&scene.courier), fake_now_us, fake_now_us + 5 * SECOND);
}

static void
test_jobs_that_nobody_may_begin_are_not_late(void **state)
{
	publish(0, 5);
	scene.endpoints[0].enabled = false;
	scene_change(0);
	scene_pass(5 * SECOND);
	assert_int_equal(late_since_us(), 0);
}

/* ---- the circuit breaker ---- */

static uint32_t
breakers_open(void)
{
	return (uint32_t)scene.slot.process.levels[LEVEL_BREAKERS_OPEN];
}

/* Of the endpoint's rows: those of which an attempt was charged, and those that are delivered. */
static uint32_t
count_rows(uint32_t endpoint, bool delivered)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < scene.row_count; i++)
		if (scene.rows[i]->endpoint == endpoint)
			count += delivered ? scene.rows[i]->delivered : scene.rows[i]->attempt_count > 0;
	return count;
}

/* Publishes and answers until the breaker is open; no attempt is under way then. */
static void
open_breaker(uint32_t endpoint, uint32_t events, int32_t status)
{
	publish(endpoint, events);
	while (scene.order_count > 0)
		answer_all(status);
	assert_int_equal(scene.endpoints[endpoint].breaker, BREAKER_OPEN);
	assert_int_equal(breakers_open(), 1);
}

static void
receive_until_delivered(uint32_t endpoint, uint32_t events)
{
	for (uint32_t i = 0; i < 200 && count_rows(endpoint, true) < events; i++) {
		answer_all(200);
		if (scene.order_count == 0)
			scene_pass(SECOND);
	}
	assert_int_equal(count_rows(endpoint, true), events);
	assert_int_equal(scene.endpoints[endpoint].breaker, BREAKER_CLOSED);
	assert_int_equal(breakers_open(), 0);
}

static void
test_an_endpoint_that_only_fails_costs_no_attempts_of_jobs_that_wait(void **state)
{
	open_breaker(0, 40, 403);
	assert_in_range(count_rows(0, false), 10, 12);
	assert_int_equal(late_since_us(), 0);
	scene_pass(4 * SECOND);
	assert_int_equal(scene.order_count, 0);
	scene_pass(SECOND);
	assert_int_equal(scene.order_count, 1);
	scene_pass(60 * SECOND);
	assert_int_equal(scene.order_count, 1); /* one probe, as long as it lasts */
	answer_all(403);
	scene_pass(9 * SECOND);
	assert_int_equal(scene.order_count, 0);
	receive_until_delivered(0, 40);
}

static void
test_answers_that_kill_a_job_at_once_open_the_breaker(void **state)
{
	uint32_t dead = 0;

	open_breaker(0, 100, 422);
	for (uint32_t i = 0; i < scene.row_count; i++)
		dead += scene.rows[i]->dead;
	assert_in_range(dead, 10, 12);
}

static void
test_an_open_breaker_keeps_a_page_of_jobs_and_reads_no_rows(void **state)
{
	uint32_t pages;

	scene.endpoints[0].waits_ms[0] = 3600000;
	open_breaker(0, 700, 500);
	publish(0, 50);
	scene_pass(6 * SECOND);
	assert_in_range(jobs_in_memory(), 400, PAGE_ROWS);
	pages = scene.pages;
	for (int i = 0; i < 100; i++) {
		answer_all(500);
		scene_pass(10 * SECOND);
		assert_true(jobs_in_memory() <= PAGE_ROWS);
	}
	assert_int_equal(scene.pages, pages);
	for (int i = 0; i < 8000 && count_rows(0, true) < 750; i++) {
		answer_all(200);
		if (scene.order_count == 0)
			scene_pass(SECOND);
	}
	assert_int_equal(count_rows(0, true), 750);
}

static void
test_jobs_that_are_cancelled_or_made_are_seen_while_the_breaker_is_open(void **state)
{
	struct model_row *made;

	open_breaker(0, 40, 403);
	for (uint32_t i = 0; i < scene.row_count; i++)
		scene.rows[i]->is_row = scene.rows[i]->is_row && scene.rows[i]->attempt_count > 0;
	made = scene_row(0, 100, fake_now_us - 10 * SECOND);
	scene_change(0);
	scene_settle();
	for (int i = 0; i < 100 && made->is_row; i++) {
		scene_pass(5 * SECOND);
		for (uint32_t n = 0; n < scene.order_count; n++)
			assert_true(scene.orders[n]->row->is_row);
		answer_all(200);
	}
	assert_int_equal(made->delivered, 1);
}

/* The ways in which a probe can end; after each the endpoint is asked again, and closed when it is well. */
static void
test_however_a_probe_ends_a_receiver_that_is_well_gets_its_events(void **state)
{
	static const struct attempt_result ends[] = {
	    {.end = ATTEMPT_GUARD, .retry_after_ms = -1},
	    {.end = ATTEMPT_OURS, .retry_after_ms = -1},
	    {.end = ATTEMPT_TRANSFORM, .retry_after_ms = -1},
	    {.end = ATTEMPT_UNRESOLVED, .retry_after_ms = -1},
	    {.end = ATTEMPT_FAILED, .retry_after_ms = -1},
	    {.end = ATTEMPT_FAILED, .retry_after_ms = -1, .refused = true},
	    {.end = ATTEMPT_ANSWERED, .http_status = 301, .retry_after_ms = -1},
	    {.end = ATTEMPT_ANSWERED, .http_status = 422, .retry_after_ms = -1},
	    {.end = ATTEMPT_ANSWERED, .http_status = 429, .retry_after_ms = 7000},
	    {.end = ATTEMPT_ANSWERED, .http_status = 503, .retry_after_ms = 7000},
	    {.end = ATTEMPT_ANSWERED, .http_status = 500, .retry_after_ms = -1, .wish = WISH_ABORT},
	};

	for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++) {
		(void)scene_tear_down(NULL);
		(void)scene_set_up(NULL);
		open_breaker(0, 30, 500);
		scene_pass(5 * SECOND);
		assert_int_equal(scene.order_count, 1);
		http_end(0, &ends[i]);
		scene_settle();
		assert_int_equal(scene.endpoints[0].breaker, BREAKER_OPEN);
		for (uint32_t n = 0; n < 200 && scene.endpoints[0].breaker != BREAKER_CLOSED; n++) {
			scene_pass(SECOND);
			answer_all(200);
		}
		assert_int_equal(scene.endpoints[0].breaker, BREAKER_CLOSED);
	}
}

static void
test_a_new_url_closes_the_breaker_at_once_even_during_a_probe(void **state)
{
	open_breaker(0, 30, 500);
	scene_pass(5 * SECOND);
	assert_int_equal(scene.order_count, 1);
	scene.endpoints[0].breaker_version = scene.endpoints[0].version + 1;
	scene_change(0);
	scene_settle();
	assert_int_equal(scene.endpoints[0].breaker, BREAKER_CLOSED);
	assert_int_equal(scene.order_count, 3);
	http_answer(0, 500); /* the probe, of the old URL */
	scene_settle();
	assert_int_equal(scene.endpoints[0].breaker, BREAKER_CLOSED);
	receive_until_delivered(0, 30);
}

static void
test_another_change_leaves_the_breaker_open(void **state)
{
	open_breaker(0, 30, 500);
	scene_change(0);
	scene_settle();
	assert_int_equal(scene.order_count, 0);
	assert_int_equal(scene.endpoints[0].breaker, BREAKER_OPEN);
}

static void
test_after_a_restart_an_open_breaker_begins_with_one_probe(void **state)
{
	open_breaker(0, 30, 500);
	scene_kill();
	store_start();
	scene_pass(10 * SECOND);
	assert_int_equal(scene.order_count, 1);
	assert_int_equal(breakers_open(), 1);
	receive_until_delivered(0, 30);
}

static void
test_refused_connections_open_the_breaker_sooner(void **state)
{
	static const struct attempt_result refused = {.end = ATTEMPT_FAILED, .retry_after_ms = -1, .refused = true};

	publish(0, 30);
	for (uint32_t i = 0; i < 3; i++)
		http_end(i, &refused);
	scene_settle();
	assert_int_equal(scene.endpoints[0].breaker, BREAKER_OPEN);
	assert_int_equal(scene.order_count, 0);
}

static void
test_the_figure_of_open_breakers_goes_down_with_a_deleted_endpoint(void **state)
{
	open_breaker(0, 30, 500);
	scene.endpoints[0].deleted = true;
	scene_change(0);
	scene_settle();
	assert_int_equal(breakers_open(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENE_TEST(test_five_events_go_one_a_second),
	    SCENE_TEST(test_the_courier_sleeps_until_the_next_token),
	    SCENE_TEST(test_an_endpoint_at_its_limit_does_not_keep_others_waiting),
	    SCENE_TEST(test_many_jobs_of_one_tenant_leave_memory_to_another),
	    SCENE_TEST(test_many_jobs_of_one_tenant_leave_slots_to_another),
	    SCENE_TEST(test_the_instant_is_told_since_when_the_oldest_job_is_due),
	    SCENE_TEST(test_jobs_that_nobody_may_begin_are_not_late),
	    SCENE_TEST(test_a_courier_waits_for_a_token_that_its_predecessor_has_not_taken),
	    SCENE_TEST(test_an_endpoint_that_only_fails_costs_no_attempts_of_jobs_that_wait),
	    SCENE_TEST(test_answers_that_kill_a_job_at_once_open_the_breaker),
	    SCENE_TEST(test_an_open_breaker_keeps_a_page_of_jobs_and_reads_no_rows),
	    SCENE_TEST(test_jobs_that_are_cancelled_or_made_are_seen_while_the_breaker_is_open),
	    SCENE_TEST(test_however_a_probe_ends_a_receiver_that_is_well_gets_its_events),
	    SCENE_TEST(test_a_new_url_closes_the_breaker_at_once_even_during_a_probe),
	    SCENE_TEST(test_another_change_leaves_the_breaker_open),
	    SCENE_TEST(test_after_a_restart_an_open_breaker_begins_with_one_probe),
	    SCENE_TEST(test_refused_connections_open_the_breaker_sooner),
	    SCENE_TEST(test_the_figure_of_open_breakers_goes_down_with_a_deleted_endpoint),
	};

	return cmocka_run_group_tests_name("courier_limits", tests, NULL, NULL);
}
