/*
 * Endpoints with fifo, whatever happens: every row is delivered, dies or is cancelled. The fixture checks each attempt
 * against the earlier rows of its order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/sizes.h"
#include "tests/unit/courier_fifo_fixture.h"
#include "tests/unit/courier_store_fixture.h"
#include "tests/unit/lane_fixture.h"

#define STEPS 400u
#define RUNS 200u
#define FIFO_ENDPOINTS 3u

static void
change_endpoint(struct dice *dice)
{
	uint32_t number = dice_below(dice, FIFO_ENDPOINTS);
	struct model_endpoint *endpoint = &scene.endpoints[number];

	endpoint->enabled = dice_below(dice, 4) > 0;
	if (dice_below(dice, 3) == 0)
		endpoint->fifo = dice_below(dice, 4) > 0;
	if (dice_below(dice, 3) == 0)
		endpoint->by_key = !endpoint->by_key;
	scene_change(number);
	/* The API answers when couriers act by it. */
	while (store_has_messages())
		(void)courier_turn(&scene.courier);
}

static void
end_attempt(struct dice *dice)
{
	static const int32_t statuses[] = {200, 200, 200, 204, 500, 503, 422, 429};
	struct attempt_result result = {.end = ATTEMPT_ANSWERED,
	    .http_status = statuses[dice_below(dice, sizeof statuses / sizeof *statuses)],
	    .retry_after_ms = dice_below(dice, 6) == 0 ? 1000 + (int64_t)dice_below(dice, 100000) : -1};

	if (scene.attempt_count > 0)
		http_end(dice_below(dice, scene.attempt_count), &result);
}

static void
meddle(struct dice *dice)
{
	struct model_row *row = scene.row_count == 0 ? NULL : scene.rows[dice_below(dice, scene.row_count)];

	if (row == NULL)
		return;
	if (row->dead > 0 && !row->is_row && !row->accepted && !row->in_flight)
		scene_requeue(row);
	else if (row->is_row && !row->accepted && !scene.endpoints[row->endpoint].blocks && dice_below(dice, 8) == 0 &&
		 jobs_find(&scene.courier.jobs, row->job_id) == NULL)
		scene_dead_letter(row);
	else if (row->is_row && dice_below(dice, 3) == 0)
		scene_cancel(row);
	else if (row->is_row)
		scene_hurry(row);
}

static void
step(struct dice *dice)
{
	switch (dice_below(dice, 16)) {
	case 0:
	case 1:
	case 2:
	case 3:
		(void)scene_publish_key(dice_below(dice, FIFO_ENDPOINTS), "abcd"[dice_below(dice, 4)]);
		break;
	case 4:
	case 5:
	case 6:
		end_attempt(dice);
		break;
	case 7:
	case 8:
	case 9:
		(void)store_answer();
		break;
	case 10:
		(void)store_commit(dice_below(dice, 5));
		break;
	case 11:
		fake_now_us += dice_below(dice, 3000) * 1000;
		break;
	case 12:
		fake_now_us += dice_below(dice, 10) == 0 ? 90 * SECOND : 0;
		if (dice_below(dice, 5) == 0)
			change_endpoint(dice);
		break;
	case 13:
		if (dice_below(dice, 60) == 0) {
			scene_kill();
			store_start();
		}
		break;
	case 14:
		if (dice_below(dice, 3) == 0)
			meddle(dice);
		break;
	default:
		(void)courier_turn(&scene.courier);
	}
}

static uint32_t
rows_left(void)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < scene.row_count; i++)
		left += scene.rows[i]->is_row;
	return left;
}

/* Whether the endpoint has a stopped order, or is disabled. */
static bool
rests(uint32_t endpoint)
{
	for (uint32_t i = 0; i < scene.row_count; i++)
		if (scene.rows[i]->endpoint == endpoint && scene.rows[i]->stops)
			return true;
	return !scene.endpoints[endpoint].enabled;
}

static uint32_t
rows_left_that_go_on(void)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < scene.row_count; i++)
		left += scene.rows[i]->is_row && !rests(scene.rows[i]->endpoint);
	return left;
}

static void
go_on(uint32_t (*left)(void))
{
	for (uint32_t round = 0; round < 5000 && left() > 0; round++) {
		for (uint32_t i = 0; i < scene.attempt_count; i++)
			http_answer(i, 200);
		scene_settle();
		if (scene.attempt_count == 0)
			fake_now_us += SECOND;
	}
}

static uint32_t
anything_left(void)
{
	return rows_left() + jobs_in_memory();
}

/*
 * First only time passes, and the rows of all endpoints that do not rest must go. Then all endpoints are enabled and no
 * longer stop, and all rows must go.
 */
static void
finish(void)
{
	go_on(rows_left_that_go_on);
	assert_int_equal(rows_left_that_go_on(), 0);
	for (uint32_t i = 0; i < FIFO_ENDPOINTS; i++) {
		scene.endpoints[i].enabled = true;
		scene.endpoints[i].blocks = false;
		scene_change(i);
	}
	go_on(anything_left);
	for (uint32_t i = 0; i < scene.row_count; i++)
		if (scene.rows[i]->is_row)
			(void)printf("row %u of endpoint %u, place %ld, is left: due in %ld ms, %u attempts\n", i,
			    scene.rows[i]->endpoint, (long)scene.rows[i]->seq,
			    (long)((scene.rows[i]->due_us - fake_now_us) / 1000), scene.rows[i]->attempts);
	assert_int_equal(rows_left(), 0);
	assert_int_equal(jobs_in_memory(), 0);
}

static void
run(uint64_t seed, uint64_t limit)
{
	struct dice dice = {seed};

	scene_begin(limit, 1 * MIB);
	store_start();
	for (uint32_t i = 0; i < FIFO_ENDPOINTS; i++) {
		scene.endpoints[i].fifo = true;
		scene.endpoints[i].by_key = i > 0;
		scene.endpoints[i].blocks = i == 2;
	}
	for (uint32_t i = 0; i < STEPS; i++)
		step(&dice);
	finish();
	scene_end();
}

static void
test_the_order_holds_whatever_happens(void **state)
{
	uint64_t seed = seed_for("fifo");

	for (uint32_t i = 0; i < RUNS; i++)
		run(seed + i, 8 * MIB);
}

static void
test_the_order_holds_with_little_memory(void **state)
{
	uint64_t seed = seed_for("fifo, little memory");

	for (uint32_t i = 0; i < RUNS; i++)
		run(seed + i, 24 * KIB);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_order_holds_whatever_happens),
	    cmocka_unit_test(test_the_order_holds_with_little_memory),
	};

	return cmocka_run_group_tests_name("courier_fifo_random", tests, NULL, NULL);
}
