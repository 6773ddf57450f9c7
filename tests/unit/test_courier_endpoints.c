/* How a courier reacts when endpoints, transforms, the node or the service change under its jobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "shm/counters.h"
#include "tests/unit/courier_store_fixture.h"

static void
set_enabled(uint32_t endpoint, bool enabled)
{
	scene.endpoints[endpoint].enabled = enabled;
	scene_change(endpoint);
	scene_settle();
}

static void
test_jobs_of_a_disabled_endpoint_leave_memory_and_are_sent_when_it_is_enabled(void **state)
{
	for (uint32_t i = 0; i < 10; i++)
		(void)scene_publish(0);
	scene_settle();
	set_enabled(0, false);
	assert_int_equal(jobs_in_memory(), 3); /* under way */
	http_answer(0, 500);
	http_answer(1, 200);
	http_answer(2, 200);
	scene_settle();
	assert_int_equal(jobs_in_memory(), 0);
	for (uint32_t i = 0; i < 1000; i++)
		scene_pass(SECOND);
	assert_int_equal(scene.begun, 3);
	set_enabled(0, true);
	assert_int_equal(scene.begun, 6);
	for (uint32_t i = 0; i < 20 && scene.attempt_count > 0; i++) {
		http_answer(0, 200);
		scene_settle();
	}
	assert_int_equal(scene.begun, 11);
}

static void
test_jobs_of_a_deleted_endpoint_are_forgotten(void **state)
{
	for (uint32_t i = 0; i < 10; i++)
		(void)scene_publish(0);
	scene_settle();
	scene.endpoints[0].deleted = true;
	scene_change(0);
	scene_settle();
	for (uint32_t i = 0; i < 3; i++)
		http_answer(i, 200);
	scene_pass(SECOND);
	assert_int_equal(jobs_in_memory(), 0);
	assert_int_equal(scene.begun, 3);
	(void)scene_publish(0);
	scene_pass(700 * SECOND);
	assert_int_equal(scene.begun, 3);
	assert_int_equal(scene.courier.queues.table.count, 0);
}

static void
test_an_attempt_keeps_the_configuration_it_began_with(void **state)
{
	(void)scene_publish(0);
	scene_settle();
	scene_change(0);
	(void)scene_publish(0);
	scene_settle();
	assert_int_equal(scene.attempts[0]->spec.endpoint->version, 1);
	assert_int_equal(scene.attempts[1]->spec.endpoint->version, 2);
}

static void
test_410_disables_the_endpoint_at_once(void **state)
{
	for (uint32_t i = 0; i < 10; i++)
		(void)scene_publish(0);
	scene_settle();
	http_answer(0, 410);
	(void)courier_turn(&scene.courier);
	http_answer(0, 200);
	http_answer(1, 200);
	(void)courier_turn(&scene.courier);
	assert_int_equal(scene.attempt_count, 0);
	scene_settle();
	assert_false(scene.endpoints[0].enabled);
	assert_int_equal(jobs_in_memory(), 0);
	set_enabled(0, true);
	scene_pass(5 * SECOND);
	assert_int_equal(scene.begun, 6);
}

static void
test_a_job_past_its_time_dies_without_an_attempt(void **state)
{
	struct model_row *row = scene_publish(0);

	scene_settle();
	http_answer(0, 500);
	row->expires_ms = fake_now_us / 1000 + 500; /* before the next attempt */
	scene_settle();
	scene_kill();
	store_start();
	scene_pass(10 * SECOND);
	assert_int_equal(scene.begun, 1);
	assert_int_equal(row->dead, 1);
	assert_string_equal(row->reason, "expired");
}

static void
test_a_job_in_memory_does_not_expire_when_the_wall_clock_is_set(void **state)
{
	struct model_row *row = scene_publish(0);

	scene_settle();
	http_answer(0, 500);
	scene_settle();
	fake_step_us = 365 * 24 * 3600 * SECOND;
	scene_pass(10 * SECOND);
	assert_int_equal(scene.begun, 2);
	assert_int_equal(row->dead, 0);
}

