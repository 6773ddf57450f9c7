/* The log of hook events in PostgreSQL, where HOOKS_TEST_POSTGRES_URL names a database: what it keeps, whom it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/clock.h"
#include "control/stream_feed.h"
#include "control/stream_log.h"
#include "control/stream_sources.h"
#include "store/event_log.h"
#include "tests/unit/db_fixture.h"

#define SECOND_US INT64_C(1000000)
#define STREAM_SECONDS 60

static struct db *db;
static struct error err;
static int64_t now_us; /* by the store's clock */

static int
begin(void **state)
{
	if (getenv("HOOKS_TEST_POSTGRES_URL") == NULL)
		return 0;
	db_config.storage = STORAGE_POSTGRES;
	db_config.event_stream_seconds = STREAM_SECONDS;
	db = must_open();
	must_begin(db);
	must_run(db, SAME("DELETE FROM hook_event_log"), NULL, 0);
	must_commit(db);
	return event_log_now(db, &now_us, &err);
}

static int
end(void **state)
{
	db_close(db);
	db = NULL;
	return 0;
}

static void
add_batch(int64_t seconds_ago)
{
	must_begin(db);
	must_run(db,
	    SAME("INSERT INTO hook_event_log (stored_at, first_day, last_day, event_ids) VALUES"
		 " (to_timestamp($1::bigint / 1000000.0), '2026-11-03', '2026-11-03', ARRAY[gen_random_uuid()])"),
	    PARAMS(db_int(now_us - seconds_ago * SECOND_US)));
	must_commit(db);
}

static int64_t
count_batches(void)
{
	return must_count(db, "SELECT count(*) FROM hook_event_log");
}

static void
test_the_newest_batch_that_is_too_old_stays(void **state)
{
	bool more = true;
	int64_t old_us;

	if (db == NULL)
		skip();
	add_batch(1000);
	add_batch(900);
	add_batch(200);
	add_batch(1);
	while (more)
		must_be(0, event_log_tidy(db, 100, &more, &err), &err);
	assert_int_equal(count_batches(), 2);
	must_be(0, event_log_old(db, 100, &old_us, &err), &err);
	assert_true(old_us == now_us - 200 * SECOND_US);
}

/* A stream in step with a feed that has read everything up to so many seconds ago. */
static void
make_stream(struct stream *stream, struct stream_feed *feed, int64_t seconds_ago)
{
	*feed = (struct stream_feed){.begun = true, .front = stream_place_before(now_us - seconds_ago * SECOND_US)};
	*stream = (struct stream){.lock = PTHREAD_MUTEX_INITIALIZER, .opened = true};
	stream->readings[STREAM_HOOK_EVENTS] = (struct stream_reading){.wanted = true, .feed = feed, .in_step = true};
}

static bool
has_ended(struct stream *stream)
{
	struct bytes text = {0};
	bool ended = stream_take(stream, clock_steady_us(), &text);

	bytes_free(&text);
	return ended;
}

static void
test_a_stream_ends_whose_next_events_another_node_has_removed(void **state)
{
	struct stream_log log = {0};
	struct stream_feed feed;
	struct stream stream;
	bool more = true;

	if (db == NULL)
		skip();
	add_batch(4000);
	make_stream(&stream, &feed, 3999);
	must_be(0, stream_log_look(&log, &db_config, db, &stream, &err), &err);
	assert_false(has_ended(&stream)); /* it has all there is */
	add_batch(3000);
	add_batch(2000);
	while (more)
		must_be(0, event_log_tidy(db, STREAM_SECONDS, &more, &err), &err);
	must_be(0, stream_log_look(&log, &db_config, db, &stream, &err), &err);
	assert_true(has_ended(&stream));
}

static void
test_streams_are_looked_at_before_they_read_on_after_an_outage(void **state)
{
	struct stream_log log = {0};
	struct stream_feed feed;
	struct stream stream;
	struct db *other;

	if (db == NULL)
		skip();
	add_batch(2000);
	make_stream(&stream, &feed, 3000);
	other = must_open();
	must_begin(other);
	must_run(other, SAME("LOCK TABLE hook_event_log"), NULL, 0);
	db_config.store_timeout_ms = 500;
	assert_int_not_equal(stream_log_look(&log, &db_config, db, &stream, &err), 0);
	assert_true(stream_log_is_due(&log));
	assert_false(has_ended(&stream));
	db_config.store_timeout_ms = 5000;
	must_commit(other);
	db_close(other);
	must_be(0, stream_log_look(&log, &db_config, db, &stream, &err), &err);
	assert_false(stream_log_is_due(&log));
	assert_true(has_ended(&stream));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_the_newest_batch_that_is_too_old_stays, begin, end),
	    cmocka_unit_test_setup_teardown(test_a_stream_ends_whose_next_events_another_node_has_removed, begin, end),
	    cmocka_unit_test_setup_teardown(test_streams_are_looked_at_before_they_read_on_after_an_outage, begin, end),
	};

	return cmocka_run_group_tests(tests, db_set_up, db_tear_down);
}
