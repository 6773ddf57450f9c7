/* A producer that reads its parcels after their release: their space is not used again until then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "shm/lane.h"
#include "tests/unit/lane_fixture.h"

#define PAGE 4096u
#define SLOTS 8u

static const uint32_t starts[] = {0, 1, INT32_MAX - 1, UINT32_MAX - 2, UINT32_MAX - 1, UINT32_MAX};

#define EACH(start)                                                                                                    \
	size_t i = 0;                                                                                                  \
	i < sizeof starts / sizeof *starts && ((start) = starts[i], true);                                             \
	i++

static uint32_t
publish(const struct lane *lane, uint32_t answered, size_t bytes, char filling)
{
	size_t room;
	char *out = lane_reserve_behind(lane, answered, &room);

	assert_non_null(out);
	assert_true(room >= bytes);
	memset(out, filling, bytes);
	return lane_publish(lane, bytes, 1, LANE_AWAITED);
}

static void
assert_holds(const struct lane *lane, uint32_t position, size_t bytes, char filling)
{
	struct parcel parcel;

	lane_reread(lane, position, &parcel);
	assert_int_equal(parcel.length, bytes);
	assert_int_equal(parcel.events, 1);
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(parcel.bytes[i], filling);
}

/*
 * The consumer writes an outcome and releases the parcel between two looks of the producer. The outcome must still be
 * there.
 */
static void
test_a_parcel_released_after_the_last_answer_is_not_overwritten(void **state)
{
	uint32_t start;

	for (EACH(start)) {
		struct lane lane = lane_over_memory(SLOTS, PAGE, start, 0);
		uint32_t answered = lane_released(&lane), first, second;
		struct parcel parcel;
		size_t room;

		first = publish(&lane, answered, 1024, 'a');
		second = publish(&lane, answered, 1024, 'b');
		assert_true(lane_peek(&lane, first - 1, &parcel));
		parcel.bytes[0] = parcel.bytes[1023] = 'A';
		lane_release(&lane, first);

		/* Only the space after both parcels may be overwritten. */
		memset(lane_reserve_behind(&lane, answered, &room), 'x', 2048);
		assert_int_equal(room, 2048);
		lane_reread(&lane, first, &parcel);
		assert_int_equal(parcel.length, 1024);
		assert_int_equal(parcel.bytes[0], 'A');
		assert_int_equal(parcel.bytes[1], 'a');
		assert_int_equal(parcel.bytes[1023], 'A');

		/* When the first request is answered its space is free, and the second one's is not. */
		answered = first;
		memset(lane_reserve_behind(&lane, answered, &room), 'x', room);
		assert_int_equal(room, 3072);
		assert_holds(&lane, second, 1024, 'b');
	}
}

/* Descriptors of parcels that are not answered are not used again, although all of them are released. */
static void
test_descriptors_are_not_used_again_before_the_answer(void **state)
{
	uint32_t start;

	for (EACH(start)) {
		struct lane lane = lane_over_memory(SLOTS, PAGE, start, 0);
		uint32_t answered = lane_released(&lane), positions[SLOTS];
		size_t room;

		for (uint32_t n = 0; n < SLOTS - 1; n++)
			positions[n] = publish(&lane, answered, 8 * (n + 1), (char)('a' + n));
		lane_set_flag(&lane, positions[2], LANE_SPOOLED, true);
		lane_release(&lane, positions[SLOTS - 2]);
		assert_null(lane_reserve_behind(&lane, answered, &room));
		assert_int_equal(room, 0);
		for (uint32_t n = 0; n < SLOTS - 1; n++) {
			assert_holds(&lane, positions[n], 8 * (n + 1), (char)('a' + n));
			assert_int_equal(lane_flags(&lane, positions[n]), LANE_AWAITED | (n <= 2 ? LANE_SPOOLED : 0));
		}
		/* With each answer one more parcel fits, and the parcels after it can be read. */
		for (uint32_t n = 0; n < SLOTS - 2; n++) {
			(void)publish(&lane, positions[n], 8, 'z');
			assert_null(lane_reserve_behind(&lane, positions[n], &room));
			assert_holds(&lane, positions[n + 1], 8 * (n + 2), (char)('a' + n + 1));
		}
	}
}

/* A refused parcel is answered before its release, and is read in its place. */
static void
test_a_refused_parcel_is_read_in_its_place(void **state)
{
	struct lane lane = lane_over_memory(SLOTS, PAGE, 0, 0);
	uint32_t answered = lane_released(&lane), position;
	struct parcel parcel;

	(void)publish(&lane, answered, 8, 'a');
	position = publish(&lane, answered, 16, 'b');
	(void)lane_refuse(&lane, position);
	lane_reread(&lane, position, &parcel);
	assert_int_equal(parcel.flags, LANE_AWAITED | LANE_REFUSED);
	assert_holds(&lane, position, 16, 'b');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_parcel_released_after_the_last_answer_is_not_overwritten),
	    cmocka_unit_test(test_descriptors_are_not_used_again_before_the_answer),
	    cmocka_unit_test(test_a_refused_parcel_is_read_in_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