static void
test_the_time_in_which_a_job_is_held_does_not_count_for_its_expiry(void **state)
{
	struct model_row *row = scene_row(0, 100, fake_now_us - 100 * 24 * 3600 * SECOND);

	row->expires_ms = 0; /* rows whose job has stopped being held have it */
	scene_miss();
	scene_pass(5 * SECOND);
	assert_int_equal(scene.begun, 1);
}

static void
test_a_job_whose_event_is_gone_dies(void **state)
{
	struct model_row *row = scene_row(0, 100, fake_now_us - 10 * SECOND);

	row->gone = true;
	scene_miss();
	scene_pass(5 * SECOND);
	assert_int_equal(scene.begun, 0);
	assert_int_equal(row->dead, 1);
	assert_string_equal(row->reason, "expired");
}

static void
publish_transformed(bool unreadable)
{
	struct model_row *row = scene_row(0, 100, fake_now_us);

	row->has_transform = true;
	row->unreadable = unreadable;
	scene_hand_over(0, &row, 1);
}

static void
test_jobs_wait_for_their_transform_and_others_do_not(void **state)
{
	scene.endpoints[0].max_in_flight = 10;
	(void)scene_publish(0);
	scene_settle();
	publish_transformed(false);
	publish_transformed(false);
	(void)scene_publish(0);
	(void)courier_turn(&scene.courier);
	assert_int_equal(scene.begun, 2);
	assert_int_equal(scene.courier.transforms.table.count, 1);
	scene_settle();
	assert_int_equal(scene.begun, 4);
	for (uint32_t i = 0; i < 4; i++)
		http_answer(i, 200);
	scene_settle();
	assert_int_equal(scene.courier.jobs.bytes, 0);
	publish_transformed(false); /* the courier has the transform in memory */
	(void)courier_turn(&scene.courier);
	assert_int_equal(scene.begun, 5);
}

static void
test_jobs_whose_transform_cannot_be_read_die(void **state)
{
	publish_transformed(true);
	scene_settle();
	assert_int_equal(scene.begun, 0);
	assert_int_equal(scene.rows[0]->dead, 1);
	assert_string_equal(scene.rows[0]->reason, "transform_error");
	assert_int_equal(counter_read(&scene.slot.process, COUNTER_ATTEMPTS_TRANSFORM), 1);
	assert_int_equal(scene.courier.transforms.table.count, 0);
}

static void
test_a_node_that_was_adopted_begins_none_of_its_former_jobs(void **state)
{
	for (uint32_t i = 0; i < 10; i++)
		(void)scene_publish(0);
	scene_settle();
	for (uint32_t i = 0; i < scene.row_count; i++)
		scene.rows[i]->is_row = false; /* another node has them now */
	store_lose_node();
	scene_settle();
	assert_int_equal(jobs_in_memory(), 3); /* under way */
	http_answer(0, 500);
	http_answer(1, 500);
	http_answer(2, 200);
	scene_pass(10 * SECOND);
	assert_int_equal(jobs_in_memory(), 0);
	(void)scene_publish(0);
	scene_pass(10 * SECOND);
	assert_int_equal(scene.begun, 3); /* nothing begins before the node has another row */
	assert_int_equal(scene.scans, 1);
	store_start();
	scene_settle();
	assert_int_equal(scene.begun, 4);
	assert_int_equal(scene.scans, 2);
	for (uint32_t i = 0; i < scene.row_count - 1; i++)
		scene.rows[i]->delivered = 0;
}

static void
test_jobs_from_before_the_node_got_its_number_are_taken_from_their_rows(void **state)
{
	struct model_row *row;

	scene_kill();
	row = scene_publish(0); /* the lane's courier has not started yet */
	scene_settle();
	assert_int_equal(jobs_in_memory(), 0);
	node_set_since_us(&scene.node, row->begun_us + 1);
	row->is_row = false; /* another node has it */
	store_start();
	scene_settle();
	assert_int_equal(scene.begun, 0);
	scene_pass(10 * SECOND);
	assert_int_equal(scene.begun, 0);
	(void)scene_publish(0);
	scene_settle();
	assert_int_equal(scene.begun, 1);
	row->delivered = 0;
}

