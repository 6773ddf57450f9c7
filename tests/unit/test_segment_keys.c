/* What the segment of an API has besides: the table of keys, and the outcomes of couriers, also at the next start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/key_table_fixture.h"
#include "tests/unit/segment_fixture.h"

#define BYTES (40u << 20)

static struct config
with_api(bool on)
{
	struct config config = ring_config(2, 1, BYTES);

	config.hl_store = on ? HL_STORE_EMBEDDED : HL_STORE_OFF;
	return config;
}

/* Leaves a segment with the API, in which key 1 is known and the store has been read. */
static void
leave_key(void)
{
	struct config config = with_api(true);
	struct segment segment = ring_open(&config);
	struct key_writer *writer = key_writer_open(segment.keys, NULL);
	struct api_key key = key_of(1, 1);

	assert_int_equal(key_writer_put(writer, &key), KEY_PUT);
	(void)key_writer_commit(writer);
	key_writer_set_loaded(writer);
	key_writer_close(writer);
	ring_close(&segment);
}

static void
test_there_is_a_table_when_there_is_an_api(void **state)
{
	struct config config = with_api(false);
	struct segment segment = ring_open(&config);
	uint64_t arena_bytes = segment.header->arena_bytes[LANES_EVENTS];

	assert_null(segment.keys);
	ring_close(&segment);
	assert_int_equal(unlink(ring_path), 0);
	config = with_api(true);
	segment = ring_open(&config);
	assert_non_null(segment.keys);
	assert_in_range(2 * (arena_bytes - segment.header->arena_bytes[LANES_EVENTS]), sizeof(struct key_table) - 32768,
	    sizeof(struct key_table) + 32768);
	ring_close(&segment);
}

static void
test_the_table_overlaps_nothing(void **state)
{
	struct config config = with_api(true);
	struct segment segment = ring_open(&config);
	const char *bytes = (const char *)segment.keys;

	for (uint32_t a = 0; a < 2; a++) {
		struct lane lane = ring_map(&segment, a, 0);

		memset(lane.arena, 0xff, segment.header->arena_bytes[LANES_EVENTS]);
		memset(lane.slots, 0xff, segment.header->lane_slots * sizeof *lane.slots);
	}
	for (size_t at = 0; at < sizeof *segment.keys; at++)
		if (bytes[at] != 0)
			fail_msg("byte %zu of the table", at);
	ring_close(&segment);
}

static void
test_keys_stay_known_after_a_crash_and_others_are_undecided(void **state)
{
	struct config config = with_api(true);
	struct segment segment;

	leave_key();
	segment = ring_open(&config);
	assert_int_equal(table_version(segment.keys, 1), 1);
	assert_false(key_table_loaded(segment.keys));
	ring_close(&segment);
}

/* Before the segment is opened again. */
static void
restart_the_machine(void)
{
	struct segment_header header = ring_header();
	int fd;

	if (header.boot_id[0] == '\0')
		skip();
	fd = open(ring_path, O_WRONLY);
	header.boot_id[0] ^= 1;
	assert_int_equal(pwrite(fd, &header, sizeof header, 0), sizeof header);
	close(fd);
}

static void
test_a_restart_of_the_machine_empties_the_table(void **state)
{
	struct config config = with_api(true);
	struct segment segment;

	leave_key();
	restart_the_machine();
	segment = ring_open(&config);
	assert_int_equal(table_version(segment.keys, 1), ABSENT);
	assert_false(key_table_loaded(segment.keys));
	ring_close(&segment);
}

/* Opens the segment, in which an outcome waits that has these flags. */
static struct segment
with_outcome(uint32_t flags)
{
	struct config config = with_api(true);
	struct segment segment;
	struct lane lane;

	config.hl_publishers = config.hl_couriers = 1;
	config.hl_ring_bytes = 16u << 20;
	segment = ring_open(&config);
	lane = segment_lane(&segment, LANES_OUTCOMES, 0, 0);
	if (lane_depth(&lane) == 0)
		(void)lane_publish(&lane, 8, 1, 0);
	assert_int_equal(lane_flags(&lane, 1), flags);
	return segment;
}

static void
test_outcomes_from_before_a_restart_of_the_machine_are_marked(void **state)
{
	struct segment segment = with_outcome(0);

	ring_close(&segment);
	segment = with_outcome(0);
	ring_close(&segment);
	restart_the_machine();
	segment = with_outcome(LANE_FORMER_BOOT);
	ring_close(&segment);
}

/* Waiting events keep the segment of an earlier run, which had no API. Without events a new segment is made. */
static void
test_a_segment_with_events_stays_without_a_table_until_the_next_start(void **state)
{
	struct config config = with_api(true);
	struct segment segment;
	struct ledger *ledger;
	struct ledger_page *draft;

	(void)ring_leave_events();
	segment = ring_open(&config);
	assert_null(segment.keys);
	ledger = &segment_writer(&segment, ROLE_WRITER, 0)->ledger;
	draft = ledger_draft(ledger);
	draft->release[1] += 3;
	ledger_commit(ledger);
	ring_close(&segment);
	segment = ring_open(&config);
	assert_non_null(segment.keys);
	ring_close(&segment);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING_TEST(test_there_is_a_table_when_there_is_an_api),
	    RING_TEST(test_the_table_overlaps_nothing),
	    RING_TEST(test_keys_stay_known_after_a_crash_and_others_are_undecided),
	    RING_TEST(test_a_restart_of_the_machine_empties_the_table),
	    RING_TEST(test_outcomes_from_before_a_restart_of_the_machine_are_marked),
	    RING_TEST(test_a_segment_with_events_stays_without_a_table_until_the_next_start),
	};

	return cmocka_run_group_tests(tests, ring_make_directory, ring_remove_directory);
}
