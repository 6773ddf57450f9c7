/*
 * Lanes: which parcels fit, how they come out, and what happens at every limit. One long run is between two processes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/lane.h"
#include "event/record.h"
#include "tests/unit/lane_fixture.h"

#define PAGE 4096u

/* Just below every wrap-around: of the positions, and of their low 31 bits, in case code compares them as signed. */
static const uint32_t starts[] = {0, 1, INT32_MAX - 1, UINT32_MAX - 2, UINT32_MAX - 1, UINT32_MAX};

#define EACH_START(start)                                                                                              \
	uint32_t i_start = 0, start = starts[0];                                                                       \
	i_start < sizeof starts / sizeof *starts;                                                                      \
	start = starts[++i_start % (sizeof starts / sizeof *starts)]

/* Publishes `bytes` bytes of `filling` as one parcel of one event. False: the lane has no room for them. */
static bool
put(const struct lane *lane, size_t bytes, char filling)
{
	size_t available;
	char *out = lane_reserve(lane, &available);

	if (out == NULL || available < bytes)
		return false;
	assert_int_equal((uintptr_t)out % 8, 0);
	memset(out, filling, bytes);
	(void)lane_publish(lane, bytes, 1, 0);
	return true;
}

/* Whether the parcel at that position is `bytes` bytes of `filling`. */
static bool
holds(const struct lane *lane, uint32_t position, size_t bytes, char filling)
{
	struct parcel parcel;

	if (!lane_peek(lane, position, &parcel) || parcel.length != bytes || parcel.events != 1)
		return false;
	for (size_t i = 0; i < bytes; i++)
		if (parcel.bytes[i] != filling)
			return false;
	return true;
}

static size_t
available(const struct lane *lane)
{
	size_t bytes;

	(void)lane_reserve(lane, &bytes);
	return bytes;
}

/* Each parcel's flags can be read from its release until the producer publishes again, and its count stays right. */
static void
test_spooled_parcels_are_marked(void **state)
{
	for (EACH_START(start)) {
		struct lane lane = lane_over_memory(8, PAGE, start, 0);

		for (uint32_t n = 1; n <= 7; n++)
			assert_true(put(&lane, 8, 'x'));
		lane_set_flag(&lane, start + 2, LANE_SPOOLED, true);
		lane_release(&lane, start + 2);
		/* A writer that died before its release has marked parcels that its successor stores. */
		lane_set_flag(&lane, start + 5, LANE_SPOOLED, true);
		assert_true(lane_valid(&lane, 8));
		assert_true(holds(&lane, start + 4, 8, 'x'));
		lane_set_flag(&lane, start + 7, LANE_SPOOLED, false);
		lane_release(&lane, start + 7);
		for (uint32_t n = 1; n <= 7; n++)
			assert_int_equal(lane_flags(&lane, start + n), n <= 2 ? LANE_SPOOLED : 0);
		assert_true(put(&lane, 8, 'y') && put(&lane, 8, 'z'));
		lane_set_flag(&lane, start + 9, LANE_SPOOLED, false);
		lane_release(&lane, start + 9);
		assert_int_equal(lane_flags(&lane, start + 9), 0);
	}
}

static void
put_awaited(const struct lane *lane)
{
	size_t room;

	assert_non_null(lane_reserve(lane, &room));
	(void)lane_publish(lane, 8, 1, LANE_AWAITED);
}

static uint32_t
flags_at(const struct lane *lane, uint32_t position)
{
	struct parcel parcel;

	assert_true(lane_peek(lane, position, &parcel));
	assert_int_equal(lane_flags(lane, position + 1), parcel.flags);
	return parcel.flags;
}

