/* Feeds of streams while transactions commit late, and while clients read slowly, leave and come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "control/hook_event_source.h"
#include "tests/unit/stream_fixture.h"

static void
ignore(void *context)
{
}

static void
follow(void (*make)(uint32_t seed), uint32_t seed, bool repeats, bool fails_at_times)
{
	static uint32_t before[MANY];
	struct client *quick, *slow, *back = NULL;
	struct error err;

	make(seed);
	scene.now_us += 2 * WINDOW_US;
	assert_int_equal(stream_feed_begin(scene.feed, NULL, &err), 0);
	for (uint32_t n = 0; n < scene.count; n++)
		before[scene.rows[n].number] = scene.rows[n].there_us <= scene.now_us;
	quick = connect_client(0, NULL);
	slow = connect_client(1, NULL);
	for (int step = 0; step < 400 || turn(true) || scene.now_us < NOW_US + 30 * INT64_C(1000000); step++) {
		scene.now_us += rand() % 100000;
		if (fails_at_times && rand() % 20 == 0)
			scene.failing = rand() % 3;
		(void)turn(rand() % 5 == 0);
		take(quick);
		if (step % 40 == 0 || step >= 400)
			take(slow);
		if (step == 150) { /* a client comes back to another process with another feed */
			back = connect_client(2, quick->resume);
			for (uint32_t n = 0; n < scene.count; n++)
				back->got[n] = quick->got[n];
		}
		if (back != NULL)
			take(back);
	}
	take(slow);
	for (uint32_t n = 0; n < scene.count; n++) {
		if (fails_at_times || repeats)
			assert_true(quick->got[n] >= !before[n]);
		else
			assert_int_equal(quick->got[n], !before[n]);
		assert_true(slow->got[n] >= !before[n]);
		assert_true(back->got[n] >= !before[n]);
	}
	let_go();
}

static void
test_each_row_is_sent_once_whenever_its_transaction_commits(void **state)
{
	for (uint32_t seed = 1; seed <= 8; seed++)
		follow(make_rows, seed, false, false);
}

static void
test_no_row_is_skipped_when_the_store_fails_at_times(void **state)
{
	for (uint32_t seed = 1; seed <= 8; seed++)
		follow(make_rows, seed, false, true);
}

static void
test_each_row_of_a_batch_is_sent_once(void **state)
{
	for (uint32_t seed = 1; seed <= 8; seed++)
		follow(make_batches, seed, false, false);
}

static void
test_no_row_of_batches_with_the_same_time_is_skipped(void **state)
{
	for (uint32_t seed = 1; seed <= 8; seed++) {
		follow(make_batches_at_once, seed, true, false);
		follow(make_batches_at_once, seed, true, true);
	}
}

static void
test_a_client_that_resumes_at_another_process_misses_no_row(void **state)
{
	static uint32_t got[MANY];
	char resume[LIST_CURSOR_BYTES];
	struct client *client;
	struct error err;

	for (uint32_t seed = 1; seed <= 8; seed++) {
		memset(got, 0, sizeof got);
		make_rows(seed);
		assert_int_equal(stream_feed_begin(scene.feed, NULL, &err), 0);
		client = connect_client(0, NULL);
		for (int round = 0; round < 8; round++) {
			for (int step = 0; step < 30; step++) {
				scene.now_us += rand() % 100000;
				(void)turn(rand() % 5 == 0);
				take(client);
			}
			for (uint32_t n = 0; n < scene.count; n++)
				got[n] += client->got[n];
			if (client->resume[0] != '\0')
				(void)strcpy(resume, client->resume);
			let_go();
			scene.now_us += rand() % (2 * WINDOW_US);
			scene.feed = stream_feed_new(&source, "acme", WINDOW_US, STREAM_READ_ROWS);
			assert_int_equal(stream_feed_begin(scene.feed, NULL, &err), 0);
			client = connect_client(0, resume);
		}
		scene.now_us = INT64_MAX;
		for (int step = 0; step < 200; step++) {
			(void)turn(true);
			take(client);
		}
		for (uint32_t n = 0; n < scene.count; n++)
			assert_true(got[n] + client->got[n] > 0);
		let_go();
	}
}

static const char *
place_of(const struct client *client)
{
	static char place[LIST_CURSOR_BYTES];

	stream_feed_resume(client->stream, place);
	return place;
}

/* Connects as the client of a stream that has got no row yet. */
static struct client *
come_back(struct client *client, int64_t after_us)
{
	char resume[LIST_CURSOR_BYTES];
	struct error err;

	(void)strcpy(resume, place_of(client));
	let_go();
	scene.now_us += after_us;
	scene.feed = stream_feed_new(&source, "acme", WINDOW_US, STREAM_READ_ROWS);
	assert_int_equal(stream_feed_begin(scene.feed, NULL, &err), 0);
	return connect_client(0, resume);
}

