/* The segment file: how it is made, what happens when there is no room for it, and how others read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "event/record.h"
#include "shm/counters.h"
#include "shm/segment_file.h"
#include "tests/unit/lane_fixture.h"
#include "tests/unit/segment_fixture.h"

static void
test_a_segment_is_made_with_its_counts_and_reserved(void **state)
{
	struct config config = ring_config(3, 2, 1024 * 1024);
	struct segment segment = ring_open(&config);
	struct stat st;

	assert_int_equal(stat(ring_path, &st), 0);
	assert_int_equal(st.st_size, 1024 * 1024);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_in_range(st.st_blocks * 512, 1024 * 1024, UINT32_MAX); /* its blocks are reserved */
	assert_int_equal(segment.counts[ROLE_ACCEPTOR], 3);
	assert_int_equal(segment.counts[ROLE_WRITER], 2);
	assert_int_equal(segment.header->master_pid, getpid());
	assert_int_equal(segment_waiting(&segment, BOOKS_EVENTS), 0);
	ring_close(&segment);
}

/* Fills a slot of that role, or checks that every byte of it has that value. */
static void
fill_slot(const struct segment *segment, enum role role, uint32_t index, int filling)
{
	memset(segment_slot(segment, role, index), filling, slot_bytes[role]);
}

static bool
slot_is_filled(const struct segment *segment, enum role role, uint32_t index, int filling)
{
	const char *bytes = (const char *)segment_slot(segment, role, index);

	for (uint32_t i = 0; i < slot_bytes[role]; i++)
		if (bytes[i] != (char)filling)
			return false;
	return true;
}

/* No byte of a lane, a slot or a control block belongs to another one. */
static void
test_no_two_parts_of_a_segment_overlap(void **state)
{
	struct config config = ring_config(5, 3, 1024 * 1024);
	struct segment segment = ring_open(&config);
	uint64_t arena_bytes = segment.header->arena_bytes[LANES_EVENTS];
	uint32_t slots = segment.header->lane_slots;

	for (uint32_t a = 0; a < 5; a++) {
		fill_slot(&segment, ROLE_ACCEPTOR, a, 'A' + (int)a);
		for (uint32_t w = 0; w < 3; w++) {
			struct lane lane = ring_map(&segment, a, w);

			memset(lane.arena, (int)(a * 3 + w), arena_bytes);
			for (uint32_t i = 0; i < slots; i++)
				lane.slots[i] = (struct lane_descriptor){.flags = a, .events = w, .end = i};
			lane.control->ring.c_head = a * 3 + w;
		}
	}
	for (uint32_t w = 0; w < 3; w++)
		fill_slot(&segment, ROLE_WRITER, w, 'a' + (int)w);
	for (uint32_t a = 0; a < 5; a++) {
		assert_true(slot_is_filled(&segment, ROLE_ACCEPTOR, a, 'A' + (int)a));
		for (uint32_t w = 0; w < 3; w++) {
			struct lane lane = ring_map(&segment, a, w);

			for (uint64_t at = 0; at < 2 * arena_bytes; at++)
				if (lane.arena[at] != (char)(a * 3 + w))
					fail_msg("lane %u/%u differs at byte %llu", a, w, (unsigned long long)at);
			for (uint32_t i = 0; i < slots; i++)
				assert_true(
				    lane.slots[i].flags == a && lane.slots[i].events == w && lane.slots[i].end == i);
			assert_int_equal(lane.control->ring.c_head, a * 3 + w);
			assert_int_equal(lane.control->ring.size, slots);
			assert_int_equal(lane.control->ring.mask, slots - 1);
		}
	}
	for (uint32_t w = 0; w < 3; w++)
		assert_true(slot_is_filled(&segment, ROLE_WRITER, w, 'a' + (int)w));
	assert_memory_equal(segment.header->magic, SEGMENT_MAGIC, 8);
	assert_int_equal(segment.header->counts[ROLE_ACCEPTOR], 5);
	ring_close(&segment);
}

static void
test_counters_are_summed(void **state)
{
	struct config config = ring_config(2, 1, RING_OLD_BYTES);
	struct segment segment = ring_open(&config);

	counter_add(segment_slot(&segment, ROLE_ACCEPTOR, 0), COUNTER_RECEIVED, 1ull << 40);
	counter_add(segment_slot(&segment, ROLE_ACCEPTOR, 1), COUNTER_RECEIVED, 2);
	counter_add(segment_slot(&segment, ROLE_ACCEPTOR, 1), COUNTER_RECEIVED, 3);
	counter_add(segment_slot(&segment, ROLE_WRITER, 0), COUNTER_STORED, 4);
	assert_true(segment_counter_sum(&segment, COUNTER_RECEIVED) == (1ull << 40) + 5);
	assert_int_equal(segment_counter_sum(&segment, COUNTER_STORED), 4);
	assert_int_equal(segment_counter_sum(&segment, COUNTER_DAMAGED), 0);
	ring_close(&segment);
}

