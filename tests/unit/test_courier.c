/* The life of a job in a courier, one situation a test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/sizes.h"
#include "shm/counters.h"
#include "tests/unit/courier_store_fixture.h"

static void
test_a_job_is_posted_once_and_forgotten_after_its_commit(void **state)
{
	struct model_row *row = scene_publish(0);

	scene_settle();
	assert_int_equal(scene.attempt_count, 1);
	assert_int_equal(scene.attempts[0]->spec.number, 1);
	assert_memory_equal(scene.attempts[0]->spec.job_id, row->job_id, 16);
	http_answer(0, 204);
	(void)courier_turn(&scene.courier);
	assert_int_equal(jobs_in_memory(), 1); /* its outcome is not committed */
	scene_settle();
	assert_int_equal(jobs_in_memory(), 0);
	assert_int_equal(scene.courier.jobs.bytes, 0);
	assert_int_equal(row->delivered, 1);
	assert_int_equal(counter_read(&scene.slot.process, COUNTER_DELIVERIES_DELIVERED), 1);
}

static void
test_nothing_is_posted_before_the_predecessors_outcomes_are_written(void **state)
{
	scene_kill();
	(void)scene_publish(0);
	scene_settle();
	assert_int_equal(scene.begun, 0);
	store_start();
	scene_settle();
	assert_int_equal(scene.begun, 1);
}

static void
test_outcomes_on_the_lane_outlive_the_courier(void **state)
{
	struct model_row *row = scene_publish(0);

	scene_settle();
	http_answer(0, 200);
	(void)courier_turn(&scene.courier);
	scene_kill();
	store_start();
	scene_pass(10 * SECOND);
	assert_int_equal(row->delivered, 1);
	assert_int_equal(scene.begun, 1);
}

static void
test_an_attempt_under_way_is_repeated_by_the_next_courier(void **state)
{
	(void)scene_publish(0);
	scene_settle();
	scene_kill();
	store_start();
	scene_settle();
	assert_int_equal(scene.begun, 1); /* the row is less than five seconds old, and its parcel might still come */
	scene_pass(5 * SECOND);
	assert_int_equal(scene.begun, 2);
	assert_int_equal(scene.attempts[0]->spec.number, 1);
}

static void
test_a_failing_job_is_tried_by_the_schedule_and_then_dies(void **state)
{
	struct model_row *row = scene_publish(0);

	scene_settle();
	scene_answer_all(500);
	scene_pass(999 * SECOND / 1000);
	assert_int_equal(scene.attempt_count, 0);
	scene_pass(SECOND); /* jitter adds at most a fifth */
	assert_int_equal(scene.attempt_count, 1);
	assert_int_equal(scene.attempts[0]->spec.number, 2);
	scene_answer_all(500);
	scene_pass(3 * SECOND);
	assert_int_equal(scene.attempts[0]->spec.number, 3);
	scene_answer_all(500);
	assert_int_equal(jobs_in_memory(), 0); /* due in more than a minute */
	assert_int_equal(row->attempt_count, 3);
	for (uint32_t i = 0; i < 89; i++)
		scene_pass(SECOND);
	assert_int_equal(scene.attempt_count, 0);
	for (uint32_t i = 0; i < 20; i++)
		scene_pass(SECOND);
	assert_int_equal(scene.attempt_count, 1);
	assert_int_equal(scene.attempts[0]->spec.number, 4);
	scene_answer_all(500);
	assert_int_equal(row->dead, 1);
	assert_string_equal(row->reason, "max_attempts_exceeded");
	assert_int_equal(jobs_in_memory(), 0);
	assert_int_equal(counter_read(&scene.slot.process, COUNTER_DELIVERIES_RETRIED), 3);
	assert_int_equal(counter_read(&scene.slot.process, COUNTER_DELIVERIES_DEAD), 1);
}

