/* Files that are no segment or a damaged one are set aside byte for byte, whatever is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/lane_fixture.h"
#include "tests/unit/segment_fixture.h"

static void
write_at(off_t offset, const void *bytes, size_t len)
{
	int fd = open(ring_path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, offset), len);
	close(fd);
}

static char *
contents(const char *file, size_t *len)
{
	struct stat st;
	char *bytes;
	int fd = open(file, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	close(fd);
	*len = (size_t)st.st_size;
	return bytes;
}

/* The file at ring_path must be renamed with the same bytes, and a new segment made in its place. */
static void
assert_set_aside(const char *what)
{
	struct config config = ring_config(1, 1, RING_OLD_BYTES);
	size_t before_len, after_len;
	char *before = contents(ring_path, &before_len), *after;
	char aside[128];
	struct segment segment;

	segment = ring_open(&config);
	if (ring_files_set_aside(aside, sizeof aside) != 1)
		fail_msg("not set aside: %s", what);
	assert_int_equal(segment.counts[ROLE_ACCEPTOR], 1);
	assert_int_equal(segment_waiting(&segment, BOOKS_EVENTS), 0);
	ring_close(&segment);
	after = contents(aside, &after_len);
	assert_int_equal(before_len, after_len);
	assert_memory_equal(before, after, before_len);
	free(before);
	free(after);
	assert_int_equal(unlink(aside), 0);
	assert_int_equal(unlink(ring_path), 0);
}

static void
test_foreign_files_are_set_aside(void **state)
{
	char *page = calloc(2, 4096);

	assert_non_null(page);
	ring_write_file("not a ring\n", 11);
	assert_set_aside("a text");
	memset(page, 'x', 8192);
	ring_write_file(page, 8192);
	assert_set_aside("something long");
	ring_write_file("", 1);
	assert_set_aside("one byte");
	memset(page, 0, 8192);
	ring_write_file(page, 8192);
	assert_set_aside("zeros");
	memcpy(page, "hooksrg0", 8);
	ring_write_file(page, 8192);
	assert_set_aside("another layout");
	free(page);
}

static void
test_truncated_files_are_set_aside(void **state)
{
	static const off_t lengths[] = {RING_OLD_BYTES - 1, RING_OLD_BYTES / 2, 4096, sizeof(struct segment_header), 8};

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		(void)ring_leave_events();
		assert_int_equal(truncate(ring_path, lengths[i]), 0);
		assert_set_aside("a truncated file");
	}
	(void)ring_leave_events();
	assert_int_equal(truncate(ring_path, RING_OLD_BYTES + 4096), 0);
	assert_set_aside("a file that has grown");
}