/* Only awaited parcels are refused, for good. They are released as far as no other parcel is before them. */
static void
test_awaited_parcels_are_refused_in_their_places(void **state)
{
	for (EACH_START(start)) {
		struct lane lane = lane_over_memory(8, PAGE, start, 0);

		put_awaited(&lane);
		assert_true(put(&lane, 8, 'x'));
		put_awaited(&lane);
		put_awaited(&lane);
		/* The fourth parcel has come later, and is not refused here. */
		assert_int_equal(lane_refuse(&lane, start + 3), start + 1);
		lane_release(&lane, start + 1);
		assert_int_equal(lane_flags(&lane, start + 1), LANE_AWAITED | LANE_REFUSED);
		assert_int_equal(flags_at(&lane, start + 1), 0);
		assert_int_equal(flags_at(&lane, start + 2), LANE_AWAITED | LANE_REFUSED);
		assert_int_equal(flags_at(&lane, start + 3), LANE_AWAITED);
		/* The successor of a consumer that died while it refused repeats it. */
		assert_int_equal(lane_refuse(&lane, start + 3), start + 1);
		assert_true(lane_valid(&lane, 8));
		/* The next run's clients do not wait for this parcel. */
		lane_set_flag(&lane, start + 4, LANE_AWAITED, false);
		assert_int_equal(lane_refuse(&lane, start + 4), start + 1);
		assert_int_equal(flags_at(&lane, start + 2), LANE_REFUSED);
		assert_int_equal(flags_at(&lane, start + 3), 0);
		lane_release(&lane, start + 2);
		assert_int_equal(lane_refuse(&lane, start + 4), start + 3);
	}
}

static void
test_parcels_come_out_in_order(void **state)
{
	for (EACH_START(start)) {
		struct lane lane = lane_over_memory(8, PAGE, start, 0);
		struct parcel parcel;

		assert_false(lane_peek(&lane, start, &parcel));
		for (uint32_t i = 0; i < 5; i++) {
			size_t room;

			memset(lane_reserve(&lane, &room), 'a' + (int)i, 16);
			assert_int_equal(lane_publish(&lane, 16, i + 1, 0), start + i + 1);
		}
		assert_int_equal(lane_released(&lane), start);
		assert_int_equal(lane_depth(&lane), 5);
		assert_int_equal(lane_bytes_used(&lane), 80);
		for (uint32_t i = 0; i < 5; i++) {
			assert_true(lane_peek(&lane, start + i, &parcel));
			assert_int_equal(parcel.events, i + 1);
			assert_int_equal(parcel.length, 16);
			assert_int_equal(parcel.bytes[15], 'a' + (int)i);
		}
		assert_false(lane_peek(&lane, start + 5, &parcel));
		lane_release(&lane, start + 5);
		assert_int_equal(lane_released(&lane), start + 5);
		assert_int_equal(lane_depth(&lane), 0);
		assert_int_equal(lane_bytes_used(&lane), 0);
	}
}

/* A ring of n slots takes n - 1 parcels, again and again, and is full before any parcel is lost. */
static void
test_a_lane_is_full_when_its_slots_are_used(void **state)
{
	for (EACH_START(start))
		for (uint32_t slots = 2; slots <= 8; slots *= 2) {
			struct lane lane = lane_over_memory(slots, PAGE, start, 0);
			uint32_t head = start;

			for (int round = 0; round < 20; round++) {
				size_t room = 1;

				for (uint32_t i = 0; i < slots - 1; i++)
					assert_true(put(&lane, 8, (char)(round + (int)i)));
				assert_null(lane_reserve(&lane, &room));
				assert_int_equal(room, 0);
				assert_int_equal(lane_depth(&lane), slots - 1);
				for (uint32_t i = 0; i < slots - 1; i++)
					assert_true(holds(&lane, head + i, 8, (char)(round + (int)i)));
				head += slots - 1;
				lane_release(&lane, head);
			}
		}
}

/* The arena can be filled to the last byte from any point in it, and a parcel of its whole size is in one piece. */
static void
test_a_lane_is_full_when_its_arena_is_used(void **state)
{
	for (uint64_t first_byte = 0; first_byte < 2 * PAGE; first_byte += 8) {
		struct lane lane = lane_over_memory(4, PAGE, UINT32_MAX, first_byte);
		size_t room;

		assert_int_equal(available(&lane), PAGE);
		assert_true(put(&lane, PAGE, 'w'));
		assert_non_null(lane_reserve(&lane, &room));
		assert_int_equal(room, 0);
		assert_int_equal(lane_bytes_used(&lane), PAGE);
		assert_true(holds(&lane, UINT32_MAX, PAGE, 'w'));
		assert_true(lane_valid(&lane, 4));
		lane_release(&lane, 0);
		assert_int_equal(available(&lane), PAGE);
		assert_int_equal(munmap(lane.arena, 2 * PAGE), 0);
	}
}