static void
test_retries_go_on_while_the_store_is_away(void **state)
{
	(void)scene_publish(0);
	scene_settle();
	http_answer(0, 500);
	(void)courier_turn(&scene.courier);
	fake_now_us += 2 * SECOND;
	(void)courier_turn(&scene.courier);
	assert_int_equal(scene.attempt_count, 1);
	assert_int_equal(scene.attempts[0]->spec.number, 2);
}

static void
test_max_in_flight_is_never_passed(void **state)
{
	for (uint32_t i = 0; i < 20; i++)
		(void)scene_publish(i % 2);
	scene_settle();
	assert_int_equal(scene.attempt_count, 6);
	for (uint32_t i = 0; i < 20; i++)
		scene_answer_all(200);
	assert_int_equal(scene.begun, 20);
	assert_int_equal(scene.endpoints[0].most_in_flight, 3);
}

static void
test_tenants_take_turns_and_then_their_endpoints(void **state)
{
	static const uint32_t order[] = {0, 2, 1, 2, 0, 2, 1, 0, 1};

	for (uint32_t i = 0; i < 3; i++)
		scene.endpoints[i].max_in_flight = 1;
	for (uint32_t i = 0; i < 3; i++)
		(void)scene_publish(i); /* loads the endpoints */
	scene_settle();
	scene_answer_all(200);
	scene.courier.draining = true;
	for (uint32_t n = 0; n < 3; n++)
		for (uint32_t i = 0; i < 3; i++)
			(void)scene_publish(i);
	scene.courier.draining = false;
	for (uint32_t i = 0; i < 3; i++) {
		scene.endpoints[i].max_in_flight = 3;
		scene_change(i);
	}
	scene.courier.started = false;
	scene_settle();
	scene.courier.started = true;
	scene_settle();
	assert_int_equal(scene.attempt_count, 9);
	for (uint32_t i = 0; i < 9; i++)
		assert_int_equal(scene.attempts[i]->row->endpoint, order[i]);
}

static void
test_jobs_of_an_endpoint_go_in_the_order_in_which_they_are_due(void **state)
{
	struct model_row *rows[5];

	scene.endpoints[0].max_in_flight = 1;
	for (uint32_t i = 0; i < 5; i++)
		rows[i] = scene_publish(0);
	for (uint32_t i = 0; i < 5; i++) {
		scene_settle();
		assert_ptr_equal(scene.attempts[0]->row, rows[i]);
		http_answer(0, 200);
	}
}

static void
test_the_jobs_of_an_old_parcel_are_taken_from_their_rows(void **state)
{
	struct model_row *row = scene_row(0, 100, fake_now_us - 4 * SECOND - 1);

	scene_hand_over(0, &row, 1);
	scene_settle();
	assert_int_equal(scene.begun, 0);
	scene_pass(SECOND);
	assert_int_equal(scene.begun, 1);
	scene_answer_all(200);
	assert_int_equal(row->delivered, 1);
}

static void
test_a_row_is_not_taken_while_its_parcel_may_still_come(void **state)
{
	struct model_row *row = scene_row(0, 100, fake_now_us);

	scene_miss();
	scene_pass(5 * SECOND - 1);
	assert_int_equal(scene.begun, 0);
	scene_hand_over(0, &row, 1); /* too old by now: older than OLD_PARCEL_US */
	scene_settle();
	assert_int_equal(scene.begun, 0);
	scene_pass(1);
	assert_int_equal(scene.begun, 1);
}

static void
test_a_job_that_is_handed_over_twice_is_sent_once(void **state)
{
	struct model_row *row = scene_publish(0);

	scene_hand_over(1, &row, 1);
	scene_settle();
	scene_answer_all(200);
	assert_int_equal(scene.begun, 1);
	assert_int_equal(jobs_in_memory(), 0);
}

static void
test_rows_that_were_not_handed_over_are_found_by_a_scan_every_five_seconds_at_most(void **state)
{
	for (uint32_t i = 0; i < 4; i++)
		(void)scene_row(i, 100, fake_now_us - 10 * SECOND);
	assert_int_equal(scene.scans, 1); /* the one at the start */
	scene_miss();
	scene_pass(4 * SECOND);
	assert_int_equal(scene.scans, 1);
	scene_pass(SECOND);
	assert_int_equal(scene.scans, 2);
	assert_int_equal(scene.begun, 4);
	scene_pass(60 * SECOND);
	assert_int_equal(scene.scans, 2);
}

