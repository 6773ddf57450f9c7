/* The API changes or removes rows while their jobs are in a courier's memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/courier_store_fixture.h"

/* Returns a job of endpoint 0 that has failed and waits in memory for half a minute. */
static struct model_row *
failed_job(void)
{
	struct model_row *row;

	scene.endpoints[0].waits_ms[0] = 30000;
	row = scene_publish(0);
	scene_settle();
	http_answer(0, 500);
	scene_settle();
	assert_int_equal(scene.attempt_count, 0);
	assert_int_equal(jobs_in_memory(), 1);
	return row;
}

static void
test_a_job_that_waits_is_begun_when_its_row_is_made_due(void **state)
{
	struct model_row *row = failed_job();

	scene_pass(2 * SECOND);
	assert_int_equal(scene.begun, 1);
	scene_hurry(row);
	scene_pass(SECOND); /* the gap between two rounds */
	assert_int_equal(scene.begun, 2);
	assert_int_equal(scene.attempts[0]->spec.number, 2);
}

static void
test_a_row_that_is_due_a_moment_before_its_job_changes_nothing(void **state)
{
	struct model_row *row = failed_job();

	row->due_us -= SECOND / 2;
	store_send_rows(&scene.endpoints[0]);
	scene_pass(25 * SECOND);
	assert_int_equal(scene.begun, 1);
	scene_pass(15 * SECOND);
	assert_int_equal(scene.begun, 2);
}

static void
test_a_row_read_before_the_outcome_is_committed_does_not_begin_the_job_again(void **state)
{
	struct model_row *row;

	scene.endpoints[0].waits_ms[0] = 30000;
	row = scene_publish(0);
	scene_settle();
	http_answer(0, 500);
	(void)courier_turn(&scene.courier);
	store_send_rows(&scene.endpoints[0]);
	(void)courier_turn(&scene.courier);
	while (store_answer())
		;
	(void)courier_turn(&scene.courier); /* the row still says: no attempt, and due */
	assert_true(row->due_us <= fake_now_us);
	assert_int_equal(scene.begun, 1);
	scene_pass(25 * SECOND);
	assert_int_equal(scene.begun, 1);
}

static void
test_a_job_whose_row_is_gone_is_forgotten(void **state)
{
	scene_cancel(failed_job());
	scene_pass(2 * SECOND);
	assert_int_equal(jobs_in_memory(), 0);
	scene_pass(60 * SECOND);
	assert_int_equal(scene.begun, 1);
}

static void
test_other_jobs_stay_when_one_is_removed(void **state)
{
	struct model_row *row = failed_job();

	for (int i = 0; i < 8; i++) { /* with two more failures the breaker would open */
		(void)scene_publish(0);
		scene_settle();
		http_answer(0, 500);
		scene_settle();
	}
	scene_cancel(row);
	scene_pass(3 * SECOND);
	assert_int_equal(jobs_in_memory(), 8);
}

static void
test_a_job_that_came_after_the_page_was_requested_stays(void **state)
{
	(void)failed_job();
	scene_pass(2 * SECOND);
	store_send_rows(&scene.endpoints[0]);
	(void)courier_turn(&scene.courier); /* asks for the page */
	assert_true(store_answer()); /* the page is read before the next row is committed */
	(void)scene_publish(0);
	(void)courier_turn(&scene.courier);
	scene_settle();
	assert_int_equal(jobs_in_memory(), 2);
	assert_int_equal(scene.begun, 2);
}

static void
test_a_job_whose_row_is_removed_during_its_attempt_is_not_begun_again(void **state)
{
	struct model_row *row = scene_publish(0);

	scene_settle();
	assert_int_equal(scene.attempt_count, 1);
	scene_cancel(row);
	scene_pass(2 * SECOND);
	assert_int_equal(scene.attempt_count, 1);
	http_answer(0, 500);
	scene_settle();
	assert_int_equal(jobs_in_memory(), 0);
	scene_pass(60 * SECOND);
	assert_int_equal(scene.begun, 1);
}

static void
test_a_cancelled_job_is_forgotten_before_any_page_is_read(void **state)
{
	struct model_row *row = failed_job();
	uint32_t pages = scene.pages;

	row->is_row = false;
	row->cancelled = true;
	store_send_cancelled(row);
	(void)courier_turn(&scene.courier);
	assert_int_equal(scene.courier.jobs.table.count, 0);
	assert_int_equal(scene.pages, pages);
}

static void
test_a_job_that_is_cancelled_during_its_attempt_is_not_begun_again(void **state)
{
	struct model_row *row = scene_publish(0);

	scene_settle();
	row->is_row = false;
	row->cancelled = true;
	store_send_cancelled(row);
	scene_settle();
	assert_int_equal(scene.attempt_count, 1);
	http_answer(0, 500);
	scene_pass(60 * SECOND);
	assert_int_equal(scene.begun, 1);
	assert_int_equal(scene.courier.jobs.table.count, 0);
}

static void
test_the_job_of_another_tenant_is_not_cancelled_by_its_id(void **state)
{
	struct model_row other = *failed_job();

	other.endpoint = ENDPOINTS - 1;
	store_send_cancelled(&other);
	(void)courier_turn(&scene.courier);
	assert_int_equal(scene.courier.jobs.table.count, 1);
}

