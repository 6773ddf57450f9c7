/*
 * A writer's side of its lanes: which events it gathers, and how it refuses parcels whose clients have waited too long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <sys/mman.h>

#include "shm/settle.h"
#include "tests/unit/lane_fixture.h"
#include "tests/unit/segment_fixture.h"
#include "tests/unit/single_step.h"
#include "writer/intake.h"
#include "shm/counters.h"

#define PARCELS 5u

struct scene {
	struct segment segment, copy; /* the copy is what a successor finds */
	struct lane lane;
	struct intake intake;
	uint32_t flags[PARCELS];
	uint32_t events[PARCELS];
	unsigned long images;
};

/* Publishes the parcel with that number and those flags. Returns the number of its events. */
static uint32_t
publish(const struct scene *scene, uint32_t number, uint32_t flags)
{
	size_t available, bytes;
	uint32_t events;
	char *out = lane_reserve(&scene->lane, &available);

	bytes = parcel_build(out, available, RING_SEED, number, 1, &events);
	assert_int_equal(lane_publish(&scene->lane, bytes, events, flags), number + 1);
	return events;
}

/* Makes a ring of one lane in which parcels with these flags wait. */
static void
set_scene(struct scene *scene, const uint32_t flags[PARCELS])
{
	struct config config = ring_config(1, 1, RING_OLD_BYTES);
	struct error err;

	*scene = (struct scene){.segment = ring_open(&config)};
	scene->lane = ring_map(&scene->segment, 0, 0);
	assert_int_equal(intake_open(&scene->intake, &scene->segment, ROLE_WRITER, 0, &err), 0);
	for (uint32_t i = 0; i < PARCELS; i++) {
		scene->flags[i] = flags[i];
		scene->events[i] = publish(scene, i, flags[i]);
	}
}

static void
end_scene(struct scene *scene)
{
	intake_close(&scene->intake);
	assert_int_equal(munmap(scene->intake.lanes[0].arena, 2 * scene->lane.arena_bytes), 0);
	ring_close(&scene->segment);
}

/* The events of the parcels that were published with those flags. */
static uint32_t
events_of(const struct scene *scene, uint32_t flags)
{
	uint32_t events = 0;

	for (uint32_t i = 0; i < PARCELS; i++)
		events += scene->flags[i] == flags ? scene->events[i] : 0;
	return events;
}

static void
commit_and_settle(struct scene *scene)
{
	ledger_commit(&segment_writer(&scene->segment, ROLE_WRITER, 0)->ledger);
	settle_lanes(&scene->segment, ROLE_WRITER, 0);
}

static void
refuse(void *context)
{
	struct scene *scene = context;

	(void)intake_draft_refusals(
	    &scene->intake, ledger_draft(&segment_writer(&scene->segment, ROLE_WRITER, 0)->ledger), true);
	commit_and_settle(scene);
}

static const uint32_t mixed[PARCELS] = {LANE_AWAITED, 0, LANE_AWAITED, LANE_AWAITED, 0};

static void
test_refused_parcels_are_counted_and_not_gathered(void **state)
{
	struct scene scene;
	struct ledger *ledger;

	set_scene(&scene, mixed);
	ledger = &segment_writer(&scene.segment, ROLE_WRITER, 0)->ledger;
	assert_int_equal(
	    intake_draft_refusals(&scene.intake, ledger_draft(ledger), true), events_of(&scene, LANE_AWAITED));
	commit_and_settle(&scene);
	assert_int_equal(lane_released(&scene.lane), 1);
	assert_int_equal(segment_waiting(&scene.segment, BOOKS_EVENTS), events_of(&scene, 0));
	/* No parcel is refused twice. */
	assert_int_equal(intake_draft_refusals(&scene.intake, ledger_draft(ledger), true), 0);
	commit_and_settle(&scene);
	assert_int_equal(segment_counter_sum(&scene.segment, COUNTER_DISCARDED), events_of(&scene, LANE_AWAITED));

	assert_true(intake_gather(&scene.intake));
	assert_int_equal(scene.intake.count, events_of(&scene, 0));
	intake_draft_release(&scene.intake, ledger_draft(ledger), SETTLED_STORED);
	commit_and_settle(&scene);
	assert_int_equal(lane_depth(&scene.lane), 0);
	assert_int_equal(segment_counter_sum(&scene.segment, COUNTER_DAMAGED), 0);
	for (uint32_t i = 0; i < PARCELS; i++)
		assert_int_equal((lane_flags(&scene.lane, i + 1) & LANE_REFUSED) != 0, scene.flags[i] == LANE_AWAITED);
	end_scene(&scene);
}