static void
test_rows_that_cannot_be_read_are_read_again_after_a_minute(void **state)
{
	(void)scene_row(0, 100, fake_now_us - 10 * SECOND);
	scene.endpoints[0].unreadable = true;
	scene_miss();
	scene_pass(5 * SECOND);
	assert_int_equal(scene.pages, 1);
	scene_pass(50 * SECOND);
	assert_int_equal(scene.pages, 1);
	assert_int_equal(scene.begun, 0);

	scene.endpoints[0].unreadable = false;
	scene_pass(20 * SECOND);
	assert_int_equal(scene.begun, 1);
}

static void
test_a_job_whose_outcomes_the_store_refuses_is_attempted_again_after_ten_minutes(void **state)
{
	struct model_row *row = scene_publish(0);

	scene.endpoints[0].refuses = true;
	scene_settle();
	scene_answer_all(200);
	for (uint32_t i = 0; i < 590; i += 10)
		scene_pass(10 * SECOND);
	scene_miss(); /* its row is read, and the job is in memory already */
	scene_pass(SECOND);
	assert_int_equal(scene.begun, 1);
	assert_int_equal(jobs_in_memory(), 1);
	scene_pass(20 * SECOND);
	assert_int_equal(scene.begun, 2);
	scene.endpoints[0].refuses = false;
	scene_answer_all(200);
	assert_int_equal(row->delivered, 1);
	assert_int_equal(jobs_in_memory(), 0);
}

static void
test_an_outcome_that_was_refused_does_not_count_when_a_newer_one_is_stored(void **state)
{
	struct model_row *row = scene_publish(0);

	scene_settle();
	http_answer(0, 500);
	(void)courier_turn(&scene.courier);
	fake_now_us += 2 * SECOND;
	(void)courier_turn(&scene.courier);
	http_answer(0, 200);
	(void)courier_turn(&scene.courier);
	scene.endpoints[0].refuses = true;
	assert_int_equal(store_commit(1), 1);
	scene.endpoints[0].refuses = false;
	scene_settle();
	assert_int_equal(row->delivered, 1);
	assert_int_equal(jobs_in_memory(), 0);
	scene_pass(700 * SECOND);
	assert_int_equal(scene.begun, 2);
}

static void
test_rows_that_are_known_are_not_read_again_and_again(void **state)
{
	uint32_t pages;

	scene.endpoints[0].max_in_flight = 1;
	for (uint32_t i = 0; i < 30; i++)
		(void)scene_row(0, 100, fake_now_us - 10 * SECOND);
	scene_miss();
	scene_pass(5 * SECOND);
	assert_int_equal(jobs_in_memory(), 30);
	pages = scene.pages;
	assert_true(pages <= 2 * (30 / MODEL_PAGE_ROWS + 1)); /* one round for the scan, one for the load */
	for (uint32_t i = 0; i < 20; i++)
		scene_pass(SECOND);
	assert_true(scene.pages <= 2 * pages);
	pages = scene.pages;
	for (uint32_t i = 0; i < 100; i++)
		scene_pass(SECOND);
	assert_int_equal(scene.pages, pages);
}

static void
test_many_rows_behind_one_endpoint_pass_through_a_part_of_memory(void **state)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < 500; i++)
		(void)scene_row(0, 30000, fake_now_us - 10 * SECOND);
	scene_miss();
	scene_pass(5 * SECOND);
	(void)scene_publish(1);
	scene_settle();
	assert_int_equal(scene.endpoints[1].in_flight, 1); /* the other endpoint does not wait */
	for (uint32_t i = 0; i < 500; i++) {
		if (scene.courier.jobs.bytes > most)
			most = (uint32_t)scene.courier.jobs.bytes;
		scene_answer_all(200);
	}
	assert_true(most < 3 * MIB);
	assert_int_equal(scene.begun, 501);
	assert_true(scene.pages < 501);
}