static void
test_no_attempt_begins_when_another_node_may_have_taken_the_jobs(void **state)
{
	node_set_attempts_until_us(&scene.node, fake_now_us + 20 * SECOND);
	(void)scene_publish(0);
	scene_settle();
	http_answer(0, 200);
	scene_pass(20 * SECOND);
	(void)scene_publish(0);
	scene_settle();
	assert_int_equal(scene.begun, 1);
	node_set_attempts_until_us(&scene.node, fake_now_us + 20 * SECOND); /* a heartbeat has succeeded */
	scene_settle();
	assert_int_equal(scene.begun, 2);
	http_answer(0, 200);

	/* Courier 0 has claimed another row; the store thread has not said so yet. */
	node_write(&scene.node, &(struct node_row){.node_id = 2, .epoch = 5});
	(void)scene_publish(0);
	scene_settle();
	assert_int_equal(scene.begun, 2);
	node_write(&scene.node, &(struct node_row){.node_id = 1});
	scene_settle();
	assert_int_equal(scene.begun, 3);
}

static void
test_an_endpoint_without_jobs_is_forgotten_after_ten_minutes(void **state)
{
	(void)scene_publish(0);
	(void)scene_publish(1);
	scene_settle();
	http_answer(0, 200);
	scene_settle();
	scene_pass(599 * SECOND);
	assert_int_equal(scene.courier.queues.table.count, 2);
	scene_pass(2 * SECOND);
	assert_int_equal(scene.courier.queues.table.count, 1); /* the other endpoint has an attempt under way */
	assert_true(scene.endpoints[0].known != scene.endpoints[1].known);
}

static void
test_a_retry_after_hours_outlives_the_configuration_in_memory(void **state)
{
	scene.endpoints[0].waits_ms[0] = 5 * 3600 * 1000;
	(void)scene_publish(0);
	scene_settle();
	http_answer(0, 500);
	scene_settle();
	scene_pass(700 * SECOND);
	assert_false(scene.endpoints[0].known);
	for (uint32_t i = 0; i < 6 * 360; i++)
		scene_pass(10 * SECOND);
	assert_int_equal(scene.begun, 2);
	assert_int_equal(scene.attempts[0]->spec.number, 2);
}

static void
test_rows_of_an_unknown_endpoint_are_read_when_it_has_changed(void **state)
{
	(void)scene_row(4, 100, fake_now_us - 10 * SECOND);
	scene_pass(5 * SECOND);
	assert_int_equal(scene.begun, 0);
	scene.endpoints[4].known = true;
	scene_change(4);
	scene.endpoints[4].known = false;
	scene_settle();
	assert_int_equal(scene.begun, 1);
	assert_true(scene.endpoints[4].known);
}

static void
test_the_seen_version_is_reported_after_the_changes_up_to_it_are_taken(void **state)
{
	(void)scene_publish(0);
	scene_settle();
	scene.endpoints[0].enabled = false;
	scene_change(0);
	store_send_version(77);
	(void)scene_publish(0);
	assert_int_equal(courier_seen_version(&scene.slot), 0);
	(void)courier_turn(&scene.courier);
	assert_int_equal(courier_seen_version(&scene.slot), 77);
	assert_int_equal(scene.begun, 1);
}

static void
test_a_newer_version_in_the_segment_wakes_the_store_thread(void **state)
{
	uint32_t wakes = scene.wakes;

	node_raise_changes_version(&scene.node, 5);
	assert_true(courier_has_work(&scene.courier));
	(void)courier_turn(&scene.courier);
	assert_int_equal(scene.wakes, wakes + 1);
	(void)courier_turn(&scene.courier);
	assert_int_equal(scene.wakes, wakes + 1);
	assert_false(courier_has_work(&scene.courier));
}

