/* Feeds of streams while transactions commit late, clients read slowly, leave and come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/hook_event_source.h"
#include "tests/unit/stream_fixture.h"

static void
follow(uint32_t seed, bool fails_at_times)
{
	static uint32_t before[MANY];
	struct client *quick, *slow, *back = NULL;
	struct error err;

	make_rows(seed);
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
		if (step == 150) { /* a client comes back to another process, which has another feed */
			back = connect_client(2, quick->resume);
			for (uint32_t n = 0; n < scene.count; n++)
				back->got[n] = quick->got[n];
		}
		if (back != NULL)
			take(back);
	}
	take(slow);
	for (uint32_t n = 0; n < scene.count; n++) {
		if (fails_at_times)
			assert_true(quick->got[n] >= !before[n]);
		else
			assert_int_equal(quick->got[n], !before[n]);
		assert_true(slow->got[n] >= !before[n]);
		assert_true(back->got[n] >= !before[n]);
	}
	let_go();
}

static void
test_each_row_comes_once_whenever_its_transaction_commits(void **state)
{
	for (uint32_t seed = 1; seed <= 8; seed++)
		follow(seed, false);
}

static void
test_no_row_is_passed_over_when_the_store_fails_at_times(void **state)
{
	for (uint32_t seed = 1; seed <= 8; seed++)
		follow(seed, true);
}

static void
test_a_client_that_resumes_at_another_process_misses_nothing(void **state)
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
			scene.feed = stream_feed_new(&source, "acme", WINDOW_US);
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

static void
test_settled_rows_are_not_repeated_to_who_resumes(void **state)
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
test_what_is_no_place_is_refused(void **state)
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
	    cmocka_unit_test(test_each_row_comes_once_whenever_its_transaction_commits),
	    cmocka_unit_test(test_no_row_is_passed_over_when_the_store_fails_at_times),
	    cmocka_unit_test(test_a_client_that_resumes_at_another_process_misses_nothing),
	    cmocka_unit_test(test_settled_rows_are_not_repeated_to_who_resumes),
	    cmocka_unit_test(test_what_is_no_place_is_refused),
	    cmocka_unit_test(test_a_list_of_types_has_whole_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
