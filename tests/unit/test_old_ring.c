/*
 * A ring file of 0.1.0 may be hostile: whatever its bytes are, reading it stays within the file and ends.
 * tests/e2e/test_old_rings.py has files that 0.1.0 has left behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include "shm/old_ring.h"
#include "tests/unit/lane_fixture.h"

#define PAGE 4096u
#define ACCEPTORS 2u
#define WRITERS 2u
#define LANES (ACCEPTORS * WRITERS)
#define SLOTS 8u
#define ARENA (2 * PAGE)
#define SLOTS_AT PAGE
#define LANES_AT (SLOTS_AT + 3 * PAGE)
#define DESCRIPTORS_AT (LANES_AT + PAGE)
#define ARENAS_AT (DESCRIPTORS_AT + PAGE)
#define BYTES (ARENAS_AT + LANES * ARENA)
#define PARCEL 4096u
#define FIRST 0xfffffffeu /* the first position; positions wrap around soon */

static struct ring9_header *
header_of(char *file)
{
	return (struct ring9_header *)(void *)file;
}

static struct ring9_ledger *
ledger_of(char *file, uint32_t writer)
{
	return &((struct ring9_slot *)(void *)(file + SLOTS_AT))[ACCEPTORS + writer].ledger;
}

static struct ring9_lane *
lane_of(char *file, uint32_t lane)
{
	return (struct ring9_lane *)(void *)(file + LANES_AT) + lane;
}

static struct ring9_descriptor *
descriptor_of(char *file, uint32_t lane, uint32_t position)
{
	return (struct ring9_descriptor *)(void *)(file + DESCRIPTORS_AT) + lane * SLOTS + (position & (SLOTS - 1));
}

/*
 * A valid ring in which two parcels of three events wait in every lane. The second one goes around the end of its
 * arena.
 */
static void
build(char *file)
{
	memset(file, 0, BYTES);
	*header_of(file) = (struct ring9_header){
	    .acceptors = ACCEPTORS, .writers = WRITERS, .lane_slots = SLOTS, .file_bytes = BYTES, .arena_bytes = ARENA};
	memcpy(header_of(file)->magic, RING9_MAGIC, 8);
	for (uint32_t n = 0; n < LANES; n++) {
		*lane_of(file, n) = (struct ring9_lane){
		    .c_head = FIRST, .p_tail = FIRST + 2, .p_head = FIRST + 2, .size = SLOTS, .mask = SLOTS - 1};
		for (uint32_t i = 0; i < 3; i++)
			*descriptor_of(file, n, FIRST - 1 + i) =
			    (struct ring9_descriptor){.end = ARENA - PARCEL - 1024 + i * PARCEL, .events = 3};
		memset(file + ARENAS_AT + n * ARENA, 'a' + (int)n, ARENA);
	}
	for (uint32_t w = 0; w < WRITERS; w++)
		for (uint32_t a = 0; a < ACCEPTORS; a++)
			ledger_of(file, w)->pages[0].release[a] = FIRST;
}

static int ring_fd;
static char *file; /* the same memory as ring_fd */

static int
make_file(void **state)
{
	ring_fd = memfd_create("ring", MFD_CLOEXEC);
	if (ring_fd < 0 || ftruncate(ring_fd, BYTES) != 0)
		return -1;
	file = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, 0);
	return file == MAP_FAILED ? -1 : 0;
}

struct seen {
	uint32_t parcels, events;
	uint64_t bytes, sum;
};

static int
see(void *context, const char *bytes, size_t length, uint32_t events)
{
	struct seen *seen = context;

	seen->parcels++;
	seen->events += events;
	seen->bytes += length;
	for (size_t i = 0; i < length; i++)
		seen->sum += (unsigned char)bytes[i];
	return 0;
}

static int
stop_at_once(void *context, const char *bytes, size_t length, uint32_t events)
{
	return 7;
}

static struct old_ring
open_whole(void)
{
	struct old_ring ring;
	struct error err = {""};

	assert_int_equal(old_ring_open(&ring, ring_fd, &err), OLD_RING_WHOLE);
	return ring;
}

static void
test_parcels_are_seen_whole_also_around_the_end_of_the_arena(void **state)
{
	struct seen seen = {0};

	build(file);

	struct old_ring ring = open_whole();

	old_ring_settle(&ring, 1);
	assert_int_equal(old_ring_events_waiting(&ring), LANES * 6);
	assert_int_equal(old_ring_visit(&ring, 1, see, &seen), 0);
	assert_int_equal(seen.parcels, ACCEPTORS * 2);
	assert_int_equal(seen.events, ACCEPTORS * 6);
	assert_int_equal(seen.bytes, ACCEPTORS * 2 * PARCEL);
	assert_int_equal(seen.sum, 2 * PARCEL * ('b' + 'd'));
	assert_int_equal(old_ring_visit(&ring, 1, stop_at_once, NULL), 7);
	old_ring_close(&ring);
}

