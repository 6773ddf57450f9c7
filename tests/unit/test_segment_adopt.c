/*
 * A segment of a previous run is adopted with its events, keeps its shape while they wait, and is made anew when it is
 * empty.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "shm/settle.h"
#include "tests/unit/lane_fixture.h"
#include "tests/unit/segment_fixture.h"
#include "shm/counters.h"

static void
test_a_segment_is_adopted_with_its_events(void **state)
{
	struct config config = ring_config(2, 1, RING_OLD_BYTES);
	uint64_t events = ring_leave_events();
	struct segment segment = ring_open(&config);
	struct lane lane = ring_map(&segment, 1, 0);
	struct parcel parcel;

	assert_int_equal(segment_waiting(&segment, BOOKS_EVENTS), events);
	assert_int_equal(lane_depth(&lane), 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(lane_peek(&lane, i, &parcel));
		parcel_require(&parcel, RING_SEED, i);
	}
	/* The producer goes on. */
	lane_feed(&lane, RING_SEED, 2, 3, 1);
	assert_true(lane_peek(&lane, 3, &parcel));
	parcel_require(&parcel, RING_SEED, 3);
	lane_release(&lane, 4);
	assert_int_equal(segment_waiting(&segment, BOOKS_EVENTS), 0);
	ring_close(&segment);
	assert_int_equal(ring_files_set_aside(NULL, 0), 0);
}

static void
test_an_empty_segment_of_the_same_shape_is_adopted(void **state)
{
	struct config config = ring_config(2, 1, RING_OLD_BYTES);
	struct segment segment = ring_open(&config);

	counter_add(segment_slot(&segment, ROLE_ACCEPTOR, 1), COUNTER_RECEIVED, 9);
	segment.header->draining = 1;
	segment_slot(&segment, ROLE_ACCEPTOR, 1)->pid = 12345;
	segment_slot(&segment, ROLE_ACCEPTOR, 1)->state = PROCESS_READY;
	ring_close(&segment);
	segment = ring_open(&config);
	assert_int_equal(segment_counter_sum(&segment, COUNTER_RECEIVED), 9);
	assert_int_equal(segment.header->draining, 0);
	assert_int_equal(segment_slot(&segment, ROLE_ACCEPTOR, 1)->pid, 0);
	assert_int_equal(segment_slot(&segment, ROLE_ACCEPTOR, 1)->state, PROCESS_DOWN);
	ring_close(&segment);
}

static void
test_a_segment_keeps_its_shape_while_events_wait(void **state)
{
	static const struct {
		uint32_t acceptors, writers;
		uint64_t ring_bytes;
	} shapes[] = {
	    {1, 1, RING_OLD_BYTES}, {2, 2, RING_OLD_BYTES}, {2, 1, 2 * RING_OLD_BYTES}, {4, 3, 8 * RING_OLD_BYTES}};

	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		struct config config = ring_config(shapes[i].acceptors, shapes[i].writers, shapes[i].ring_bytes);
		uint64_t events = ring_leave_events();
		struct segment segment = ring_open(&config);
		struct ledger *ledger = &segment_writer(&segment, ROLE_WRITER, 0)->ledger;
		struct stat st;

		assert_int_equal(segment.counts[ROLE_ACCEPTOR], 2);
		assert_int_equal(segment.counts[ROLE_WRITER], 1);
		assert_int_equal(segment_waiting(&segment, BOOKS_EVENTS), events);
		struct ledger_page *draft = ledger_draft(ledger);
		draft->release[1] += 3;
		draft->counters[COUNTER_STORED] += events;
		ledger_commit(ledger);
		ring_close(&segment);

		/* It is empty now. The next start makes the shape that it asks for, and goes on counting. */
		segment = ring_open(&config);
		assert_int_equal(segment.counts[ROLE_ACCEPTOR], shapes[i].acceptors);
		assert_int_equal(segment.counts[ROLE_WRITER], shapes[i].writers);
		assert_int_equal(segment_waiting(&segment, BOOKS_EVENTS), 0);
		assert_int_equal(stat(ring_path, &st), 0);
		assert_int_equal(st.st_size, shapes[i].ring_bytes);
		assert_int_equal(segment_counter_sum(&segment, COUNTER_RECEIVED), events);
		assert_int_equal(segment_counter_sum(&segment, COUNTER_STORED), events);
		assert_false(segment.fresh);
		ring_close(&segment);
		assert_int_equal(ring_files_set_aside(NULL, 0), 0);
		assert_int_equal(unlink(ring_path), 0);
	}
}

/*
 * The writer's ledger says that an append was not committed. The segment must stay until a writer has cut the append
 * off.
 */
static void
test_a_segment_keeps_its_shape_while_an_append_is_open(void **state)
{
	struct config config = ring_config(2, 1, RING_OLD_BYTES), other = ring_config(1, 1, RING_OLD_BYTES);
	struct segment segment = ring_open(&config);

	ledger_append_begin(&segment_writer(&segment, ROLE_WRITER, 0)->ledger, APPEND_JSONL,
	    &(struct stat){.st_dev = 1, .st_ino = 2}, 3, 4);
	ring_close(&segment);
	segment = ring_open(&other);
	assert_int_equal(segment.counts[ROLE_ACCEPTOR], 2);
	assert_true(ledger_append_open(&segment_writer(&segment, ROLE_WRITER, 0)->ledger, APPEND_JSONL));
	ring_close(&segment);
}

