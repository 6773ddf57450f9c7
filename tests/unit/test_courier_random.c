/*
 * Whatever happens, in whatever order: every row is delivered, dies or is cancelled exactly once, no limit is exceeded,
 * and no job is begun after a page has shown that its row is gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/sizes.h"
#include "tests/unit/courier_store_fixture.h"
#include "tests/unit/lane_fixture.h"

#define STEPS 400u /* few, because a run shows only the rows that are lost near its end */
#define RUNS 150u
#define LATE_MOST 8u

/* Rows that their publisher has committed and not handed over yet. */
static struct model_row *late[LATE_MOST];
static uint32_t late_count;

static void
publish(struct dice *dice)
{
	struct model_row *row = scene_row(dice_below(dice, ENDPOINTS), 10 + dice_below(dice, 3000), fake_now_us);

	row->has_transform = dice_below(dice, 5) == 0;
	row->unreadable = row->has_transform && dice_below(dice, 4) == 0;
	if (dice_below(dice, 20) == 0)
		row->expires_ms = fake_now_us / 1000 + dice_below(dice, 20000);
	row->gone = dice_below(dice, 50) == 0;
	if (dice_below(dice, 8) == 0 || row->gone)
		scene_miss();
	else if (dice_below(dice, 4) == 0 && late_count < LATE_MOST)
		late[late_count++] = row;
	else
		scene_hand_over(dice_below(dice, LANES), &row, 1);
}

static void
hand_over_late(struct dice *dice)
{
	if (late_count > 0)
		scene_hand_over(dice_below(dice, LANES), &late[--late_count], 1);
}

static void
end_attempt(struct dice *dice)
{
	static const int32_t statuses[] = {200, 200, 204, 500, 503, 404, 422, 429, 301, 410};
	struct attempt_result result = {.end = ATTEMPT_ANSWERED,
	    .http_status = statuses[dice_below(dice, sizeof statuses / sizeof *statuses)],
	    .retry_after_ms = dice_below(dice, 3) == 0 ? 1000 + (int64_t)dice_below(dice, 100000) : -1};

	if (scene.attempt_count == 0)
		return;
	if (result.http_status == 410 && dice_below(dice, 10) > 0)
		result.http_status = 200;
	if (dice_below(dice, 10) == 0)
		result = (struct attempt_result){.end = ATTEMPT_FAILED,
		    .retry_after_ms = -1,
		    .failure = dice_below(dice, 2) == 0 ? FAILURE_REFUSED : FAILURE_TIMEOUT};
	else if (dice_below(dice, 10) == 0)
		result = (struct attempt_result){.end = ATTEMPT_INTERNAL, .retry_after_ms = -1};
	else if (dice_below(dice, 10) == 0)
		result = (struct attempt_result){.end = ATTEMPT_UNRESOLVED, .retry_after_ms = -1};
	http_end(dice_below(dice, scene.attempt_count), &result);
}

static void
change_endpoint(struct dice *dice)
{
	struct model_endpoint *endpoint = &scene.endpoints[dice_below(dice, ENDPOINTS)];

	endpoint->enabled = dice_below(dice, 4) > 0;
	endpoint->max_in_flight = 1 + dice_below(dice, 5);
	endpoint->rate_limit_rps = dice_below(dice, 4) == 0 ? 1 : 1000;
	endpoint->exact_limits = dice_below(dice, 4) == 0;
	if (dice_below(dice, 3) == 0)
		endpoint->breaker_version = endpoint->version + 1;
	scene_change((uint32_t)(endpoint - scene.endpoints));
}

static void
change_pauses(struct dice *dice)
{
	static const char *const whose[] = {"acme", "bolt", "*", NULL, NULL};

	store_send_pause(whose[dice_below(dice, sizeof whose / sizeof *whose)]);
}

/*
 * Kills the courier. Delivered rows are handed over first: the next courier does not know which rows this one has taken
 * early, and would begin them again.
 */
static void
kill_courier(void)
{
	for (uint32_t i = late_count; i-- > 0;)
		if (late[i]->accepted) {
			scene_hand_over(0, &late[i], 1);
			late[i] = late[--late_count];
		}
	(void)courier_turn(&scene.courier);
	scene_kill();
	store_start();
}

/* Nodes come and go, and take leases. */
static void
change_nodes(struct dice *dice)
{
	uint32_t nodes = dice_below(dice, 5);

	if (dice_below(dice, 3) == 0)
		store_send_nodes(nodes, nodes > 0 ? dice_below(dice, nodes) : 0);
	else
		scene.endpoints[dice_below(dice, ENDPOINTS)].leased_elsewhere = dice_below(dice, 2) == 0;
}

/* Cancels a job, or makes it due now, as the API does. */
static void
meddle(struct dice *dice)
{
	struct model_row *row = scene.row_count == 0 ? NULL : scene.rows[dice_below(dice, scene.row_count)];

	if (row == NULL || !row->is_row)
		return;
	if (dice_below(dice, 2) == 0) {
		scene_hurry(row);
		return;
	}
	scene_cancel(row);
	if (dice_below(dice, 2) == 0)
		store_send_cancelled(row);
}

