/* What streams cost: memory of clients that do not read, and statements of tenants without new rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "control/stream_poll.h"
#include "control/stream_room.h"
#include "tests/unit/stream_fixture.h"

#define LARGE (512 * 1024)

/* Whether the client's last text is that comment, after whole frames or none. */
static bool
was_too_slow(struct client *client)
{
	struct bytes text = {0};
	bool ended = stream_take(client->stream, 0, &text);
	bool told =
	    ended && text.len < scene.frame_bytes && strncmp(text.base, ": this client reads too slowly", 30) == 0;

	bytes_free(&text);
	return told;
}

/* Connects all clients before the first rows, which are large, exist. */
static void
connect_all(uint32_t seed, uint32_t rows)
{
	struct error err;

	make_rows(seed);
	scene.count = rows;
	scene.frame_bytes = LARGE;
	assert_int_equal(stream_feed_begin(scene.feed, NULL, &err), 0);
	for (uint32_t n = 0; n < LISTENERS; n++)
		(void)connect_client(n, NULL);
}

static uint32_t
count_told_to_be_slow(void)
{
	uint32_t slow = 0;

	for (uint32_t n = 0; n < LISTENERS; n++)
		slow += was_too_slow(&clients[n]);
	return slow;
}

static void
test_clients_that_do_not_read_stay_within_the_memory_for_all_streams(void **state)
{
	struct stream_feed other = {.source = &source};

	connect_all(1, MANY);
	for (int step = 0; step < 50; step++) {
		scene.now_us += 20 * 1000;
		(void)turn(step % 5 == 0);
	}
	assert_true(scene.feed->lacks_room);
	size_t held = stream_room_count(scene.feed, scene.first);
	assert_in_range(held, STREAMS_BYTES_MAX / 4, STREAMS_BYTES_MAX / 2 + 2 * LARGE);
	stream_room_give(&other, held);
	assert_in_range(other.room, 8 * LARGE, STREAMS_BYTES_MAX); /* clients of other tenants find room */

	(void)turn(false);
	stream_room_look(scene.feed, scene.first, 0);
	stream_room_look(scene.feed, scene.first, clock_steady_us() + 60 * INT64_C(1000000));
	assert_int_equal(count_told_to_be_slow(), 1);
	scene.frame_bytes = FRAME_BYTES;
	let_go();
}

static void
test_clients_that_wait_for_room_miss_no_row(void **state)
{
	connect_all(2, 10);
	for (int step = 0; step < 400; step++) {
		scene.now_us += 100 * 1000;
		(void)turn(step % 5 == 0);
		for (uint32_t n = 0; n < LISTENERS; n++)
			take(&clients[n]);
	}
	for (uint32_t n = 0; n < LISTENERS; n++)
		for (uint32_t row = 0; row < scene.count; row++)
			assert_true(clients[n].got[scene.rows[row].number] > 0);
	scene.frame_bytes = FRAME_BYTES;
	let_go();
}

static void
test_clients_get_room_in_turn(void **state)
{
	connect_all(4, 10);
	for (int step = 0; step < 40; step++) {
		scene.now_us += 500 * 1000;
		(void)turn(step % 5 == 0);
		if (step % 4 == 3)
			for (uint32_t n = 0; n < 2 * LISTENERS; n++) /* the second time they have the whole room */
				take(&clients[n % LISTENERS]);
		if (step != 11)
			continue;
		for (uint32_t n = 0; n < LISTENERS; n++)
			assert_true(clients[n].resume[0] != '\0');
	}
	scene.frame_bytes = FRAME_BYTES;
	let_go();
}

static void
test_a_tenant_without_new_rows_is_not_read(void **state)
{
	struct error err;

	make_rows(3);
	scene.now_us = NOW_US + 60 * INT64_C(1000000); /* all rows are older than the window */
	assert_int_equal(stream_feed_begin(scene.feed, NULL, &err), 0);
	(void)connect_client(0, NULL);
	scene.reads = 0;
	for (int step = 0; step < 10; step++)
		assert_false(turn(true));
	assert_int_equal(scene.reads, 0);
	let_go();
}

static void
test_feeds_read_when_the_poll_fails(void **state)
{
	struct error err;

	make_rows(5);
	assert_int_equal(stream_feed_begin(scene.feed, NULL, &err), 0);
	scene.feed->has_new_rows = scene.feed->has_window_rows = false;
	scene.failing = 1;
	assert_int_equal(stream_poll(scene.feed, &source, false, NULL, &err), -1);
	assert_false(scene.feed->has_new_rows);
	scene.failing = 1;
	assert_int_equal(stream_poll(scene.feed, &source, true, NULL, &err), 0);
	assert_true(scene.feed->has_new_rows && scene.feed->has_window_rows);
	assert_int_equal(scene.failing, 1); /* it has not asked */
	let_go();
}

static void
test_large_events_are_read_a_few_at_a_time(void **state)
{
	struct config config = {.hl_max_payload_bytes = 512 << 10, .max_event_bytes = 4 << 20};

	assert_int_equal(stream_read_rows(&config, STREAM_EVENTS), STREAM_READ_ROWS);
	assert_int_equal(stream_read_rows(&config, STREAM_HOOK_EVENTS), 64);
	config.hl_max_payload_bytes = 64 << 20;
	config.max_event_bytes = 1 << 30;
	assert_int_equal(stream_read_rows(&config, STREAM_EVENTS), 4);
	assert_int_equal(stream_read_rows(&config, STREAM_HOOK_EVENTS), 1);
	assert_int_equal(stream_read_rows(&config, STREAM_DELIVERIES), STREAM_READ_ROWS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clients_that_do_not_read_stay_within_the_memory_for_all_streams),
	    cmocka_unit_test(test_clients_that_wait_for_room_miss_no_row),
	    cmocka_unit_test(test_clients_get_room_in_turn),
	    cmocka_unit_test(test_a_tenant_without_new_rows_is_not_read),
	    cmocka_unit_test(test_feeds_read_when_the_poll_fails),
	    cmocka_unit_test(test_large_events_are_read_a_few_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