static void
test_a_client_that_resumes_before_its_first_row_misses_no_row(void **state)
{
	static uint32_t before[MANY];
	struct client *client;
	struct error err;

	for (uint32_t seed = 1; seed <= 8; seed++) {
		make_rows(seed);
		scene.now_us += rand() % (10 * WINDOW_US);
		assert_int_equal(stream_feed_begin(scene.feed, NULL, &err), 0);
		for (uint32_t n = 0; n < scene.count; n++)
			before[n] = scene.rows[n].there_us <= scene.now_us;
		client = come_back(connect_client(0, NULL), rand() % (10 * WINDOW_US));
		for (int step = 0; step < 600; step++) {
			scene.now_us += 100 * 1000;
			(void)turn(step % 5 == 0);
			take(client);
		}
		for (uint32_t n = 0; n < scene.count; n++)
			assert_true(before[n] || client->got[scene.rows[n].number] > 0);
		let_go();
	}
}

static void
test_the_place_of_a_client_without_new_rows_is_never_old(void **state)
{
	struct stream_place place;
	struct client *client;
	struct error err;

	make_rows(1);
	scene.now_us = NOW_US + 60 * INT64_C(1000000);
	assert_int_equal(stream_feed_begin(scene.feed, NULL, &err), 0);
	client = connect_client(0, NULL);
	for (int step = 0; step < 20; step++) {
		scene.now_us += 3600 * INT64_C(1000000);
		(void)turn(true);
		assert_true(stream_resume_read(place_of(client), &place));
		assert_in_range(scene.now_us - place.us, WINDOW_US, WINDOW_US + 2000);
	}
	client = come_back(client, WINDOW_US / 2);
	(void)turn(true);
	take(client);
	for (uint32_t n = 0; n < scene.count; n++)
		assert_int_equal(client->got[n], 0);
	let_go();
}

/* The first row is late by nearly a window; its frame is the client's last. */
static bool
fits_nobody(const struct stream *stream, const struct db_rows *rows, uint32_t row)
{
	return false;
}

static void
test_a_client_that_wants_none_of_many_rows_has_a_place_among_them(void **state)
{
	struct stream_source of_nobody = source;
	char begin[LIST_CURSOR_BYTES];
	struct stream_place place;
	struct client *client;
	struct error err;

	make_rows(1);
	scene.feed->source = &of_nobody;
	of_nobody.fits = fits_nobody;
	scene.now_us = NOW_US + 60 * INT64_C(1000000);
	assert_int_equal(stream_feed_begin(scene.feed, NULL, &err), 0);
	place = stream_place_before(NOW_US);
	stream_resume_write(scene.feed, &place, begin);
	client = connect_client(0, begin);
	for (uint32_t n = STREAM_READ_ROWS; n < scene.count; n += STREAM_READ_ROWS) {
		assert_true(turn(false));
		assert_true(stream_resume_read(place_of(client), &place));
		assert_true(place.us == scene.rows[n - 1].us);
	}
	let_go();
}

static void
test_the_place_of_a_late_row_is_as_new_as_that_of_others(void **state)
{
	struct stream_place place;
	struct client *client;
	struct error err;

	make_rows(1);
	scene.count = 2;
	for (uint32_t n = 0; n < scene.count; n++)
		scene.rows[n].us = scene.rows[n].there_us = NOW_US + (n + 1) * INT64_C(100000);
	scene.rows[0].there_us = scene.rows[0].us + WINDOW_US - 10000;
	assert_int_equal(stream_feed_begin(scene.feed, NULL, &err), 0);
	client = connect_client(0, NULL);
	while (client->got[scene.rows[0].number] == 0) {
		scene.now_us += 50000;
		(void)turn(true);
		take(client);
	}
	assert_true(stream_resume_read(client->resume, &place));
	assert_in_range(scene.now_us - place.us, WINDOW_US, WINDOW_US + 60000);
	let_go();
}

static void
test_rows_between_late_ones_are_not_read_again(void **state)
{
	static const uint32_t late[] = {10, 12, 1400};
	struct client *client;
	struct error err;

	make_rows(1);
	scene.frame_bytes = 200; /* the client has room for those of a turn */
	for (uint32_t n = 0; n < scene.count; n++)
		scene.rows[n].us = scene.rows[n].there_us = NOW_US + (n + 1) * 100;
	for (size_t i = 0; i < sizeof late / sizeof *late; i++)
		scene.rows[late[i]].there_us = NOW_US + WINDOW_US / 2;
	assert_int_equal(stream_feed_begin(scene.feed, NULL, &err), 0);
	client = connect_client(0, NULL);
	scene.now_us = NOW_US + WINDOW_US / 4;
	while (turn(false))
		take(client);
	scene.now_us = NOW_US + WINDOW_US / 2;
	scene.reads = 0;
	(void)turn(true);
	assert_int_equal(scene.reads, 3); /* places, and two ranges of rows */
	take(client);
	for (uint32_t n = 0; n < scene.count; n++)
		assert_int_equal(client->got[scene.rows[n].number], 1);
	scene.frame_bytes = FRAME_BYTES;
	let_go();
}

