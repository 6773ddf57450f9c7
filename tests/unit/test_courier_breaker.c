/*
 * While an endpoint only fails, a courier sends it one job now and then. When the endpoint is well again, it sends the
 * rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/courier_store_fixture.h"

static uint32_t
breakers_open(void)
{
	return (uint32_t)scene.slot.process.levels[LEVEL_BREAKERS_OPEN];
}

/* Counts the endpoint's rows: those that were charged an attempt, or those that are delivered. */
static uint32_t
count_rows(uint32_t endpoint, bool delivered)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < scene.row_count; i++)
		if (scene.rows[i]->endpoint == endpoint)
			count += delivered ? scene.rows[i]->delivered : scene.rows[i]->attempt_count > 0;
	return count;
}

/* Publishes and answers until the breaker is open. No attempt is under way then. */
static void
open_breaker(uint32_t endpoint, uint32_t events, int32_t status)
{
	scene_publish_many(endpoint, events);
	while (scene.attempt_count > 0)
		scene_answer_all(status);
	assert_int_equal(scene.endpoints[endpoint].breaker, BREAKER_OPEN);
	assert_int_equal(breakers_open(), 1);
}

static void
receive_until_delivered(uint32_t endpoint, uint32_t events)
{
	for (uint32_t i = 0; i < 200 && count_rows(endpoint, true) < events; i++) {
		scene_answer_all(200);
		if (scene.attempt_count == 0)
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
	assert_int_equal(courier_oldest_due_us(&scene.slot), 0);
	scene_pass(4 * SECOND);
	assert_int_equal(scene.attempt_count, 0);
	scene_pass(SECOND);
	assert_int_equal(scene.attempt_count, 1);
	scene_pass(60 * SECOND);
	assert_int_equal(scene.attempt_count, 1); /* the probe alone, as long as it lasts */
	scene_answer_all(403);
	scene_pass(9 * SECOND);
	assert_int_equal(scene.attempt_count, 0);
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
	scene_publish_many(0, 50);
	scene_pass(6 * SECOND);
	assert_in_range(jobs_in_memory(), 400, PAGE_ROWS);
	pages = scene.pages;
	for (int i = 0; i < 100; i++) {
		scene_answer_all(500);
		scene_pass(10 * SECOND);
		assert_true(jobs_in_memory() <= PAGE_ROWS);
	}
	assert_int_equal(scene.pages, pages);
	for (int i = 0; i < 8000 && count_rows(0, true) < 750; i++) {
		scene_answer_all(200);
		if (scene.attempt_count == 0)
			scene_pass(SECOND);
	}
	assert_int_equal(count_rows(0, true), 750);
}

static void
test_jobs_are_added_and_cancelled_while_the_breaker_is_open(void **state)
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
		for (uint32_t n = 0; n < scene.attempt_count; n++)
			assert_true(scene.attempts[n]->row->is_row);
		scene_answer_all(200);
	}
	assert_int_equal(made->delivered, 1);
}

/* For each way in which a probe can end: the endpoint is probed again, and the breaker closes when it is well. */
static void
test_a_receiver_that_is_well_again_gets_its_events_however_a_probe_ended(void **state)
{
	static const struct attempt_result ends[] = {
	    {.end = ATTEMPT_GUARD, .retry_after_ms = -1},
	    {.end = ATTEMPT_INTERNAL, .retry_after_ms = -1},
	    {.end = ATTEMPT_TRANSFORM, .retry_after_ms = -1},
	    {.end = ATTEMPT_UNRESOLVED, .retry_after_ms = -1},
	    {.end = ATTEMPT_FAILED, .retry_after_ms = -1},
	    {.end = ATTEMPT_FAILED, .retry_after_ms = -1, .failure = FAILURE_REFUSED},
	    {.end = ATTEMPT_ANSWERED, .http_status = 301, .retry_after_ms = -1},
	    {.end = ATTEMPT_ANSWERED, .http_status = 422, .retry_after_ms = -1},
	    {.end = ATTEMPT_ANSWERED, .http_status = 429, .retry_after_ms = 7000},
	    {.end = ATTEMPT_ANSWERED, .http_status = 503, .retry_after_ms = 7000},
	    {.end = ATTEMPT_ANSWERED, .http_status = 500, .retry_after_ms = -1, .directive = DIRECTIVE_ABORT},
	};

	for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++) {
		(void)scene_tear_down(NULL);
		(void)scene_set_up(NULL);
		open_breaker(0, 30, 500);
		scene_pass(5 * SECOND);
		assert_int_equal(scene.attempt_count, 1);
		http_end(0, &ends[i]);
		scene_settle();
		assert_int_equal(scene.endpoints[0].breaker, BREAKER_OPEN);
		for (uint32_t n = 0; n < 200 && scene.endpoints[0].breaker != BREAKER_CLOSED; n++) {
			scene_pass(SECOND);
			scene_answer_all(200);
		}
		assert_int_equal(scene.endpoints[0].breaker, BREAKER_CLOSED);
	}
}

static void
test_a_new_url_closes_the_breaker_at_once_even_during_a_probe(void **state)
{
	open_breaker(0, 30, 500);
	scene_pass(5 * SECOND);
	assert_int_equal(scene.attempt_count, 1);
	scene.endpoints[0].breaker_version = scene.endpoints[0].version + 1;
	scene_change(0);
	scene_settle();
	assert_int_equal(scene.endpoints[0].breaker, BREAKER_CLOSED);
	assert_int_equal(scene.attempt_count, 3);
	http_answer(0, 500); /* the probe, of the old URL */
	scene_settle();
	assert_int_equal(scene.endpoints[0].breaker, BREAKER_CLOSED);
	receive_until_delivered(0, 30);
}

