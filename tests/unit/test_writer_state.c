/* The next step of a writer for each state of its store and its spool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "writer/writer_state.h"

#define SPOOL_AFTER 2000
#define REFUSE_AFTER 10000
#define CONNECT_AT 500
#define SINCE 100

/*
 * An outage: the store was reached before and is unavailable since SINCE, events are on the ring, and the spool takes
 * events.
 */
static struct writer_view
outage(int64_t now_us)
{
	return (struct writer_view){.now_us = now_us,
	    .pending = true,
	    .store_reached = true,
	    .spool_takes = true,
	    .connect_at_us = CONNECT_AT,
	    .unavailable_since_us = SINCE,
	    .store_until_us = INT64_MAX,
	    .spool_after_us = SPOOL_AFTER,
	    .refuse_after_us = REFUSE_AFTER};
}

static void
an_open_store_gets_the_events_however_long_it_was_unavailable(void **state)
{
	struct writer_view view = outage(SINCE + REFUSE_AFTER);

	view.store_open = true;
	assert_int_equal(writer_next_state(&view), WRITER_STORING);
	view.pending = false;
	assert_int_equal(writer_next_state(&view), WRITER_STORING);
}

static void
events_of_an_outage_wait_and_are_then_spooled(void **state)
{
	struct writer_view view = outage(SINCE + SPOOL_AFTER - 1);

	assert_int_equal(writer_next_state(&view), WRITER_WAITING);
	view.now_us++;
	assert_int_equal(writer_next_state(&view), WRITER_SPOOLING);
	view.pending = false;
	assert_int_equal(writer_next_state(&view), WRITER_WAITING);
	/* No client is refused while the spool takes events. */
	view.now_us = SINCE + REFUSE_AFTER;
	assert_int_equal(writer_next_state(&view), WRITER_WAITING);
}

static void
without_a_spool_clients_are_refused_after_a_while(void **state)
{
	struct writer_view view = outage(SINCE + REFUSE_AFTER - 1);

	view.spool_takes = false;
	assert_true(writer_spool_time(&view) == INT64_MAX);
	assert_int_equal(writer_next_state(&view), WRITER_WAITING);
	view.now_us++;
	assert_int_equal(writer_next_state(&view), WRITER_REFUSING);
	view.pending = false; /* later clients must get their answer at once */
	assert_int_equal(writer_next_state(&view), WRITER_REFUSING);
}

static void
a_failing_spool_is_tried_again_and_clients_are_refused_until_it_works(void **state)
{
	struct writer_view view = outage(SINCE + REFUSE_AFTER);

	view.spool_failing = true;
	view.spool_retry_at_us = view.now_us + 50;
	assert_int_equal(writer_next_state(&view), WRITER_REFUSING);
	view.now_us += 50;
	assert_int_equal(writer_next_state(&view), WRITER_SPOOLING);
	view.now_us = SINCE + SPOOL_AFTER;
	view.spool_retry_at_us = view.now_us + 50;
	assert_int_equal(writer_next_state(&view), WRITER_WAITING);
}

static void
no_event_is_spooled_before_the_store_was_reached_once(void **state)
{
	struct writer_view view = outage(SINCE + REFUSE_AFTER);

	view.store_reached = false;
	assert_int_equal(writer_next_state(&view), WRITER_WAITING);
	/* But a drain leaves no acknowledged event on the ring. */
	view.draining = true;
	view.store_until_us = view.now_us;
	assert_int_equal(writer_next_state(&view), WRITER_SPOOLING);
}

static void
a_drain_waits_less_long_for_the_store(void **state)
{
	struct writer_view view = outage(SINCE + 1);

	view.draining = true;
	view.store_until_us = SINCE + 10;
	assert_int_equal(writer_next_state(&view), WRITER_WAITING);
	view.now_us = SINCE + 10;
	assert_int_equal(writer_next_state(&view), WRITER_SPOOLING);
	view.spool_takes = false;
	assert_int_equal(writer_next_state(&view), WRITER_REFUSING);
	view.store_open = true;
	assert_int_equal(writer_next_state(&view), WRITER_STORING);
}

static void
a_drain_ends_when_nothing_is_on_the_ring(void **state)
{
	struct writer_view view = outage(SINCE);

	view.draining = true;
	view.pending = false;
	assert_int_equal(writer_next_state(&view), WRITER_DRAINED);
	view.store_open = true;
	assert_int_equal(writer_next_state(&view), WRITER_DRAINED);
}

static void
a_sleep_ends_with_the_next_thing_to_do(void **state)
{
	struct writer_view view = outage(SINCE + 1);

	assert_int_equal(writer_wait_until(&view), CONNECT_AT);
	view.connect_at_us = INT64_MAX; /* the connector's thread is opening the store */
	assert_int_equal(writer_wait_until(&view), SINCE + SPOOL_AFTER);
	view.spool_takes = false;
	assert_int_equal(writer_wait_until(&view), SINCE + REFUSE_AFTER);
	view.now_us = SINCE + REFUSE_AFTER; /* the events are refused by now */
	assert_true(writer_wait_until(&view) == INT64_MAX);
	view.pending = false;
	view.now_us = SINCE + 1;
	assert_true(writer_wait_until(&view) == INT64_MAX);
}

static void
every_state_has_a_name_of_its_own(void **state)
{
	for (unsigned int a = 0; a < WRITER_STATES; a++)
		for (unsigned int b = 0; b < a; b++)
			assert_string_not_equal(writer_state_name(a), writer_state_name(b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_open_store_gets_the_events_however_long_it_was_unavailable),
	    cmocka_unit_test(events_of_an_outage_wait_and_are_then_spooled),
	    cmocka_unit_test(without_a_spool_clients_are_refused_after_a_while),
	    cmocka_unit_test(a_failing_spool_is_tried_again_and_clients_are_refused_until_it_works),
	    cmocka_unit_test(no_event_is_spooled_before_the_store_was_reached_once),
	    cmocka_unit_test(a_drain_waits_less_long_for_the_store),
	    cmocka_unit_test(a_drain_ends_when_nothing_is_on_the_ring),
	    cmocka_unit_test(a_sleep_ends_with_the_next_thing_to_do),
	    cmocka_unit_test(every_state_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests_name("writer_state", tests, NULL, NULL);
}