static void
test_a_drain_begins_nothing_and_cuts_off_without_an_outcome(void **state)
{
	struct attempt_result cut = {.end = ATTEMPT_INTERNAL, .retry_after_ms = -1};
	struct model_row *row = scene_publish(0);

	(void)scene_publish(0);
	scene_settle();
	courier_drain(&scene.courier);
	(void)scene_publish(0);
	scene_settle();
	assert_int_equal(scene.attempt_count, 2);
	http_answer(1, 200);
	http_end(0, &cut);
	scene_settle();
	assert_int_equal(jobs_in_memory(), 0);
	assert_true(row->is_row);
	assert_int_equal(row->attempt_count, 0);
	assert_int_equal(row->due_us, row->begun_us);
	assert_int_equal(lane_events(&scene.outcomes), 1);
}

static void
test_jobs_of_a_damaged_parcel_are_found_in_their_rows(void **state)
{
	struct model_row *row = scene_row(0, 100, fake_now_us);
	size_t available;
	char *base = lane_reserve(&scene.jobs[0], &available);

	memset(base, 0xee, 64);
	(void)lane_publish(&scene.jobs[0], 64, 1, 0);
	scene_settle();
	assert_int_equal(lane_depth(&scene.jobs[0]), 0);
	scene_pass(5 * SECOND);
	scene_pass(5 * SECOND);
	assert_int_equal(scene.begun, 1);
	assert_ptr_equal(scene.attempts[0]->row, row);
}

static void
test_jobs_of_one_event_share_its_bytes(void **state)
{
	struct model_row *rows[3] = {scene_row(0, 3000, fake_now_us)};

	rows[1] = scene_sibling(rows[0], 1, 2);
	rows[2] = scene_sibling(rows[0], 2, 3);
	rows[2]->endpoint = 1; /* of the same tenant */
	scene_hand_over(0, rows, 3);
	scene_settle();
	assert_int_equal(scene.attempt_count, 3);
	assert_true(scene.courier.jobs.bytes < 2 * 3000);
	for (uint32_t i = 0; i < 3; i++)
		http_answer(i, 200);
	scene_settle();
	assert_int_equal(scene.courier.jobs.bytes, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENE_TEST(test_jobs_of_a_disabled_endpoint_leave_memory_and_are_sent_when_it_is_enabled),
	    SCENE_TEST(test_jobs_of_a_deleted_endpoint_are_forgotten),
	    SCENE_TEST(test_an_attempt_keeps_the_configuration_it_began_with),
	    SCENE_TEST(test_410_disables_the_endpoint_at_once),
	    SCENE_TEST(test_a_job_past_its_time_dies_without_an_attempt),
	    SCENE_TEST(test_a_job_in_memory_does_not_expire_when_the_wall_clock_is_set),
	    SCENE_TEST(test_the_time_in_which_a_job_is_held_does_not_count_for_its_expiry),
	    SCENE_TEST(test_a_job_whose_event_is_gone_dies),
	    SCENE_TEST(test_jobs_wait_for_their_transform_and_others_do_not),
	    SCENE_TEST(test_jobs_whose_transform_cannot_be_read_die),
	    SCENE_TEST(test_a_node_that_was_adopted_begins_none_of_its_former_jobs),
	    SCENE_TEST(test_jobs_from_before_the_node_got_its_number_are_taken_from_their_rows),
	    SCENE_TEST(test_no_attempt_begins_when_another_node_may_have_taken_the_jobs),
	    SCENE_TEST(test_an_endpoint_without_jobs_is_forgotten_after_ten_minutes),
	    SCENE_TEST(test_a_retry_after_hours_outlives_the_configuration_in_memory),
	    SCENE_TEST(test_rows_of_an_unknown_endpoint_are_read_when_it_has_changed),
	    SCENE_TEST(test_the_seen_version_is_reported_after_the_changes_up_to_it_are_taken),
	    SCENE_TEST(test_a_newer_version_in_the_segment_wakes_the_store_thread),
	    SCENE_TEST(test_a_drain_begins_nothing_and_cuts_off_without_an_outcome),
	    SCENE_TEST(test_jobs_of_a_damaged_parcel_are_found_in_their_rows),
	    SCENE_TEST(test_jobs_of_one_event_share_its_bytes),
	};

	return cmocka_run_group_tests_name("courier_endpoints", tests, NULL, NULL);
}