static void
test_the_newest_gauges_count(void **state)
{
	struct config config = ring_config(1, 2, RING_OLD_BYTES);
	struct segment segment = ring_open(&config);
	uint64_t values[GAUGES];

	assert_null(segment_gauges(&segment));
	for (uint32_t i = 0; i < 4; i++) {
		for (int g = 0; g < GAUGES; g++)
			values[g] = i * 100 + (uint64_t)g;
		(void)poll(NULL, 0, 1); /* so that the clock differs */
		gauges_set(segment_slot(&segment, ROLE_WRITER, i % 2), values);
		assert_memory_equal(segment_gauges(&segment), values, sizeof values);
	}
	ring_close(&segment);
	segment = ring_open(&config);
	assert_null(segment_gauges(&segment)); /* no process has looked at the store in this run */
	ring_close(&segment);
}

static void
test_wake_ups_reach_their_process(void **state)
{
	struct config config = ring_config(2, 2, RING_OLD_BYTES);
	struct segment segment = ring_open(&config);
	struct wake wakes[4] = {segment_wake(&segment, ROLE_ACCEPTOR, 0), segment_wake(&segment, ROLE_ACCEPTOR, 1),
	    segment_wake(&segment, ROLE_WRITER, 0), segment_wake(&segment, ROLE_WRITER, 1)};

	for (int woken = 0; woken < 4; woken++) {
		for (int i = 0; i < 4; i++)
			wake_arm(&wakes[i]);
		wake_up(&wakes[woken]);
		for (int i = 0; i < 4; i++) {
			struct pollfd fd = {.fd = wakes[i].fd, .events = POLLIN};

			assert_int_equal(poll(&fd, 1, 0), i == woken);
			wake_drain(&wakes[i]);
			wake_disarm(&wakes[i]);
		}
	}
	ring_close(&segment);
}

/* The message names the option, the lanes, and a size that is enough. */
static void
test_a_size_that_is_too_small_is_refused_with_one_that_is_enough(void **state)
{
	static const uint32_t shapes[][2] = {{1, 1}, {4, 2}, {64, 32}};

	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		struct config config = ring_config(shapes[i][0], shapes[i][1], 4096);
		struct segment segment;
		struct error err;
		unsigned long long given, lanes, enough;

		assert_int_equal(segment_open(&segment, &config, &err), -1);
		assert_int_equal(sscanf(err.text, "RING_BYTES=%llu is too small for %llu lanes: allow at least %llu",
				     &given, &lanes, &enough),
		    3);
		assert_int_equal(given, 4096);
		assert_int_equal(lanes, shapes[i][0] * shapes[i][1]);
		assert_int_not_equal(access(ring_path, F_OK), 0); /* the refusal comes before the file is made */
		config.ring_bytes = enough;
		segment = ring_open(&config);
		ring_close(&segment);
		assert_int_equal(unlink(ring_path), 0);
	}
}

/* Every size from the smallest on has lanes that work. */
static void
test_segments_of_every_size_have_working_lanes(void **state)
{
	for (uint64_t bytes = 24 * 1024; bytes < 2000000; bytes = bytes * 17 / 10 + 1) {
		struct config config = ring_config(2, 1, bytes);
		struct segment segment;
		struct error err;

		if (segment_open(&segment, &config, &err) != 0)
			continue;

		struct lane lane = ring_map(&segment, 1, 0);
		size_t available;
		char *out = lane_reserve(&lane, &available);

		assert_in_range(available, 8192, bytes / 2);
		memset(out, 'x', available);
		(void)lane_publish(&lane, available, 1, 0);
		ring_close(&segment);
		segment = ring_open(&config);
		assert_int_equal(segment_waiting(&segment, BOOKS_EVENTS), 1);
		ring_close(&segment);
		assert_int_equal(unlink(ring_path), 0);
	}
}

/* Mounts a file system of 1 MiB that only the calling process sees. Needs root. */
static bool
mount_small(const char *where)
{
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", where, "tmpfs", 0, "size=1m") == 0;
}

enum { FITS = 0, CANNOT_MOUNT = 77 };

static void
test_a_full_file_system_is_an_error_and_leaves_no_file(void **state)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct config config = ring_config(1, 1, 4 * 1024 * 1024);
		struct segment segment;
		struct error err;
		struct stat st;

		if (!mount_small(ring_directory))
			_exit(CANNOT_MOUNT);
		REQUIRE(segment_open(&segment, &config, &err) == -1);
		REQUIRE(strstr(err.text, "cannot reserve 4194304 bytes") != NULL);
		REQUIRE(strstr(err.text, ring_path) != NULL && strstr(err.text, "RING_BYTES") != NULL);
		REQUIRE(strstr(err.text, strerror(ENOSPC)) != NULL);
		REQUIRE(stat(ring_path, &st) != 0 || st.st_blocks == 0); /* what was reserved is given back */
		config.ring_bytes = 512 * 1024;
		REQUIRE(segment_open(&segment, &config, &err) == 0);
		_exit(FITS);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_MOUNT)
		skip();
	assert_int_equal(status, FITS);
}

