/*
 * A role that is one more row of the table: its slots, lanes and counters, and couriers that both take from lanes and
 * publish on lanes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/metrics.h"
#include "shm/ring_size.h"
#include "tests/unit/segment_fixture.h"
#include "tests/unit/supervisor_fixture.h"
#include "shm/counters.h"

#define PARCEL_BYTES 64
#define PARCELS 20000 /* from each acceptor to each writer, so that lanes are full many times */

static void
test_a_row_makes_slots_and_lanes_that_overlap_no_others(void **state)
{
	struct config config = ring_config(3, 2, 1 << 20);
	struct segment segment = ring_open(&config);
	uint32_t lanes = 3 * 2 + 2 * 3 + 3 * 2;

	assert_int_equal(segment.counts[ROLE_COURIER], 3);
	assert_int_equal(segment_slot_count(&segment), 3 + 2 + 3);
	assert_int_equal(segment_lane_count(&segment), lanes);
	for (uint32_t i = 0; i < segment_slot_count(&segment); i++)
		slot_begin(segment_slot_at(&segment, i), 100 + (int32_t)i, 0);
	assert_int_equal(slot_pid(segment_slot(&segment, ROLE_ACCEPTOR, 0)), 100);
	assert_int_equal(slot_pid(segment_slot(&segment, ROLE_WRITER, 1)), 104);
	assert_int_equal(slot_pid(segment_slot(&segment, ROLE_COURIER, 2)), 107);

	struct lane jobs = segment_lane(&segment, LANES_JOBS, 1, 2),
		    outcomes = segment_lane(&segment, LANES_OUTCOMES, 0, 1);

	assert_ptr_equal(jobs.control, segment_lane_at(&segment, 6 + 5).control);
	assert_ptr_equal(outcomes.control, segment_lane_at(&segment, 12 + 1).control);
	for (uint32_t n = 0; n < lanes; n++) {
		struct lane lane = segment_lane_at(&segment, n);
		struct error err;

		assert_int_equal(segment_map_arena(&segment, &lane, &err), 0);
		memset(lane_reserve(&lane, &(size_t){0}), 'a' + (int)n, lane.arena_bytes);
		(void)lane_publish(&lane, lane.arena_bytes, 1 + n, 0);
	}
	for (uint32_t n = 0; n < lanes; n++) {
		struct lane lane = segment_lane_at(&segment, n);
		struct parcel parcel;
		struct error err;

		assert_int_equal(segment_map_arena(&segment, &lane, &err), 0);
		assert_true(lane_peek(&lane, 0, &parcel));
		assert_int_equal(parcel.events, 1 + n);
		assert_int_equal(parcel.bytes[0], 'a' + n);
		assert_int_equal(parcel.bytes[parcel.length - 1], 'a' + n);
	}
	/* The first group of lanes is that of events. */
	assert_int_equal(segment_waiting(&segment, BOOKS_EVENTS), 6 * 7 / 2);
	assert_int_equal(segment_counter_sum(&segment, COUNTER_RECEIVED), 6 * 7 / 2);
	ring_close(&segment);
}

static void
test_a_row_is_counted_in_the_size_that_the_ring_needs(void **state)
{
	const struct config config = {
	    .acceptors = 3, .writers = 2, .max_body_bytes = 1000, .max_batch_events = 1, .hl_store = HL_STORE_OFF};

	assert_string_equal(ring_need(&config).lanes,
	    "18 lanes (3 acceptors x 2 writers, 2 writers x 3 couriers, 3 couriers x 2 writers)");
	assert_int_equal(ring_need(&config).bytes, 18 * (1000 + 128 + 65536) + (1 << 20));
}

static void
test_a_row_makes_counters_and_labels(void **state)
{
	struct config config = ring_config(1, 1, 1 << 20);
	struct segment segment = ring_open(&config);
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	counter_add(segment_slot(&segment, ROLE_COURIER, 1), counter_of_restarts(ROLE_COURIER, DEATH_STUCK), 1);
	segment_slot(&segment, ROLE_COURIER, 1)->usage.cpu_us = 2500000;
	metrics_write(out, &segment, METRICS_TEXT);
	(void)fclose(out);
	assert_non_null(strstr(text, "hooks_process_restarts_total{role=\"courier\",cause=\"stuck\"} 1\n"));
	assert_non_null(strstr(text, "hooks_process_restarts_total{role=\"writer\",cause=\"stuck\"} 0\n"));
	assert_non_null(strstr(text, "hooks_process_cpu_seconds_total{role=\"courier\"} 2.500000\n"));
	free(text);
	ring_close(&segment);
}

/* A process's ends of the lanes of one group, and the positions up to which it has published or taken. */
struct ends {
	struct lane lanes[8];
	uint32_t count, published[8];
};

struct actor {
	const struct stage *stage;
	enum role role;
	uint32_t index;
	struct ends events, jobs, outcomes;
};