static void
test_a_commit_releases_the_lanes_and_counts_their_events(void **state)
{
	uint64_t counters[COUNTERS];
	struct seen seen = {0};

	build(file);
	ledger_of(file, 0)->pages[0].counters[1] = 5;

	struct old_ring ring = open_whole();

	old_ring_commit(&ring, 0, 11, 1);
	old_ring_counters(&ring, counters);
	assert_int_equal(counters[COUNTER_STORED], 5);
	assert_int_equal(counters[COUNTER_SPOOLED], 11);
	assert_int_equal(counters[COUNTER_DAMAGED], 1);
	assert_int_equal(old_ring_visit(&ring, 0, see, &seen), 0);
	assert_int_equal(seen.parcels, 0);
	assert_int_equal(old_ring_events_waiting(&ring), LANES * 6 / 2);
	old_ring_close(&ring);
	ring = open_whole(); /* it is still valid */
	old_ring_close(&ring);
}

/* An append that the import begins is open until its page is committed. The commit closes it. */
static void
test_an_append_is_open_until_its_page_is_committed(void **state)
{
	struct unfinished_append append = {.device = 1, .inode = 2, .offset = 64, .bytes = 100}, found;

	build(file);

	struct old_ring ring = open_whole();

	assert_false(old_ring_append_open(&ring, 0, APPEND_SPOOL, &found));
	old_ring_append_begin(&ring, 0, &append);
	assert_true(old_ring_append_open(&ring, 0, APPEND_SPOOL, &found));
	assert_int_equal(found.inode, 2);
	assert_int_equal(found.offset, 64);
	assert_false(old_ring_append_open(&ring, 0, APPEND_JSONL, &found));
	old_ring_commit(&ring, 0, 6, 0);
	assert_false(old_ring_append_open(&ring, 0, APPEND_SPOOL, &found));
	ledger_of(file, 0)->appends[RING9_APPEND_JSONL].state = RING9_APPEND_BROKEN;
	assert_true(old_ring_append_open(&ring, 0, APPEND_JSONL, &found));
	old_ring_append_done(&ring, 0, APPEND_JSONL);
	assert_false(old_ring_append_open(&ring, 0, APPEND_JSONL, &found));
	old_ring_close(&ring);
}

static void
test_other_files_are_recognised(void **state)
{
	struct old_ring ring;
	struct error err;

	build(file);
	memcpy(file, "hooksrgb", 8);
	assert_int_equal(old_ring_open(&ring, ring_fd, &err), OLD_RING_OTHER);
	assert_int_equal(old_ring_master_pid(ring_fd), 0);
	memcpy(file, RING9_UNFINISHED, 8);
	assert_int_equal(old_ring_open(&ring, ring_fd, &err), OLD_RING_UNFINISHED);
	old_ring_close(&ring);

	int empty = memfd_create("empty", MFD_CLOEXEC);

	assert_int_equal(old_ring_open(&ring, empty, &err), OLD_RING_OTHER);
	assert_int_equal(old_ring_master_pid(empty), 0);
	close(empty);
}

/* Calls every function for a ring that was found to be whole. */
static void
use(struct old_ring *ring)
{
	struct unfinished_append append;
	uint64_t counters[COUNTERS];
	struct seen seen = {0};

	(void)strlen(old_ring_boot_id(ring));
	(void)strlen(old_ring_jsonl_path(ring));
	for (uint32_t w = 0; w < ring->writers; w++) {
		old_ring_settle(ring, w);
		(void)old_ring_append_open(ring, w, APPEND_JSONL, &append);
		(void)old_ring_append_open(ring, w, APPEND_SPOOL, &append);
		(void)old_ring_replayed(ring, w);
		(void)old_ring_events_waiting(ring);
		(void)old_ring_visit(ring, w, see, &seen);
		old_ring_commit(ring, w, seen.events, 0);
	}
	old_ring_counters(ring, counters);
	assert_int_equal(old_ring_events_waiting(ring), 0);
	assert_true(seen.parcels <= LANES * SLOTS);
}

static void
test_damaged_rings_are_read_within_the_file(void **state)
{
	static const uint32_t parts[] = {0, 8, 144, SLOTS_AT + 2 * 2688 + 1776, LANES_AT, DESCRIPTORS_AT, ARENAS_AT};
	struct dice dice = {seed_for("old_ring")};
	uint32_t whole = 0, damaged = 0;

	for (int round = 0; round < 20000; round++) {
		struct old_ring ring;
		struct error err;
		uint32_t part = 1 + dice_below(&dice, 5);

		build(file);
		for (uint32_t n = 1 + dice_below(&dice, 3); n > 0; n--) {
			char *at = file + parts[part] + dice_below(&dice, parts[part + 1] - parts[part]);

			/* One flipped bit, or a byte of ones: small numbers and very large ones. */
			*at = dice_below(&dice, 2) == 0 ? (char)(*at ^ (1 << dice_below(&dice, 8))) : (char)0xff;
		}
		switch (old_ring_open(&ring, ring_fd, &err)) {
		case OLD_RING_WHOLE:
			whole++;
			use(&ring);
			old_ring_close(&ring);
			break;
		case OLD_RING_DAMAGED:
			damaged++;
			break;
		default:
			fail_msg("the ring is neither whole nor damaged");
		}
	}
	assert_true(whole > 1000 && damaged > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parcels_are_seen_whole_also_around_the_end_of_the_arena),
	    cmocka_unit_test(test_a_commit_releases_the_lanes_and_counts_their_events),
	    cmocka_unit_test(test_an_append_is_open_until_its_page_is_committed),
	    cmocka_unit_test(test_other_files_are_recognised),
	    cmocka_unit_test(test_damaged_rings_are_read_within_the_file),
	};

	return cmocka_run_group_tests(tests, make_file, NULL);
}