/* The size of this arena is no power of two, and parcels that do not divide it wrap around it many times. */
static void
test_parcels_are_contiguous_across_the_end(void **state)
{
	struct lane lane = lane_over_memory(4, 3 * PAGE, UINT32_MAX - 100, 0);
	uint32_t head = UINT32_MAX - 100;
	int split = 0;

	for (int round = 0; round < 400; round++) {
		size_t bytes = 8 + (size_t)round * 24 % 5000;
		struct parcel parcel;

		assert_true(put(&lane, bytes, (char)round));
		assert_true(lane_peek(&lane, head, &parcel));
		split += parcel.bytes + parcel.length > lane.arena + lane.arena_bytes;
		assert_true(holds(&lane, head, bytes, (char)round));
		lane_release(&lane, ++head);
	}
	assert_in_range(split, 20, 400);
}

static void
test_reserve_shows_exactly_the_free_bytes(void **state)
{
	struct lane lane = lane_over_memory(8, PAGE, UINT32_MAX - 1, 40);
	size_t used = 0;

	for (size_t i = 1; i < 8; i++) {
		assert_int_equal(available(&lane), PAGE - used);
		assert_int_equal(lane_free_descriptors(&lane), 8 - i);
		assert_true(put(&lane, i * 64, 'x'));
		used += i * 64;
		assert_int_equal(lane_bytes_used(&lane), used);
	}
	assert_int_equal(available(&lane), 0); /* no slot is free */
	assert_int_equal(lane_free_descriptors(&lane), 0);
	for (size_t i = 1; i < 8; i++) {
		lane_release(&lane, UINT32_MAX - 1 + (uint32_t)i);
		used -= i * 64;
		assert_int_equal(lane_free_descriptors(&lane), i);
		assert_int_equal(available(&lane), PAGE - used);
	}
}

static void
test_a_second_reservation_replaces_the_first(void **state)
{
	struct lane lane = lane_over_memory(4, PAGE, 7, 0);
	size_t room;
	char *first = lane_reserve(&lane, &room), *second;
	struct parcel parcel;

	memset(first, 'z', PAGE);
	assert_false(lane_peek(&lane, 7, &parcel));
	assert_int_equal(lane_depth(&lane), 0);
	second = lane_reserve(&lane, &room);
	assert_ptr_equal(first, second);
	assert_int_equal(room, PAGE);
	assert_true(put(&lane, 8, 'a'));
	assert_true(holds(&lane, 7, 8, 'a'));
}

/* For every k: releases k of n parcels, and fills the lane again. The other parcels must not change. */
static void
test_parcels_that_are_not_released_stay_unchanged(void **state)
{
	for (EACH_START(start))
		for (uint32_t k = 0; k <= 7; k++) {
			struct lane lane = lane_over_memory(8, PAGE, start, PAGE - 16);
			uint32_t head = start, tail = start;

			for (int round = 0; round < 20; round++) {
				while (put(&lane, 24 + tail % 3 * 256, (char)tail))
					tail++;
				assert_in_range(tail - head, 1, 7);
				for (uint32_t p = head; p != tail; p++)
					assert_true(holds(&lane, p, 24 + p % 3 * 256, (char)p));
				assert_true(lane_valid(&lane, 8));
				head += k < tail - head ? k : tail - head;
				lane_release(&lane, head);
				assert_int_equal(lane_depth(&lane), tail - head);
			}
		}
}