static void
check(void)
{
	uint32_t in_flight = 0;

	for (uint32_t i = 0; i < ENDPOINTS; i++)
		in_flight += scene.endpoints[i].in_flight;
	assert_int_equal(in_flight, scene.courier.jobs.in_flight);
	assert_int_equal(in_flight, COURIER_IN_FLIGHT_MOST - attempts_count(&scene.slot.attempts, 0));
	assert_true(lane_bytes_used(&scene.outcomes) + in_flight * 8192 <= scene.outcomes.arena_bytes);
	assert_true(scene.courier.jobs.bytes <= scene.limit + scene.limit / 4 + 4096);
	for (uint32_t i = 0; i < scene.row_count; i++)
		assert_true(scene.rows[i]->delivered + scene.rows[i]->dead + scene.rows[i]->cancelled ==
			    !scene.rows[i]->is_row);
}

static void
step(struct dice *dice)
{
	switch (dice_below(dice, 18)) {
	case 0:
	case 1:
	case 2:
		publish(dice);
		break;
	case 3:
		hand_over_late(dice);
		break;
	case 4:
	case 5:
	case 6:
		end_attempt(dice);
		break;
	case 7:
	case 8:
		(void)store_answer();
		break;
	case 9:
		(void)store_commit(dice_below(dice, 5));
		break;
	case 10:
		fake_now_us += dice_below(dice, 3000) * 1000;
		break;
	case 11:
		fake_now_us += dice_below(dice, 10) == 0 ? 90 * SECOND : 0;
		break;
	case 12:
		if (dice_below(dice, 5) == 0)
			change_endpoint(dice);
		else if (dice_below(dice, 8) == 0)
			change_pauses(dice);
		break;
	case 13:
		if (dice_below(dice, 100) == 0)
			kill_courier();
		break;
	case 14:
		if (dice_below(dice, 60) == 0) {
			store_lose_node();
			store_start();
		}
		break;
	case 15:
		meddle(dice);
		break;
	case 16:
		if (dice_below(dice, 10) == 0)
			change_nodes(dice);
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

/* From now on nothing fails, and everything must end. A cancelled job may still be in memory. */
static void
finish(void)
{
	while (late_count > 0)
		scene_hand_over(0, &late[--late_count], 1);
	store_send_pause(NULL);
	if (scene.courier.ready.shares.view.nodes == 0 || store_has_messages())
		store_send_nodes(3, 1);
	for (uint32_t i = 0; i < ENDPOINTS; i++)
		scene.endpoints[i].leased_elsewhere = false;
	for (uint32_t round = 0; round < 3000 && (rows_left() > 0 || scene.courier.jobs.table.count > 0); round++) {
		for (uint32_t i = 0; i < ENDPOINTS; i++)
			if (!scene.endpoints[i].enabled) {
				scene.endpoints[i].enabled = true;
				scene_change(i);
			}
		for (uint32_t i = 0; i < scene.attempt_count; i++)
			http_answer(i, 200);
		scene_settle();
		check();
		if (scene.attempt_count == 0)
			fake_now_us += SECOND;
	}
	for (uint32_t i = 0; i < scene.row_count; i++)
		if (scene.rows[i]->is_row)
			(void)printf("row %u of endpoint %u is left: due in %ld ms, %u attempts\n", i,
			    scene.rows[i]->endpoint, (long)((scene.rows[i]->due_us - fake_now_us) / 1000),
			    scene.rows[i]->attempts);
	assert_int_equal(rows_left(), 0);
	while (scene.attempt_count > 0) { /* attempts of jobs that were cancelled while they were under way */
		http_answer(0, 200);
		scene_settle();
	}
	scene_pass(100 * SECOND);
	assert_int_equal(scene.courier.jobs.table.count, 0);
}

static void
run(uint64_t seed, uint64_t limit, uint64_t outcomes_bytes)
{
	struct dice dice = {seed};

	scene_begin(limit, outcomes_bytes);
	late_count = 0;
	store_start();
	for (uint32_t i = 0; i < STEPS; i++) {
		step(&dice);
		check();
	}
	finish();
	scene_end();
}

static void
test_every_row_is_delivered_once_with_much_memory(void **state)
{
	uint64_t seed = seed_for("courier");

	for (uint32_t i = 0; i < RUNS; i++)
		run(seed + i, 8 * MIB, 1 * MIB);
}

static void
test_every_row_is_delivered_once_with_little_memory(void **state)
{
	uint64_t seed = seed_for("courier, little memory");

	for (uint32_t i = 0; i < RUNS; i++)
		run(seed + i, 24 * KIB, 64 * KIB);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_row_is_delivered_once_with_much_memory),
	    cmocka_unit_test(test_every_row_is_delivered_once_with_little_memory),
	};

	return cmocka_run_group_tests_name("courier_random", tests, NULL, NULL);
}
