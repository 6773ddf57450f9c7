/*
 * A producer and a consumer thread on one lane, for ThreadSanitizer (-Db_sanitize=thread). It sees every access to
 * records and descriptors, and knows the two hand-overs that shm/lane.c declares. The test is useful without it too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "tests/unit/lane_fixture.h"

#define PARCELS 60000u
#define FIRST (UINT32_MAX - PARCELS / 3)

struct side {
	struct lane lane;
	uint64_t seed;
	uint64_t records;
};

static void *
produce(void *context)
{
	const struct side *side = context;

	lane_feed(&side->lane, side->seed, 1, FIRST, PARCELS);
	return NULL;
}

static void *
consume(void *context)
{
	struct side *side = context;

	side->records = lane_eat(&side->lane, side->seed, FIRST, PARCELS);
	return NULL;
}

static void
test_two_threads_exchange_parcels_without_a_data_race(void **state)
{
	static const struct {
		uint32_t slots;
		uint64_t arena_bytes;
	} shapes[] = {{2, 4096}, {4, 8192}, {64, 12288}, {1024, 16384}};

	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		struct lane lane = lane_over_memory(shapes[i].slots, shapes[i].arena_bytes, FIRST, 0);
		uint64_t seed = seed_for("test_lane_threads");
		struct side sides[2] = {{lane, seed, 0}, {lane, seed, 0}};
		pthread_t threads[2];

		assert_int_equal(pthread_create(&threads[0], NULL, produce, &sides[0]), 0);
		assert_int_equal(pthread_create(&threads[1], NULL, consume, &sides[1]), 0);
		assert_int_equal(pthread_join(threads[0], NULL), 0);
		assert_int_equal(pthread_join(threads[1], NULL), 0);
		assert_in_range(sides[1].records, 2 * PARCELS, 3 * PARCELS);
		assert_int_equal(lane_depth(&lane), 0);
		assert_true(lane_valid(&lane, shapes[i].slots));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_threads_exchange_parcels_without_a_data_race)};

	return cmocka_run_group_tests_name("lane_threads", tests, NULL, NULL);
}