static void
test_a_look_at_a_parcel_does_not_release_it(void **state)
{
	struct lane lane = lane_over_memory(4, PAGE, UINT32_MAX, 0);

	assert_true(put(&lane, 8, 'a'));
	assert_true(put(&lane, 16, 'b'));
	for (int i = 0; i < 3; i++) {
		assert_true(holds(&lane, UINT32_MAX, 8, 'a'));
		assert_true(holds(&lane, 0, 16, 'b'));
	}
	assert_int_equal(lane_released(&lane), UINT32_MAX);
	assert_int_equal(lane_depth(&lane), 2);
	assert_int_equal(available(&lane), PAGE - 24);
}

/* A consumer dies while it holds parcels. The next one sees them again by the lane alone. */
static void
test_a_second_consumer_sees_unreleased_parcels_again(void **state)
{
	struct lane lane = lane_over_memory(8, PAGE, UINT32_MAX - 1, 0);
	struct lane successor = lane;

	for (int i = 0; i < 5; i++)
		assert_true(put(&lane, 32, (char)('a' + i)));
	for (uint32_t i = 0; i < 4; i++)
		assert_true(holds(&lane, UINT32_MAX - 1 + i, 32, (char)('a' + i)));
	lane_release(&lane, 0); /* two of the four that it has read */

	assert_int_equal(lane_released(&successor), 0);
	for (uint32_t i = 2; i < 5; i++)
		assert_true(holds(&successor, i - 2, 32, (char)('a' + i)));
	assert_false(holds(&successor, 3, 32, 'f'));
}

/* A producer dies half-way through a parcel. The next one goes on after the last published parcel. */
static void
test_a_second_producer_goes_on_after_the_last_published_parcel(void **state)
{
	struct lane lane = lane_over_memory(4, PAGE, UINT32_MAX, PAGE - 8);
	struct lane successor = lane;
	size_t room;

	assert_true(put(&lane, 64, 'a'));
	memset(lane_reserve(&lane, &room), 'X', 128); /* never published */

	assert_int_equal(available(&successor), PAGE - 64);
	assert_true(put(&successor, 64, 'b'));
	assert_true(holds(&lane, UINT32_MAX, 64, 'a'));
	assert_true(holds(&lane, 0, 64, 'b'));
	assert_int_equal(lane_depth(&lane), 2);
}

/* Returns a lane with three parcels, of which two wait. */
static struct lane
lane_in_use(uint32_t start)
{
	struct lane lane = lane_over_memory(8, PAGE, start, PAGE - 64);

	assert_true(put(&lane, 128, 'a'));
	assert_true(put(&lane, 256, 'b'));
	assert_true(put(&lane, 512, 'c'));
	lane_release(&lane, start + 1);
	return lane;
}

static void
test_good_lanes_are_valid(void **state)
{
	for (EACH_START(start)) {
		struct lane lane = lane_in_use(start);

		assert_true(lane_valid(&lane, 8));
		lane_release(&lane, start + 3);
		assert_true(lane_valid(&lane, 8));
		lane = lane_over_memory(2, PAGE, start, 0);
		assert_true(lane_valid(&lane, 2));
		assert_true(put(&lane, PAGE, 'x'));
		assert_true(lane_valid(&lane, 2));
	}
}