static void
test_the_endpoint_with_most_bytes_gives_way_when_memory_is_full(void **state)
{
	scene_end();
	scene_begin(64 * KIB, 1 * MIB);
	store_start();
	scene.endpoints[0].max_in_flight = scene.endpoints[1].max_in_flight = 1;
	for (uint32_t i = 0; i < 20; i++)
		(void)scene_publish(0);
	scene_settle();

	struct model_row *large = scene_row(1, 60000, fake_now_us);

	scene_hand_over(0, &large, 1);
	scene_settle();
	assert_int_equal(scene.endpoints[1].in_flight, 1);
	assert_int_equal(scene.endpoints[0].in_flight, 1);
	assert_true(scene.courier.jobs.bytes <= 64 * KIB);
	assert_true(jobs_in_memory() < 21);
	for (uint32_t i = 0; i < 60; i++) {
		scene_answer_all(200);
		scene_pass(SECOND);
	}
	assert_int_equal(scene.begun, 21);
}

static void
test_no_attempt_begins_without_room_for_its_outcome(void **state)
{
	scene_end();
	scene_begin(8 * MIB, 40 * KIB); /* for five outcomes */
	store_start();
	scene_settle();
	for (uint32_t i = 0; i < 12; i++)
		(void)scene_publish(i % ENDPOINTS);
	scene_settle();
	assert_int_equal(scene.attempt_count, 5);
	/* While the store is away, outcomes stay on the lane and take less room than was reserved for them. */
	for (uint32_t i = 0; i < 40; i++) {
		for (uint32_t k = 0; k < scene.attempt_count; k++)
			http_answer(k, 200);
		(void)courier_turn(&scene.courier);
	}
	assert_in_range(scene.begun, 6, 12);
	scene_settle();
	scene_answer_all(200);
	assert_int_equal(scene.begun, 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENE_TEST(test_a_job_is_posted_once_and_forgotten_after_its_commit),
	    SCENE_TEST(test_nothing_is_posted_before_the_predecessors_outcomes_are_written),
	    SCENE_TEST(test_outcomes_on_the_lane_outlive_the_courier),
	    SCENE_TEST(test_an_attempt_under_way_is_repeated_by_the_next_courier),
	    SCENE_TEST(test_a_failing_job_is_tried_by_the_schedule_and_then_dies),
	    SCENE_TEST(test_retries_go_on_while_the_store_is_away),
	    SCENE_TEST(test_max_in_flight_is_never_passed),
	    SCENE_TEST(test_tenants_take_turns_and_then_their_endpoints),
	    SCENE_TEST(test_jobs_of_an_endpoint_go_in_the_order_in_which_they_are_due),
	    SCENE_TEST(test_the_jobs_of_an_old_parcel_are_taken_from_their_rows),
	    SCENE_TEST(test_a_row_is_not_taken_while_its_parcel_may_still_come),
	    SCENE_TEST(test_a_job_that_is_handed_over_twice_is_sent_once),
	    SCENE_TEST(test_rows_that_were_not_handed_over_are_found_by_a_scan_every_five_seconds_at_most),
	    SCENE_TEST(test_rows_that_cannot_be_read_are_read_again_after_a_minute),
	    SCENE_TEST(test_a_job_whose_outcomes_the_store_refuses_is_attempted_again_after_ten_minutes),
	    SCENE_TEST(test_an_outcome_that_was_refused_does_not_count_when_a_newer_one_is_stored),
	    SCENE_TEST(test_rows_that_are_known_are_not_read_again_and_again),
	    SCENE_TEST(test_many_rows_behind_one_endpoint_pass_through_a_part_of_memory),
	    SCENE_TEST(test_the_endpoint_with_most_bytes_gives_way_when_memory_is_full),
	    SCENE_TEST(test_no_attempt_begins_without_room_for_its_outcome),
	};

	return cmocka_run_group_tests_name("courier", tests, NULL, NULL);
}