static void
map_ends(const struct actor *actor, enum lane_group group, struct ends *ends)
{
	bool produces = lane_group_table[group].from == actor->role;
	enum role other = produces ? lane_group_table[group].to : lane_group_table[group].from;
	struct error err;

	if (!produces && lane_group_table[group].to != actor->role)
		return;
	for (uint32_t i = 0; i < actor->stage->segment.counts[other]; i++) {
		struct lane *lane = &ends->lanes[ends->count++];

		*lane = segment_lane(
		    &actor->stage->segment, group, produces ? actor->index : i, produces ? i : actor->index);
		if (segment_map_arena(&actor->stage->segment, lane, &err) != 0)
			abort();
	}
}

static bool
publish(const struct lane *lane)
{
	size_t room;
	char *at = lane_reserve(lane, &room);

	if (at == NULL || room < PARCEL_BYTES)
		return false;
	memset(at, 'x', PARCEL_BYTES);
	(void)lane_publish(lane, PARCEL_BYTES, 1, 0);
	return true;
}

/*
 * Takes the parcels that have come, and publishes one for each, to each of the consumers in turn. `to` NULL: publishes
 * none.
 */
static bool
pass_on(const struct ends *from, const struct ends *to, struct process_slot *slot)
{
	bool any = false;

	for (uint32_t i = 0; i < from->count; i++) {
		uint32_t at = lane_released(&from->lanes[i]);
		struct parcel parcel;

		for (; lane_peek(&from->lanes[i], at, &parcel); at++) {
			if (to != NULL && !publish(&to->lanes[at % to->count]))
				break;
			if (to == NULL)
				counter_add(slot, COUNTER_BATCHES, 1);
			any = true;
		}
		lane_release(&from->lanes[i], at);
	}
	return any;
}

static bool
work_once(struct actor *actor)
{
	bool any = false;

	switch (actor->role) {
	case ROLE_ACCEPTOR:
		for (uint32_t i = 0; i < actor->events.count; i++)
			while (actor->events.published[i] < PARCELS && publish(&actor->events.lanes[i]))
				actor->events.published[i]++;
		return false;
	case ROLE_WRITER:
		any = pass_on(&actor->outcomes, NULL, segment_slot(&actor->stage->segment, ROLE_WRITER, actor->index));
		return pass_on(&actor->events, &actor->jobs, NULL) || any;
	default:
		return pass_on(&actor->jobs, &actor->outcomes, NULL);
	}
}

static void
work(void *context)
{
	while (work_once(context))
		;
}

static uint64_t
waiting(const struct stage *stage, enum lane_group group)
{
	uint64_t parcels = 0;

	for (uint32_t from = 0; from < stage->segment.counts[lane_group_table[group].from]; from++)
		for (uint32_t to = 0; to < stage->segment.counts[lane_group_table[group].to]; to++) {
			struct lane lane = segment_lane(&stage->segment, group, from, to);

			parcels += lane_depth(&lane);
		}
	return parcels;
}

static int
play(const struct stage *stage, enum role role, uint32_t index)
{
	struct actor actor = {.stage = stage, .role = role, .index = index};

	map_ends(&actor, LANES_EVENTS, &actor.events);
	map_ends(&actor, LANES_JOBS, &actor.jobs);
	map_ends(&actor, LANES_OUTCOMES, &actor.outcomes);
	stage_live(stage, role, index, work, &actor);
	work(&actor);
	return 0;
}

/*
 * A parcel that was published and has come back is stored. A parcel that waits for a courier is not, and none is lost.
 */
static uint64_t
outcomes(const struct stage *stage)
{
	return segment_counter_sum(&stage->segment, COUNTER_BATCHES);
}

static void
drain_in_the_midst_of_it(const struct stage *stage)
{
	if (outcomes(stage) > PARCELS)
		stage_signal_master(SIGTERM);
}

static uint64_t
work_left(const struct stage *stage)
{
	return waiting(stage, LANES_EVENTS) + waiting(stage, LANES_OUTCOMES);
}

static void
test_three_phases_drain_lanes_in_a_circle_without_a_loss(void **state)
{
	struct stage stage;
	uint64_t published = 0;

	stage_open(&stage, 2, 2);
	stage.play = play;
	stage.on_turn = drain_in_the_midst_of_it;
	stage.work_left = work_left;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	for (uint32_t a = 0; a < 2; a++)
		for (uint32_t w = 0; w < 2; w++) {
			struct lane lane = segment_lane(&stage.segment, LANES_EVENTS, a, w);

			published += lane_events(&lane);
		}
	assert_true(outcomes(&stage) > PARCELS);
	assert_int_equal(waiting(&stage, LANES_OUTCOMES), 0);
	assert_int_equal(outcomes(&stage) + waiting(&stage, LANES_JOBS) + waiting(&stage, LANES_EVENTS), published);
	stage_close(&stage);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING_TEST(test_a_row_makes_slots_and_lanes_that_overlap_no_others),
	    RING_TEST(test_a_row_is_counted_in_the_size_that_the_ring_needs),
	    RING_TEST(test_a_row_makes_counters_and_labels),
	    RING_TEST(test_three_phases_drain_lanes_in_a_circle_without_a_loss),
	};

	return cmocka_run_group_tests(tests, ring_make_directory, ring_remove_directory);
}