static void
test_the_next_run_refuses_no_parcel_of_this_one(void **state)
{
	struct scene scene;
	struct config config = ring_config(1, 1, RING_OLD_BYTES);

	set_scene(&scene, mixed);
	end_scene(&scene);
	scene.segment = ring_open(&config);

	struct intake intake;
	struct error err;

	assert_int_equal(intake_open(&intake, &scene.segment, ROLE_WRITER, 0, &err), 0);
	assert_int_equal(
	    intake_draft_refusals(&intake, ledger_draft(&segment_writer(&scene.segment, ROLE_WRITER, 0)->ledger), true),
	    0);
	assert_int_equal(
	    segment_waiting(&scene.segment, BOOKS_EVENTS), events_of(&scene, 0) + events_of(&scene, LANE_AWAITED));
	assert_int_equal(munmap(intake.lanes[0].arena, 2 * intake.lanes[0].arena_bytes), 0);
	ring_close(&scene.segment);
}

/* A client has stopped waiting, but its events may have been stored, whole or in part. They must stay. */
static void
test_parcels_in_doubt_are_kept(void **state)
{
	struct scene scene;
	struct ledger *ledger;
	uint32_t kept, later;

	set_scene(&scene, mixed);
	ledger = &segment_writer(&scene.segment, ROLE_WRITER, 0)->ledger;
	kept = events_of(&scene, 0) + events_of(&scene, LANE_AWAITED);
	assert_true(intake_gather(&scene.intake));
	intake_mark_in_doubt(&scene.intake);
	later = publish(&scene, PARCELS, LANE_AWAITED);
	assert_int_equal(
	    intake_draft_refusals(&scene.intake, ledger_draft(ledger), true), events_of(&scene, LANE_AWAITED) + later);
	commit_and_settle(&scene);
	assert_int_equal(segment_counter_sum(&scene.segment, COUNTER_DISCARDED), later);
	assert_int_equal(segment_waiting(&scene.segment, BOOKS_EVENTS), kept);
	for (uint32_t i = 0; i < PARCELS; i++)
		assert_int_equal(lane_flags(&scene.lane, i + 1),
		    mixed[i] | LANE_IN_DOUBT | (mixed[i] == LANE_AWAITED ? LANE_DISMISSED : 0));
	assert_int_equal(lane_flags(&scene.lane, PARCELS + 1), LANE_AWAITED | LANE_REFUSED);
	assert_int_equal(intake_draft_refusals(&scene.intake, ledger_draft(ledger), true), 0);
	commit_and_settle(&scene);
	assert_true(intake_gather(&scene.intake));
	assert_int_equal(scene.intake.count, kept);
	end_scene(&scene);
}

/* A writer that died may have stored everything that waits when its successor begins. */
static void
test_parcels_that_a_successor_finds_are_in_doubt(void **state)
{
	struct scene scene;
	struct intake successor;
	struct error err;

	set_scene(&scene, mixed);
	assert_int_equal(intake_open(&successor, &scene.segment, ROLE_WRITER, 0, &err), 0);
	for (uint32_t i = 0; i < PARCELS; i++)
		assert_int_equal(lane_flags(&scene.lane, i + 1), mixed[i] | LANE_IN_DOUBT);
	assert_int_equal(munmap(successor.lanes[0].arena, 2 * scene.lane.arena_bytes), 0);
	end_scene(&scene);
}