static void
test_a_change_of_anything_but_the_url_leaves_the_breaker_open(void **state)
{
	open_breaker(0, 30, 500);
	scene_change(0);
	scene_settle();
	assert_int_equal(scene.attempt_count, 0);
	assert_int_equal(scene.endpoints[0].breaker, BREAKER_OPEN);
}

static void
test_after_a_restart_an_open_breaker_begins_with_one_probe(void **state)
{
	open_breaker(0, 30, 500);
	scene_kill();
	store_start();
	scene_pass(10 * SECOND);
	assert_int_equal(scene.attempt_count, 1);
	assert_int_equal(breakers_open(), 1);
	receive_until_delivered(0, 30);
}

static void
test_refused_connections_open_the_breaker_sooner(void **state)
{
	static const struct attempt_result refused = {
	    .end = ATTEMPT_FAILED, .retry_after_ms = -1, .failure = FAILURE_REFUSED};

	scene_publish_many(0, 30);
	for (uint32_t i = 0; i < 3; i++)
		http_end(i, &refused);
	scene_settle();
	assert_int_equal(scene.endpoints[0].breaker, BREAKER_OPEN);
	assert_int_equal(scene.attempt_count, 0);
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

/* The breaker would open with the tenth failure. */
static void
test_failures_at_the_old_url_do_not_count_at_the_new_one(void **state)
{
	for (int round = 0; round < 2; round++) {
		scene_publish_many(0, 9);
		while (scene.attempt_count > 0)
			scene_answer_all(500);
		assert_int_equal(scene.endpoints[0].breaker, BREAKER_CLOSED);
		assert_int_equal(count_rows(0, false), 9 * (round + 1));
		scene.endpoints[0].breaker_version = scene.endpoints[0].version + 1;
		scene_change(0);
		scene_settle();
	}
}

/* ---- changes and deaths while a probe is under way ---- */

static void
change_something(bool begins)
{
	scene_change(0);
	(void)begins;
}

static void
pause_deliveries(bool begins)
{
	store_send_pause(begins ? scene.endpoints[0].tenant_id : NULL);
}

static void
disable(bool begins)
{
	scene.endpoints[0].enabled = !begins;
	scene_change(0);
}

static void
cancel_its_job(bool begins)
{
	if (begins)
		scene_cancel(scene.attempts[0]->row);
}

static void
test_a_receiver_that_is_well_again_gets_its_events_whatever_happened_during_a_probe(void **state)
{
	static void (*const acts[])(bool begins) = {change_something, pause_deliveries, disable, cancel_its_job};
	static const int32_t answers[] = {200, 500};

	for (unsigned i = 0; i < 2 * sizeof acts / sizeof *acts; i++) {
		uint32_t left = 30;

		(void)scene_tear_down(NULL);
		(void)scene_set_up(NULL);
		open_breaker(0, left, 500);
		scene_pass(5 * SECOND);
		assert_int_equal(scene.attempt_count, 1);
		acts[i / 2](true);
		scene_settle();
		assert_int_equal(scene.attempt_count, 1);
		scene_answer_all(answers[i % 2]);
		scene_pass(SECOND);
		acts[i / 2](false);
		for (uint32_t n = 0; n < 200 && scene.endpoints[0].breaker != BREAKER_CLOSED; n++) {
			scene_pass(SECOND);
			assert_true(scene.attempt_count <= 1);
			scene_answer_all(200);
		}
		assert_int_equal(scene.endpoints[0].breaker, BREAKER_CLOSED);
		for (uint32_t n = 0; n < scene.row_count; n++)
			left -= scene.rows[n]->cancelled;
		for (uint32_t n = 0; n < 60; n++) {
			scene_pass(SECOND);
			while (scene.attempt_count > 0)
				scene_answer_all(200);
		}
		for (uint32_t n = 0; n < scene.row_count; n++)
			left -= scene.rows[n]->delivered && !scene.rows[n]->cancelled;
		assert_int_equal(left, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENE_TEST(test_an_endpoint_that_only_fails_costs_no_attempts_of_jobs_that_wait),
	    SCENE_TEST(test_answers_that_kill_a_job_at_once_open_the_breaker),
	    SCENE_TEST(test_an_open_breaker_keeps_a_page_of_jobs_and_reads_no_rows),
	    SCENE_TEST(test_jobs_are_added_and_cancelled_while_the_breaker_is_open),
	    SCENE_TEST(test_a_receiver_that_is_well_again_gets_its_events_however_a_probe_ended),
	    SCENE_TEST(test_a_new_url_closes_the_breaker_at_once_even_during_a_probe),
	    SCENE_TEST(test_a_change_of_anything_but_the_url_leaves_the_breaker_open),
	    SCENE_TEST(test_after_a_restart_an_open_breaker_begins_with_one_probe),
	    SCENE_TEST(test_refused_connections_open_the_breaker_sooner),
	    SCENE_TEST(test_the_figure_of_open_breakers_goes_down_with_a_deleted_endpoint),
	    SCENE_TEST(test_failures_at_the_old_url_do_not_count_at_the_new_one),
	    SCENE_TEST(test_a_receiver_that_is_well_again_gets_its_events_whatever_happened_during_a_probe),
	};

	return cmocka_run_group_tests_name("courier_breaker", tests, NULL, NULL);
}