#define DAMAGE(member, value)                                                                                          \
	do {                                                                                                           \
		(void)ring_leave_events();                                                                             \
		struct segment_header damaged = ring_header();                                                         \
		damaged.member = (value);                                                                              \
		write_at(0, &damaged, sizeof damaged);                                                                 \
		assert_set_aside(#member " = " #value);                                                                \
	} while (0)

static void
test_damaged_headers_are_set_aside(void **state)
{
	DAMAGE(magic[0], 'H');
	DAMAGE(magic[7], '0');
	DAMAGE(counts[ROLE_ACCEPTOR], 0);
	DAMAGE(counts[ROLE_ACCEPTOR], 3);
	DAMAGE(counts[ROLE_ACCEPTOR], ACCEPTORS_MAX + 1);
	DAMAGE(counts[ROLE_ACCEPTOR], UINT32_MAX);
	DAMAGE(counts[ROLE_WRITER], 0);
	DAMAGE(counts[ROLE_WRITER], 2);
	DAMAGE(counts[ROLE_WRITER], WRITERS_MAX + 1);
	DAMAGE(lane_slots, 0);
	DAMAGE(lane_slots, 1);
	DAMAGE(lane_slots, damaged.lane_slots / 2);
	DAMAGE(lane_slots, damaged.lane_slots * 2);
	DAMAGE(lane_slots, damaged.lane_slots + 1);
	DAMAGE(lane_slots, 1u << 31);
	DAMAGE(file_bytes, RING_OLD_BYTES - 4096);
	DAMAGE(file_bytes, UINT64_MAX);
	DAMAGE(arena_bytes[LANES_EVENTS], 0);
	DAMAGE(arena_bytes[LANES_EVENTS], damaged.arena_bytes[LANES_EVENTS] + 1);
	DAMAGE(arena_bytes[LANES_EVENTS], damaged.arena_bytes[LANES_EVENTS] + 4096);
	DAMAGE(arena_bytes[LANES_EVENTS], 1ull << 63);
	DAMAGE(arena_bytes[LANES_EVENTS], UINT64_MAX / 4096 * 4096);
}

/* More processes than the tables of this program have room for. */
static void
test_too_many_processes_are_set_aside(void **state)
{
	static const uint32_t shapes[][2] = {{ACCEPTORS_MAX + 1, 1}, {1, WRITERS_MAX + 1}};

	for (size_t i = 0; i < 2; i++) {
		struct config config = ring_config(shapes[i][0], shapes[i][1], 2 * 1024 * 1024);
		struct segment segment = ring_open(&config);
		struct lane lane = ring_map(&segment, 0, 0);

		lane_feed(&lane, RING_SEED, 1, 0, 1);
		ring_close(&segment);
		assert_set_aside("a segment of too many processes");
	}
}

/* Header and lanes agree on a number of slots that is no power of two. */
static void
test_odd_slots_are_set_aside(void **state)
{
	struct config config = ring_config(1, 1, 64 * 1024);
	struct segment segment = ring_open(&config);
	struct lane lane = ring_map(&segment, 0, 0);

	lane_feed(&lane, RING_SEED, 1, 0, 1);
	segment.header->lane_slots++;
	lane.control->ring.size++;
	lane.control->ring.mask++;
	ring_close(&segment);
	assert_set_aside("an odd number of slots");
}

/* A sparse file can have any length. The sum of its arenas must not wrap around to a small number. */
static void
test_arenas_that_wrap_around_are_set_aside(void **state)
{
	struct config config = ring_config(ACCEPTORS_MAX, WRITERS_MAX, 32 * 1024 * 1024);
	struct segment segment;
	char in_memory[64], pattern[80];
	glob_t found;

	/* Not every file system allows files of 8 PiB, but /dev/shm does. */
	(void)snprintf(in_memory, sizeof in_memory, "/dev/shm/hooks-test-segment-%d", (int)getpid());
	config.ring_path = in_memory;
	segment = ring_open(&config);

	struct lane lane = ring_map(&segment, 0, 0);

	lane_feed(&lane, RING_SEED, 1, 0, 1);
	segment.header->file_bytes = segment.header->arena_bytes[LANES_EVENTS] =
	    UINT64_MAX / (ACCEPTORS_MAX * WRITERS_MAX) + 1;
	assert_int_equal(truncate(in_memory, (off_t)segment.header->file_bytes), 0);
	ring_close(&segment);
	config.acceptors = 1;
	config.writers = 1;
	config.ring_bytes = RING_OLD_BYTES;
	segment = ring_open(&config);
	ring_close(&segment);

	(void)snprintf(pattern, sizeof pattern, "%s*", in_memory);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		(void)unlink(found.gl_pathv[i]);
	assert_int_equal(found.gl_pathc, 2);
	assert_int_equal(segment.counts[ROLE_ACCEPTOR], 1);
	globfree(&found);
}

/* Lanes that contradict themselves would make a writer crash again and again. */
static void
test_damaged_lanes_are_set_aside(void **state)
{
	for (int which = 0; which < 5; which++) {
		(void)ring_leave_events();

		struct config config = ring_config(2, 1, RING_OLD_BYTES);
		struct segment segment = ring_open(&config);
		struct lane lane = segment_lane(&segment, LANES_EVENTS, 1, 0);

		switch (which) {
		case 0:
			lane.control->ring.mask = UINT32_MAX;
			break;
		case 1:
			lane.control->ring.c_head = lane.control->ring.p_tail + 1;
			break;
		case 2:
			lane.slots[1].flags = UINT32_MAX;
			break;
		case 3:
			lane.slots[0].events = 0;
			break;
		default:
			lane.slots[2].end += 1ull << 40;
			break;
		}
		ring_close(&segment);
		assert_set_aside("a damaged lane");
	}
}

/* A committed release must be possible for its lane. */
static void
test_damaged_ledgers_are_set_aside(void **state)
{
	struct config config = ring_config(2, 1, RING_OLD_BYTES);

	for (int damage = 0; damage < 2; damage++) {
		(void)ring_leave_events();

		struct segment segment = ring_open(&config);
		struct ledger *ledger = &segment_writer(&segment, ROLE_WRITER, 0)->ledger;

		if (damage == 0)
			ledger->current = 2;
		else
			ledger->pages[0].release[1] = 4; /* only three parcels wait */
		ring_close(&segment);
		assert_set_aside("a ledger that releases too much");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING_TEST(test_foreign_files_are_set_aside),
	    RING_TEST(test_truncated_files_are_set_aside),
	    RING_TEST(test_damaged_headers_are_set_aside),
	    RING_TEST(test_too_many_processes_are_set_aside),
	    RING_TEST(test_odd_slots_are_set_aside),
	    RING_TEST(test_arenas_that_wrap_around_are_set_aside),
	    RING_TEST(test_damaged_lanes_are_set_aside),
	    RING_TEST(test_damaged_ledgers_are_set_aside),
	};

	return cmocka_run_group_tests_name("segment_aside", tests, ring_make_directory, ring_remove_directory);
}
