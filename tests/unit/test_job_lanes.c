/* Which jobs couriers get from a publisher, and that jobs without room stay in their rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "tests/unit/event_fixture.h"
#include "tests/unit/segment_fixture.h"
#include "writer/job_lanes.h"

#define COURIERS 2u /* of the tables that this program is compiled with (fake_roles.h), with one writer */
#define LANES 5u /* those tables' with one acceptor */

static struct segment segment;
static struct job_lanes lanes;
static struct record *event;
static struct handover_job jobs[600];

static int
begin(void **state)
{
	struct config config = ring_config(1, 1, LANES * 64 * 1024);
	struct error err;

	(void)ring_remove(state);
	segment = ring_open(&config);
	assert_int_equal(segment.counts[ROLE_COURIER], COURIERS);
	assert_int_equal(job_lanes_open(&lanes, &segment, 0, &err), 0);
	event = published_event(&(struct published_event){.number = 1, .topic = "a", .payload = "{\"x\":1}"});
	for (uint32_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
		jobs[i] = (struct handover_job){.number = i + 1, .expires_ms = 1000 + i};
		memcpy(jobs[i].endpoint_id, &i, sizeof i);
	}
	return 0;
}

static int
end(void **state)
{
	for (uint32_t c = 0; c < COURIERS; c++)
		assert_int_equal(munmap(lanes.lanes[c].lane.arena, 2 * lanes.lanes[c].lane.arena_bytes), 0);
	job_lanes_close(&lanes);
	free(event);
	ring_close(&segment);
	return ring_remove(state);
}

static uint32_t
missed(uint32_t courier)
{
	return courier_missed(segment_courier(&segment, courier));
}

/* Takes all parcels of a courier. Returns the number of their jobs; sets those of their events and of the parcels. */
static uint32_t
take(uint32_t courier, uint32_t *events, uint32_t *parcels)
{
	const struct lane *lane = &lanes.lanes[courier].lane; /* the courier sees the same memory */
	uint32_t at = lane_released(lane), count = 0;
	struct parcel parcel;

	*events = *parcels = 0;
	for (; lane_peek(lane, at, &parcel); at++, (*parcels)++) {
		size_t done = 0;

		for (uint32_t e = 0; e < parcel.events; e++, (*events)++) {
			const struct record *record;
			const struct handover *handover =
			    handover_read(parcel.bytes + done, parcel.length - done, &record);

			assert_non_null(handover);
			assert_int_equal(handover->begun_us, 77);
			assert_memory_equal(record, event, event->length);
			for (uint32_t i = 0; i < handover->jobs; i++) {
				assert_int_equal(handover_courier(handover->job[i].endpoint_id, COURIERS), courier);
				assert_int_equal(handover->job[i].expires_ms, 999 + handover->job[i].number);
			}
			count += handover->jobs;
			done += handover->length;
		}
		assert_int_equal(done, parcel.length);
	}
	lane_release(lane, at);
	return count;
}

static void
test_each_courier_gets_an_event_once_with_its_jobs(void **state)
{
	uint32_t events[COURIERS], parcels[COURIERS];

	job_lanes_add(&lanes, event, jobs, 100, 77);
	job_lanes_add(&lanes, event, jobs, 100, 77);
	assert_int_equal(lane_depth(&lanes.lanes[0].lane), 0); /* no parcel is visible yet */
	job_lanes_end(&lanes);

	uint32_t first = take(0, &events[0], &parcels[0]), second = take(1, &events[1], &parcels[1]);

	assert_int_equal(first + second, 200);
	assert_true(first > 50 && second > 50);
	for (uint32_t c = 0; c < COURIERS; c++) {
		assert_int_equal(events[c], 2);
		assert_int_equal(parcels[c], 1);
		assert_int_equal(missed(c), 0);
	}
}

static void
test_a_courier_without_jobs_gets_nothing(void **state)
{
	uint32_t courier = handover_courier(jobs[0].endpoint_id, COURIERS);
	uint32_t events, parcels;

	job_lanes_add(&lanes, event, jobs, 1, 77);
	job_lanes_end(&lanes);
	assert_int_equal(take(courier, &events, &parcels), 1);
	assert_int_equal(take(1 - courier, &events, &parcels), 0);
	assert_int_equal(parcels, 0);
}

/* The courier learns once a batch that jobs found no room. */
static void
test_without_room_jobs_stay_in_their_rows_and_the_courier_learns_of_it(void **state)
{
	uint32_t events, parcels, added = 0;

	while (lanes.lanes[0].missed + lanes.lanes[1].missed < 2 && added < 100) {
		job_lanes_add(&lanes, event, jobs, 600, 77);
		added++;
	}
	job_lanes_add(&lanes, event, jobs, 600, 77);
	job_lanes_end(&lanes);
	for (uint32_t c = 0; c < COURIERS; c++) {
		assert_int_equal(missed(c), 1);
		assert_true(take(c, &events, &parcels) > 0);
		assert_true(events < added);
	}

	/* There is room again. */
	job_lanes_add(&lanes, event, jobs, 600, 77);
	job_lanes_end(&lanes);
	assert_int_equal(take(0, &events, &parcels) + take(1, &events, &parcels), 600);
	assert_int_equal(missed(0) + missed(1), 2);
}

/* A batch that is larger than the reserved space goes on in a second parcel. */
static void
test_a_batch_that_does_not_fit_the_reserved_space_goes_on_in_another_parcel(void **state)
{
	uint32_t events, parcels;

	job_lanes_add(&lanes, event, jobs, 200, 77);
	job_lanes_end(&lanes);
	for (int i = 0; i < 4; i++)
		job_lanes_add(&lanes, event, jobs, 200, 77);
	(void)take(0, &events, &parcels);
	(void)take(1, &events, &parcels);
	for (int i = 0; i < 5; i++)
		job_lanes_add(&lanes, event, jobs, 200, 77);
	job_lanes_end(&lanes);

	uint32_t got = take(0, &events, &parcels) + take(1, &events, &parcels);

	assert_int_equal(got, 1800);
	assert_int_equal(missed(0) + missed(1), 0);
}

static void
test_all_couriers_learn_that_they_must_look_at_their_rows(void **state)
{
	job_lanes_missed(&lanes);
	assert_int_equal(missed(0), 1);
	assert_int_equal(missed(1), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_each_courier_gets_an_event_once_with_its_jobs),
	    TEST(test_a_courier_without_jobs_gets_nothing),
	    TEST(test_without_room_jobs_stay_in_their_rows_and_the_courier_learns_of_it),
	    TEST(test_a_batch_that_does_not_fit_the_reserved_space_goes_on_in_another_parcel),
	    TEST(test_all_couriers_learn_that_they_must_look_at_their_rows),
	};

	return cmocka_run_group_tests(tests, ring_make_directory, ring_remove_directory);
}