static void
test_a_database_without_rows_has_a_place(void **state)
{
	struct stream_source in_order = source;
	struct stream_place place;
	struct error err;

	make_rows(1);
	scene.feed->source = &in_order;
	in_order.in_order = true;
	scene.now_us = 2000;
	assert_int_equal(stream_feed_begin(scene.feed, NULL, &err), 0);
	assert_true(stream_resume_read(place_of(connect_client(0, NULL)), &place));
	assert_int_equal(place.us, 1);
	let_go();
}

static void
test_a_silent_stream_sends_its_place(void **state)
{
	static char data[] = "data: 1\n\n";
	const struct bytes frame = {.base = data, .len = sizeof data - 1};
	struct stream *stream = stream_new("acme");
	struct bytes text = {0};

	stream->ring = ignore;
	stream_set_opened(stream, &frame);
	stream_set_resume(stream, "here");
	assert_false(stream_take(stream, clock_steady_us(), &text));
	assert_memory_equal(text.base, frame.base, frame.len);
	assert_false(stream_take(stream, clock_steady_us() + 16 * INT64_C(1000000), &text));
	assert_int_equal(text.len, strlen(":\nid: here\n\n"));
	assert_memory_equal(text.base, ":\nid: here\n\n", text.len);
	stream_add(stream, &frame);
	assert_false(stream_take(stream, clock_steady_us() + 32 * INT64_C(1000000), &text));
	assert_false(stream_take(stream, clock_steady_us() + 48 * INT64_C(1000000), &text));
	assert_int_equal(text.len, strlen(":\n\n")); /* the place before that frame is useless */
	bytes_free(&text);
	stream_free(stream);
}

static void
test_settled_rows_are_not_repeated_to_a_client_that_resumes(void **state)
{
	struct client *client;
	struct error err;
	char resume[LIST_CURSOR_BYTES];
	uint32_t all_of_it = 0;

	make_rows(1);
	scene.now_us = NOW_US + 60 * INT64_C(1000000);
	assert_int_equal(stream_feed_begin(scene.feed, NULL, &err), 0);
	stream_resume_write(
	    scene.feed, &(struct stream_place){NOW_US - 1, "0190a5b0-0000-7000-8000-000000000000"}, resume);
	for (int round = 0; round < 200; round++) {
		client = connect_client(0, resume);
		(void)turn(true);
		take(client);
		for (uint32_t n = 0; n < scene.count; n++)
			all_of_it += client->got[n];
		if (client->resume[0] == '\0')
			break;
		(void)strcpy(resume, client->resume);
		scene.first = NULL;
		stream_free(client->stream);
	}
	assert_int_equal(all_of_it, scene.count);
	let_go();
}

static void
test_a_resume_text_that_is_no_place_is_refused(void **state)
{
	struct stream_place place;

	assert_false(stream_resume_read("", &place));
	assert_false(stream_resume_read("nonsense", &place));
	assert_false(stream_resume_read("0190a5b0-0000-7000-8000-000000000000", &place));
}

static void
test_a_list_of_types_has_whole_words(void **state)
{
	static const char *const have[] = {"", "a.b", "a.b,c", "c,a.b", "c,,a.b,d"};
	static const char *const have_not[] = {"a", "a.bc", "xa.b", "a.b.c,b", ",", "a.b c"};
	const struct span type = {"a.b", strlen("a.b")};

	for (size_t i = 0; i < sizeof have / sizeof *have; i++)
		assert_true(hook_types_have(have[i], type));
	for (size_t i = 0; i < sizeof have_not / sizeof *have_not; i++)
		assert_false(hook_types_have(have_not[i], type));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_row_is_sent_once_whenever_its_transaction_commits),
	    cmocka_unit_test(test_no_row_is_skipped_when_the_store_fails_at_times),
	    cmocka_unit_test(test_each_row_of_a_batch_is_sent_once),
	    cmocka_unit_test(test_no_row_of_batches_with_the_same_time_is_skipped),
	    cmocka_unit_test(test_a_client_that_resumes_at_another_process_misses_no_row),
	    cmocka_unit_test(test_a_client_that_resumes_before_its_first_row_misses_no_row),
	    cmocka_unit_test(test_the_place_of_a_client_without_new_rows_is_never_old),
	    cmocka_unit_test(test_a_client_that_wants_none_of_many_rows_has_a_place_among_them),
	    cmocka_unit_test(test_the_place_of_a_late_row_is_as_new_as_that_of_others),
	    cmocka_unit_test(test_rows_between_late_ones_are_not_read_again),
	    cmocka_unit_test(test_a_database_without_rows_has_a_place),
	    cmocka_unit_test(test_a_silent_stream_sends_its_place),
	    cmocka_unit_test(test_settled_rows_are_not_repeated_to_a_client_that_resumes),
	    cmocka_unit_test(test_a_resume_text_that_is_no_place_is_refused),
	    cmocka_unit_test(test_a_list_of_types_has_whole_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