/* The flags that refuse() adds to a parcel with those flags. */
static uint32_t
verdict(uint32_t flags)
{
	if ((flags & LANE_AWAITED) == 0)
		return 0;
	return (flags & LANE_IN_DOUBT) == 0 ? LANE_REFUSED : LANE_DISMISSED;
}

/* A successor finds that all parcels were refused and counted, or none. */
static void
look_through_successors_eyes(void *context)
{
	struct scene *scene = context;
	const struct segment *copy = &scene->copy;
	uint32_t leading = 0;
	bool refused;

	if (memcmp(copy->header, scene->segment.header, copy->mapped_bytes) == 0)
		return;
	memcpy(copy->header, scene->segment.header, copy->mapped_bytes);
	scene->images++;

	struct lane lane = segment_lane(copy, LANES_EVENTS, 0, 0);

	REQUIRE(lane_valid(&lane, copy->header->lane_slots) && settle_ledger_valid(copy, ROLE_WRITER, 0));
	settle_take_over(copy, ROLE_WRITER, 0);
	refused = ledger_page(&segment_writer(copy, ROLE_WRITER, 0)->ledger)->settled_as == SETTLED_REFUSED;
	REQUIRE(segment_counter_sum(copy, COUNTER_DISCARDED) == (refused ? events_of(scene, LANE_AWAITED) : 0));
	REQUIRE(segment_waiting(copy, BOOKS_EVENTS) + segment_counter_sum(copy, COUNTER_DISCARDED) ==
		segment_counter_sum(copy, COUNTER_RECEIVED));
	for (uint32_t i = 0; i < PARCELS; i++)
		REQUIRE(lane_flags(&lane, i + 1) == (scene->flags[i] | (refused ? verdict(scene->flags[i]) : 0)));
	while (refused && leading < PARCELS && scene->flags[leading] == LANE_AWAITED)
		leading++;
	REQUIRE(lane_released(&lane) == leading);
	memcpy(copy->header, scene->segment.header, copy->mapped_bytes);
}

static void
test_a_writer_killed_while_it_refuses_leaves_all_or_none_refused(void **state)
{
	static const uint32_t lanes[][PARCELS] = {
	    {LANE_AWAITED, 0, LANE_AWAITED, LANE_AWAITED, 0},
	    {0, LANE_AWAITED, LANE_AWAITED, 0, LANE_AWAITED},
	    {LANE_AWAITED, LANE_AWAITED, LANE_AWAITED, LANE_AWAITED, LANE_AWAITED},
	    {LANE_AWAITED, LANE_AWAITED | LANE_IN_DOUBT, LANE_AWAITED, 0, LANE_AWAITED | LANE_IN_DOUBT},
	    {0, 0, 0, 0, LANE_IN_DOUBT},
	};

	for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++) {
		struct scene scene;
		unsigned long steps;

		set_scene(&scene, lanes[i]);
		scene.copy = scene.segment;
		scene.copy.header =
		    mmap(NULL, scene.copy.mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(scene.copy.header, MAP_FAILED);
		for (int r = 0; r < ROLES; r++)
			scene.copy.slots[r] =
			    (char *)scene.copy.header + (scene.segment.slots[r] - (char *)scene.segment.header);
		steps = single_step(refuse, look_through_successors_eyes, &scene);
		assert_int_equal(munmap(scene.copy.header, scene.copy.mapped_bytes), 0);
		end_scene(&scene);
		if (steps == 0)
			skip();
		(void)printf("%lu instructions left %lu different rings to a successor\n", steps, scene.images);
		assert_true(scene.images > 3); /* the draft, the page, and what follows from it */
		(void)ring_remove(NULL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING_TEST(test_refused_parcels_are_counted_and_not_gathered),
	    RING_TEST(test_the_next_run_refuses_no_parcel_of_this_one),
	    RING_TEST(test_parcels_in_doubt_are_kept),
	    RING_TEST(test_parcels_that_a_successor_finds_are_in_doubt),
	    RING_TEST(test_a_writer_killed_while_it_refuses_leaves_all_or_none_refused),
	};

	return cmocka_run_group_tests_name("intake", tests, ring_make_directory, ring_remove_directory);
}