static void
test_a_step_of_the_wall_clock_changes_no_wait_and_expires_no_job(void **state)
{
	static const int64_t steps[] = {-3600 * SECOND, 2 * 24 * 3600 * SECOND, 0};

	scene.endpoints[0].waits_ms[1] = scene.endpoints[0].waits_ms[2] = 30000;
	(void)failed_job();
	for (uint32_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		fake_step_us = steps[i];
		store_send_rows(&scene.endpoints[0]);
		scene_pass(25 * SECOND);
		assert_int_equal(scene.begun, 1 + i);
		scene_pass(15 * SECOND);
		assert_int_equal(scene.begun, 2 + i);
		http_answer(0, 500);
		scene_settle();
	}
}

/* Returns a row that is cancelled before it is handed over. */
static struct model_row *
cancelled_row(void)
{
	struct model_row *row = scene_row(0, 100, fake_now_us);

	row->is_row = false;
	row->cancelled = true;
	store_send_cancelled(row);
	(void)courier_turn(&scene.courier);
	return row;
}

static void
test_a_job_that_is_cancelled_before_it_is_handed_over_is_not_begun(void **state)
{
	struct model_row *row = cancelled_row();

	for (int i = 0; i < 5; i++) {
		scene_hand_over(0, &row, 1);
		scene_pass(SECOND);
	}
	assert_int_equal(scene.begun, 0);
	assert_int_equal(jobs_in_memory(), 0);
	assert_int_equal(scene.courier.parcels.cancelled.table.count, 0); /* once no parcel can bring it any more */
}

static void
test_a_cancelled_job_is_not_begun_by_the_next_courier_on_its_lane(void **state)
{
	struct model_row *row = cancelled_row(), *other = scene_row(0, 100, fake_now_us);

	scene_kill();
	scene_hand_over(0, &row, 1);
	scene_hand_over(0, &other, 1);
	store_start();
	scene_settle();
	assert_int_equal(scene.begun, 1);
	assert_ptr_equal(scene.attempts[0]->row, other);
}

static void
test_a_job_with_the_id_of_another_tenants_cancelled_one_is_begun(void **state)
{
	struct model_row *row = scene_row(0, 100, fake_now_us), foreign = *row;

	foreign.endpoint = ENDPOINTS - 1;
	store_send_cancelled(&foreign);
	(void)courier_turn(&scene.courier);
	scene_hand_over(0, &row, 1);
	scene_settle();
	assert_int_equal(scene.begun, 1);
}

/* Returns a row whose parcel came so late that the job is taken from the row. */
static struct model_row *
left_row(void)
{
	struct model_row *row = scene_row(0, 100, fake_now_us - 10 * SECOND);

	scene_hand_over(0, &row, 1);
	scene_pass(2 * SECOND);
	return row;
}

static bool
was_read(const struct model_row *row)
{
	return memcmp(row->job_id, scene.page.after, sizeof scene.page.after) > 0;
}

static void
test_a_late_parcel_does_not_make_the_courier_read_older_rows_again(void **state)
{
	struct model_row *later, *delivered, *left;

	scene.endpoints[0].waits_ms[0] = 600 * 1000;
	later = scene_publish(0);
	scene_settle();
	http_answer(0, 500);
	scene_settle();
	delivered = scene_publish(0);
	scene_settle();
	http_answer(0, 200);
	scene_pass(2 * SECOND);
	left = left_row();
	assert_int_equal(scene.begun, 3);
	assert_true(was_read(left));
	assert_false(was_read(delivered));
	assert_false(was_read(later));
	http_answer(0, 200);
	scene_pass(750 * SECOND);
	assert_int_equal(scene.begun, 4);
	assert_true(was_read(later));
	store_send_rows(&scene.endpoints[0]);
	scene_pass(2 * SECOND);
	assert_true(was_read(later)); /* a change makes the courier read all rows again */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENE_TEST(test_a_job_that_waits_is_begun_when_its_row_is_made_due),
	    SCENE_TEST(test_a_row_that_is_due_a_moment_before_its_job_changes_nothing),
	    SCENE_TEST(test_a_row_read_before_the_outcome_is_committed_does_not_begin_the_job_again),
	    SCENE_TEST(test_a_job_whose_row_is_gone_is_forgotten),
	    SCENE_TEST(test_other_jobs_stay_when_one_is_removed),
	    SCENE_TEST(test_a_job_that_came_after_the_page_was_requested_stays),
	    SCENE_TEST(test_a_job_whose_row_is_removed_during_its_attempt_is_not_begun_again),
	    SCENE_TEST(test_a_cancelled_job_is_forgotten_before_any_page_is_read),
	    SCENE_TEST(test_a_job_that_is_cancelled_during_its_attempt_is_not_begun_again),
	    SCENE_TEST(test_the_job_of_another_tenant_is_not_cancelled_by_its_id),
	    SCENE_TEST(test_a_step_of_the_wall_clock_changes_no_wait_and_expires_no_job),
	    SCENE_TEST(test_a_job_that_is_cancelled_before_it_is_handed_over_is_not_begun),
	    SCENE_TEST(test_a_cancelled_job_is_not_begun_by_the_next_courier_on_its_lane),
	    SCENE_TEST(test_a_job_with_the_id_of_another_tenants_cancelled_one_is_begun),
	    SCENE_TEST(test_a_late_parcel_does_not_make_the_courier_read_older_rows_again),
	};

	return cmocka_run_group_tests_name("courier_rows", tests, NULL, NULL);
}