/* The header of a damaged file may have any bytes, and a writer reads the path as a string. */
static void
test_a_path_without_an_end_is_ended(void **state)
{
	struct config config = ring_config(2, 1, RING_OLD_BYTES);
	struct segment segment = ring_open(&config);

	ledger_append_begin(&segment_writer(&segment, ROLE_WRITER, 0)->ledger, APPEND_JSONL,
	    &(struct stat){.st_dev = 1, .st_ino = 2}, 3, 4);
	memset(segment.header->jsonl_path, 'x', sizeof segment.header->jsonl_path);
	ring_close(&segment);
	segment = ring_open(&config);
	assert_int_equal(strnlen(segment.header->jsonl_path, sizeof segment.header->jsonl_path),
	    sizeof segment.header->jsonl_path - 1);
	ring_close(&segment);
}

/*
 * A batch of the spool is stored, and the spool's file does not say so yet. Only the ledger keeps the batch from being
 * stored twice.
 */
static void
test_a_segment_keeps_its_shape_until_a_replay_is_noted(void **state)
{
	struct config config = ring_config(2, 1, RING_OLD_BYTES), other = ring_config(1, 1, RING_OLD_BYTES);
	struct segment segment = ring_open(&config);
	struct ledger *ledger = &segment_writer(&segment, ROLE_WRITER, 0)->ledger;

	ledger_draft(ledger)->replays++;
	ledger_commit(ledger);
	assert_false(settle_finished(&segment));
	ring_close(&segment);
	segment = ring_open(&other);
	assert_int_equal(segment.counts[ROLE_ACCEPTOR], 2);
	ledger_replays_recorded(&segment_writer(&segment, ROLE_WRITER, 0)->ledger);
	assert_true(settle_finished(&segment));
	ring_close(&segment);
	segment = ring_open(&other);
	assert_int_equal(segment.counts[ROLE_ACCEPTOR], 1);
	ring_close(&segment);
}

/* A master was killed while it made the file. It had no events, and nothing is kept. */
static void
test_a_half_made_segment_is_made_again(void **state)
{
	struct config config = ring_config(2, 1, RING_OLD_BYTES);
	struct segment segment = ring_open(&config);

	memcpy(segment.header->magic, SEGMENT_UNFINISHED, sizeof segment.header->magic);
	ring_close(&segment);
	segment = ring_open(&config);
	assert_memory_equal(segment.header->magic, SEGMENT_MAGIC, 8);
	ring_close(&segment);
	assert_int_equal(ring_files_set_aside(NULL, 0), 0);

	ring_write_file("", 0);
	segment = ring_open(&config);
	ring_close(&segment);
	assert_int_equal(ring_files_set_aside(NULL, 0), 0);
}

/* RING_BYTES was too large for the disk. The next start, with a smaller one, goes on counting. */
static void
test_counters_go_on_after_a_segment_that_could_not_be_made(void **state)
{
	struct config config = ring_config(2, 1, RING_OLD_BYTES), huge = ring_config(2, 1, (uint64_t)1 << 60);
	struct segment segment = ring_open(&config);
	struct error err;

	ledger_draft(&segment_writer(&segment, ROLE_WRITER, 0)->ledger)->counters[COUNTER_STORED] = 9;
	ledger_commit(&segment_writer(&segment, ROLE_WRITER, 0)->ledger);
	ring_close(&segment);
	assert_int_equal(segment_open(&segment, &huge, &err), -1);
	segment = ring_open(&config);
	assert_int_equal(segment_counter_sum(&segment, COUNTER_STORED), 9);
	assert_false(segment.fresh);
	ring_close(&segment);
	assert_int_equal(ring_files_set_aside(NULL, 0), 0);
}

/* The master releases the parcels that a writer had committed when all processes died, whichever sink comes next. */
static void
test_parcels_that_were_committed_are_released(void **state)
{
	uint64_t waiting = ring_leave_events();
	struct config config = ring_config(2, 1, RING_OLD_BYTES);
	struct segment segment = ring_open(&config);

	assert_int_equal(segment_waiting(&segment, BOOKS_EVENTS), waiting);
	ledger_draft(&segment_writer(&segment, ROLE_WRITER, 0)->ledger)->release[1] = 3;
	ledger_commit(&segment_writer(&segment, ROLE_WRITER, 0)->ledger);
	ring_close(&segment);

	config.storage = STORAGE_POSTGRES;
	segment = ring_open(&config);
	assert_int_equal(segment_waiting(&segment, BOOKS_EVENTS), 0);
	ring_close(&segment);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING_TEST(test_a_segment_is_adopted_with_its_events),
	    RING_TEST(test_an_empty_segment_of_the_same_shape_is_adopted),
	    RING_TEST(test_a_segment_keeps_its_shape_while_events_wait),
	    RING_TEST(test_a_segment_keeps_its_shape_while_an_append_is_open),
	    RING_TEST(test_a_path_without_an_end_is_ended),
	    RING_TEST(test_a_segment_keeps_its_shape_until_a_replay_is_noted),
	    RING_TEST(test_parcels_that_were_committed_are_released),
	    RING_TEST(test_counters_go_on_after_a_segment_that_could_not_be_made),
	    RING_TEST(test_a_half_made_segment_is_made_again),
	};

	return cmocka_run_group_tests_name("segment_adopt", tests, ring_make_directory, ring_remove_directory);
}