static void
test_damaged_lanes_are_not_valid(void **state)
{
	for (EACH_START(start)) {
		struct lane lane = lane_in_use(start);
		ck_ring_t *ring = &lane.control->ring;
		struct lane_descriptor *before = &lane.slots[start & 7], *first = &lane.slots[(start + 1) & 7],
				       *last = &lane.slots[(start + 2) & 7];
		struct lane_control control = *lane.control;
		struct lane_descriptor slots[8];

		memcpy(slots, lane.slots, sizeof slots);
#define REFUSES_AFTER(damage)                                                                                          \
	do {                                                                                                           \
		assert_true(lane_valid(&lane, 8));                                                                     \
		(void)(damage);                                                                                        \
		assert_false(lane_valid(&lane, 8));                                                                    \
		*lane.control = control;                                                                               \
		memcpy(lane.slots, slots, sizeof slots);                                                               \
	} while (0)
		REFUSES_AFTER(ring->size = 16);
		REFUSES_AFTER(ring->size = 0);
		REFUSES_AFTER(ring->mask = 15);
		REFUSES_AFTER(ring->mask = UINT32_MAX);
		REFUSES_AFTER(ring->c_head = ring->p_tail + 1); /* a depth of 4 billion */
		REFUSES_AFTER(ring->c_head = ring->p_tail - 8);
		REFUSES_AFTER(ring->p_tail += 6);
		REFUSES_AFTER(first->events = 0);
		REFUSES_AFTER(first->flags = LANE_FLAGS + 1);
		REFUSES_AFTER(last->flags = UINT32_MAX);
		REFUSES_AFTER(first->end = before->end);
		REFUSES_AFTER(first->end = before->end - 8);
		REFUSES_AFTER(first->end += 4);
		REFUSES_AFTER(first->end = last->end);
		REFUSES_AFTER(last->end = UINT64_MAX);
		REFUSES_AFTER(last->end = first->end);
		REFUSES_AFTER(before->end = first->end);
		REFUSES_AFTER((before->end += 4, first->end += 4, last->end += 4));
		/* Consistent in itself, but more than the arena holds. */
		REFUSES_AFTER(last->end += PAGE);
		/* No producer can have published 8 EiB. */
		REFUSES_AFTER((before->end += 1ull << 63, first->end += 1ull << 63, last->end += 1ull << 63));
		assert_false(lane_valid(&lane, 4));
		assert_false(lane_valid(&lane, 16));
	}
}

/* Two processes. Every parcel is checked for its order, its identity and every byte. */
static void
test_two_processes_exchange_parcels_in_order_and_undamaged(void **state)
{
	enum { PARCELS = 100000 };
	uint64_t seed = seed_for("test_lane");
	struct lane lane = lane_over_memory(64, 4 * PAGE, UINT32_MAX - PARCELS / 2, 0);
	uint64_t *records = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[2];

	assert_ptr_not_equal(records, MAP_FAILED);
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] != 0)
			continue;
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (i == 0)
			lane_feed(&lane, seed, 1, UINT32_MAX - PARCELS / 2, PARCELS);
		else
			*records = lane_eat(&lane, seed, UINT32_MAX - PARCELS / 2, PARCELS);
		_exit(0);
	}
	for (int i = 0; i < 2; i++) {
		int status;
		pid_t done = wait(&status);

		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			(void)kill(done == pids[0] ? pids[1] : pids[0], SIGKILL);
		assert_int_equal(status, 0);
	}
	assert_int_equal(lane_depth(&lane), 0);
	assert_int_equal(lane_bytes_used(&lane), 0);
	assert_true(lane_valid(&lane, 64));
	assert_in_range(*records, 2 * PARCELS, 3 * PARCELS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_awaited_parcels_are_refused_in_their_places),
	    cmocka_unit_test(test_parcels_come_out_in_order),
	    cmocka_unit_test(test_spooled_parcels_are_marked),
	    cmocka_unit_test(test_a_lane_is_full_when_its_slots_are_used),
	    cmocka_unit_test(test_a_lane_is_full_when_its_arena_is_used),
	    cmocka_unit_test(test_parcels_are_contiguous_across_the_end),
	    cmocka_unit_test(test_reserve_shows_exactly_the_free_bytes),
	    cmocka_unit_test(test_a_second_reservation_replaces_the_first),
	    cmocka_unit_test(test_parcels_that_are_not_released_stay_unchanged),
	    cmocka_unit_test(test_a_look_at_a_parcel_does_not_release_it),
	    cmocka_unit_test(test_a_second_consumer_sees_unreleased_parcels_again),
	    cmocka_unit_test(test_a_second_producer_goes_on_after_the_last_published_parcel),
	    cmocka_unit_test(test_good_lanes_are_valid),
	    cmocka_unit_test(test_damaged_lanes_are_not_valid),
	    cmocka_unit_test(test_two_processes_exchange_parcels_in_order_and_undamaged),
	};

	return cmocka_run_group_tests_name("lane", tests, NULL, NULL);
}