static void
test_another_program_can_read_a_segment(void **state)
{
	uint64_t events = ring_leave_events();
	struct config config = ring_config(2, 1, RING_OLD_BYTES);
	struct segment owner = ring_open(&config), onlooker;
	struct error err = {""};

	counter_add(segment_slot(&owner, ROLE_ACCEPTOR, 0), COUNTER_RECEIVED, 17);
	/* It can be opened while a master has it. The master's lock does not matter here. */
	if (segment_open_readonly(&onlooker, ring_path, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(onlooker.counts[ROLE_ACCEPTOR], 2);
	assert_int_equal(onlooker.counts[ROLE_WRITER], 1);
	assert_int_equal(onlooker.header->master_pid, getpid());
	assert_int_equal(segment_waiting(&onlooker, BOOKS_EVENTS), events);
	assert_int_equal(segment_counter_sum(&onlooker, COUNTER_RECEIVED), 17 + events);

	struct lane lane = segment_lane(&onlooker, LANES_EVENTS, 1, 0);

	assert_int_equal(lane_depth(&lane), 3);
	assert_in_range(lane_bytes_used(&lane), 3 * sizeof(struct record), RING_OLD_BYTES);

	/* Both map the same memory. */
	counter_add(segment_slot(&owner, ROLE_ACCEPTOR, 0), COUNTER_RECEIVED, 1);
	assert_int_equal(segment_counter_sum(&onlooker, COUNTER_RECEIVED), 18 + events);
	segment_close(&onlooker);
	ring_close(&owner);
}

static void
assert_not_readable(const char *text)
{
	struct segment segment;
	struct error err = {""};

	assert_int_equal(segment_open_readonly(&segment, ring_path, &err), -1);
	assert_non_null(strstr(err.text, ring_path));
	assert_non_null(strstr(err.text, text));
}

static void
test_damaged_segments_are_not_opened_for_reading(void **state)
{
	assert_not_readable("is hooksd running");
	ring_write_file("hello", 5);
	assert_not_readable("is not a ring file");
	(void)unlink(ring_path);
	(void)ring_leave_events();
	assert_int_equal(truncate(ring_path, RING_OLD_BYTES / 2), 0);
	assert_not_readable("is not a ring file");
	(void)unlink(ring_path);
	(void)ring_leave_events();

	/* A mask that leads out of the mapping. */
	struct config config = ring_config(2, 1, RING_OLD_BYTES);
	struct segment segment = ring_open(&config);
	struct lane lane = segment_lane(&segment, LANES_EVENTS, 1, 0);

	lane.control->ring.mask = UINT32_MAX;
	ring_close(&segment);
	assert_not_readable("is damaged");
}

static void
test_only_its_own_file_is_removed(void **state)
{
	struct config config = ring_config(1, 1, RING_OLD_BYTES);
	struct segment segment = ring_open(&config);

	assert_true(segment_in_place(&segment, ring_path));
	segment_unlink(&segment, ring_path);
	assert_int_not_equal(access(ring_path, F_OK), 0);
	assert_false(segment_in_place(&segment, ring_path));
	segment_unlink(&segment, ring_path); /* there is no file, and that is no error */
	ring_write_file("another's", 9);
	assert_false(segment_in_place(&segment, ring_path));
	segment_unlink(&segment, ring_path);
	assert_int_equal(access(ring_path, F_OK), 0);
	ring_close(&segment);
}

/* The file is removed while its processes run. The rest of it is put in its place again. */
static void
test_a_removed_file_is_put_in_its_place_again(void **state)
{
	struct config config = ring_config(1, 1, RING_OLD_BYTES);
	uint64_t events = ring_leave_events();
	struct segment segment = ring_open(&config), copy;
	struct error err;

	assert_int_equal(segment_copy(&segment, ring_path, &err), -1); /* there is a file */
	assert_int_equal(unlink(ring_path), 0);
	assert_int_equal(segment_copy(&segment, "/nowhere/at/all", &err), -1);
	assert_int_equal(segment_copy(&segment, ring_path, &err), 0);
	assert_int_equal(segment_waiting(&segment, BOOKS_EVENTS), events);
	ring_close(&segment);
	copy = ring_open(&config);
	assert_int_equal(segment_waiting(&copy, BOOKS_EVENTS), events);
	ring_close(&copy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING_TEST(test_a_segment_is_made_with_its_counts_and_reserved),
	    RING_TEST(test_no_two_parts_of_a_segment_overlap),
	    RING_TEST(test_counters_are_summed),
	    RING_TEST(test_the_newest_gauges_count),
	    RING_TEST(test_wake_ups_reach_their_process),
	    RING_TEST(test_a_size_that_is_too_small_is_refused_with_one_that_is_enough),
	    RING_TEST(test_segments_of_every_size_have_working_lanes),
	    RING_TEST(test_a_full_file_system_is_an_error_and_leaves_no_file),
	    RING_TEST(test_another_program_can_read_a_segment),
	    RING_TEST(test_damaged_segments_are_not_opened_for_reading),
	    RING_TEST(test_only_its_own_file_is_removed),
	    RING_TEST(test_a_removed_file_is_put_in_its_place_again),
	};

	return cmocka_run_group_tests_name("segment", tests, ring_make_directory, ring_remove_directory);
}
