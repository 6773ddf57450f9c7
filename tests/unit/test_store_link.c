/* The store as the writer's loop sees it. The test sets the clock and the results of the sink. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fake_clock.h"
#include "writer/store_link.h"

/* The results of the fake sink, and the calls that it got. */
static struct {
	struct sink sink;
	int open_rc, store_rc, upkeep_rc;
	sem_t may_open; /* with .opens_in_thread open() waits for it */
	int opens, stores, settled, upkeeps, reopens, closes;
} fake;

static struct writer_slot slot;
static struct store_link store;

static int
answer(int rc, struct error *err)
{
	if (rc != 0)
		(void)error_set(err, "the fake sink's reason");
	return rc;
}

static int
fake_open(struct sink *sink, struct error *err)
{
	if (sink->ops->opens_in_thread)
		assert_int_equal(sem_wait(&fake.may_open), 0);
	fake.opens++;
	return answer(fake.open_rc, err);
}

static int
fake_store(struct sink *sink, const struct batch *batch, struct sink_result *result, struct error *err)
{
	fake.stores++;
	*result = (struct sink_result){.stored = fake.store_rc == 0 ? batch->count : 0};
	return answer(fake.store_rc, err);
}

static void
fake_settled(struct sink *sink)
{
	fake.settled++;
}

static int
fake_upkeep(struct sink *sink, struct error *err)
{
	fake.upkeeps++;
	return answer(fake.upkeep_rc, err);
}

static void
fake_reopen(struct sink *sink)
{
	fake.reopens++;
}

static void
fake_close(struct sink *sink)
{
	fake.closes++;
}

#define FAKE_OPS                                                                                                       \
	.name = "fake", .open = fake_open, .store = fake_store, .settled = fake_settled, .upkeep = fake_upkeep,        \
	.reopen = fake_reopen, .close = fake_close
static const struct sink_ops local_ops = {FAKE_OPS};
static const struct sink_ops threaded_ops = {FAKE_OPS, .opens_in_thread = true};

static void
begin(const struct sink_ops *ops)
{
	struct error err;

	memset(&fake, 0, sizeof fake);
	fake.sink.ops = ops;
	assert_int_equal(sem_init(&fake.may_open, 0, 0), 0);
	memset(&slot, 0, sizeof slot);
	assert_int_equal(store_link_init(&store, &fake.sink, &slot, &err), 0);
}

static int
set_up(void **state)
{
	begin(&local_ops);
	return 0;
}

static int
tear_down(void **state)
{
	store_link_close(&store);
	assert_int_equal(fake.closes, 1);
	return 0;
}

static int
store_batch(void)
{
	static const struct record *const records[3];
	struct sink_result result;

	int rc = store_link_store(&store, &(struct batch){records, 3}, &result);
	if (rc == 0)
		store_link_committed(&store);
	return rc;
}

static void
connect_after(int64_t us, bool pending)
{
	fake_now_us += us;
	store_link_connect(&store, pending);
}

/* Begins with a store that has stored a batch. */
static void
begin_ready(void)
{
	connect_after(0, false);
	assert_int_equal(store_batch(), 0);
	assert_int_equal(store.state, LINK_READY);
	assert_int_equal(slot.unavailable_since_us, 0);
}

static void
assert_error(const char *text)
{
	char error[ERROR_TEXT_MAX];

	store_report_error(&slot.process.store, error);
	assert_string_equal(error, text);
}

static void
a_store_that_opens_is_ready(void **state)
{
	assert_int_equal(store.state, LINK_CONNECTING);
	assert_false(store_link_reached(&store));
	assert_false(store_link_works(&store));
	connect_after(0, true);
	assert_int_equal(store.state, LINK_READY);
	assert_true(store_link_open(&store) && store_link_works(&store) && store_link_reached(&store));
	/* Before the first batch is stored this may still be the predecessor's outage. */
	assert_int_not_equal(slot.unavailable_since_us, 0);
	assert_int_equal(store_batch(), 0);
	assert_int_equal(fake.settled, 1);
	assert_int_equal(slot.unavailable_since_us, 0);
	assert_int_equal(slot.process.counters[COUNTER_BATCHES], 1);
}

static void
an_outage_counts_from_its_beginning_under_a_predecessor(void **state)
{
	struct error err;

	store_link_close(&store);
	begin(&local_ops);
	slot.unavailable_since_us = 17;
	assert_int_equal(store_link_init(&store, &fake.sink, &slot, &err), 0);
	store_link_set_reached(&store);
	assert_int_equal(store.state, LINK_CLOSED);
	assert_true(store_link_reached(&store));
	fake.open_rc = -1;
	connect_after(0, true);
	assert_int_equal(store.state, LINK_CLOSED);
	assert_int_equal(slot.unavailable_since_us, 17);
}

static void
a_store_that_was_never_reached_stays_connecting(void **state)
{
	fake.open_rc = -1;
	connect_after(0, true);
	assert_int_equal(store.state, LINK_CONNECTING);
	store_link_noticed(&store);
	assert_int_equal(store.state, LINK_CONNECTING);
	assert_error("the fake sink's reason");
	assert_int_equal(slot.process.counters[COUNTER_STORAGE_ERRORS], 1);
	fake.open_rc = 0;
	connect_after(SECOND, true);
	assert_int_equal(store.state, LINK_READY);
	assert_error("");
}

static void
a_first_failure_is_retried_at_once_and_clients_do_not_notice_it(void **state)
{
	begin_ready();
	fake.store_rc = -1;
	assert_int_equal(store_batch(), -1);
	assert_int_equal(store.state, LINK_FAILED_ONCE);
	assert_int_equal(slot.unavailable_since_us, fake_now_us);
	assert_false(store_link_open(&store));
	assert_true(store_link_works(&store));
	assert_error("");
	fake.store_rc = 0;
	connect_after(0, true);
	assert_int_equal(store.state, LINK_RETRYING);
	assert_true(store_link_works(&store));
	assert_int_equal(store_batch(), 0);
	assert_int_equal(store.state, LINK_READY);
	assert_int_equal(slot.unavailable_since_us, 0);
}

static void
a_second_failure_makes_the_store_unavailable_until_it_stores_a_batch(void **state)
{
	int64_t first_us;

	begin_ready();
	fake.store_rc = -1;
	first_us = fake_now_us;
	assert_int_equal(store_batch(), -1);
	connect_after(MILLISECOND, true);
	assert_int_equal(store_batch(), -1);
	assert_int_equal(store.state, LINK_UNAVAILABLE);
	assert_false(store_link_works(&store));
	assert_int_equal(slot.unavailable_since_us, first_us);
	assert_error("the fake sink's reason");
	/* With a full disk the store opens and does not store. */
	connect_after(SECOND, true);
	assert_int_equal(store.state, LINK_PROVING);
	assert_true(store_link_open(&store));
	assert_false(store_link_works(&store));
	assert_int_equal(store_batch(), -1);
	assert_int_equal(store.state, LINK_UNAVAILABLE);
	fake.store_rc = 0;
	connect_after(SECOND, true);
	assert_int_equal(store_batch(), 0);
	assert_int_equal(store.state, LINK_READY);
	assert_int_equal(slot.unavailable_since_us, 0);
	assert_error("");
}

static void
without_events_an_opening_or_upkeep_ends_an_outage(void **state)
{
	begin_ready();
	fake.store_rc = -1;
	assert_int_equal(store_batch(), -1);
	fake.open_rc = -1;
	connect_after(0, true);
	assert_int_equal(store.state, LINK_UNAVAILABLE);
	fake.open_rc = 0;
	connect_after(SECOND, false);
	assert_int_equal(store.state, LINK_RETRYING);
	assert_true(store_link_works(&store));
	store_link_upkeep_soon(&store);
	store_link_upkeep(&store, true);
	assert_int_equal(store.state, LINK_RETRYING);
	store_link_upkeep_soon(&store);
	store_link_upkeep(&store, false);
	assert_int_equal(store.state, LINK_READY);
	assert_int_equal(slot.unavailable_since_us, 0);
}

static void
a_failure_counts_when_clients_notice_it_before_the_retry(void **state)
{
	begin_ready();
	fake.store_rc = -1;
	assert_int_equal(store_batch(), -1);
	store_link_noticed(&store);
	assert_int_equal(store.state, LINK_UNAVAILABLE);
}

static void
an_idle_close_is_no_outage(void **state)
{
	begin_ready();
	fake_now_us += 2 * SECOND;
	fake.upkeep_rc = SINK_IDLE_CLOSED;
	store_link_upkeep_soon(&store);
	store_link_upkeep(&store, false);
	assert_int_equal(store.state, LINK_IDLE_CLOSED);
	assert_true(store_link_works(&store));
	assert_int_equal(slot.process.counters[COUNTER_STORAGE_ERRORS], 0);
	connect_after(0, true);
	assert_int_equal(store.state, LINK_READY);
	assert_int_equal(slot.unavailable_since_us, 0);
}

static void
an_idle_close_before_a_failure_to_open_is_an_outage(void **state)
{
	begin_ready();
	fake_now_us += 2 * SECOND;
	fake.store_rc = SINK_IDLE_CLOSED;
	assert_int_equal(store_batch(), -1);
	int64_t since_us = fake_now_us;
	fake.open_rc = -1;
	connect_after(MILLISECOND, true);
	assert_int_equal(store.state, LINK_CLOSED);
	assert_false(store_link_works(&store));
	assert_int_equal(slot.unavailable_since_us, since_us);
}

/* Otherwise an outage soon after it would count from the idle close on, and requests would be refused at once. */
static void
an_idle_close_that_clients_have_noticed_is_over_when_the_store_opens(void **state)
{
	begin_ready();
	fake_now_us += 2 * SECOND;
	fake.store_rc = SINK_IDLE_CLOSED;
	assert_int_equal(store_batch(), -1);
	store_link_noticed(&store);
	store_link_noticed(&store);
	connect_after(MILLISECOND, true);
	assert_int_equal(store.state, LINK_READY);
	assert_int_equal(slot.unavailable_since_us, 0);
}

static void
a_connection_that_is_closed_right_after_its_opening_has_failed(void **state)
{
	begin_ready();
	fake.store_rc = SINK_IDLE_CLOSED;
	assert_int_equal(store_batch(), -1);
	assert_int_equal(store.state, LINK_FAILED_ONCE);
	assert_int_equal(slot.process.counters[COUNTER_STORAGE_ERRORS], 1);
}

static void
pauses_between_attempts_grow_until_the_store_works(void **state)
{
	int64_t pause_us = 0;

	begin_ready();
	fake.store_rc = fake.open_rc = -1;
	assert_int_equal(store_batch(), -1);
	for (int i = 0; i < 10; i++) {
		int opens = fake.opens;

		connect_after(0, true);
		assert_int_equal(fake.opens, opens + 1);
		pause_us = store_link_connect_at(&store) - fake_now_us;
		connect_after(pause_us - 1, true);
		assert_int_equal(fake.opens, opens + 1);
		fake_now_us++;
		assert_in_range(pause_us, i == 0 ? 50 * MILLISECOND : 0, i == 0 ? 100 * MILLISECOND : 5 * SECOND);
	}
	assert_in_range(pause_us, 5 * SECOND / 2, 5 * SECOND);
	fake.store_rc = fake.open_rc = 0;
	connect_after(0, true);
	assert_int_equal(store_batch(), 0);
	fake.store_rc = fake.open_rc = -1;
	assert_int_equal(store_batch(), -1);
	connect_after(0, true);
	assert_in_range(store_link_connect_at(&store) - fake_now_us, 50 * MILLISECOND, 100 * MILLISECOND);
}

static void
upkeep_is_done_once_a_minute(void **state)
{
	begin_ready();
	store_link_upkeep(&store, false);
	assert_int_equal(fake.upkeeps, 1);
	fake_now_us += 59 * SECOND;
	store_link_upkeep(&store, false);
	assert_int_equal(fake.upkeeps, 1);
	fake_now_us += SECOND;
	store_link_upkeep(&store, false);
	assert_int_equal(fake.upkeeps, 2);
}

static void
wait_for_the_connector(void)
{
	assert_int_equal(poll(&(struct pollfd){.fd = store.connector.fd, .events = POLLIN}, 1, 60000), 1);
}

static void
a_store_opens_in_a_thread_and_sighup_waits_for_it(void **state)
{
	begin(&threaded_ops);
	connect_after(0, true);
	assert_int_equal(fake.opens, 0);
	assert_true(store_link_connect_at(&store) == INT64_MAX);
	store_link_reopen_files(&store);
	connect_after(SECOND, true);
	assert_int_equal(store.state, LINK_CONNECTING);
	assert_int_equal(fake.reopens, 0);
	assert_int_equal(sem_post(&fake.may_open), 0);
	wait_for_the_connector();
	store_link_connect(&store, true);
	assert_int_equal(store.state, LINK_READY);
	assert_int_equal(fake.opens, 1);
	assert_int_equal(fake.reopens, 1);
	store_link_reopen_files(&store);
	assert_int_equal(fake.reopens, 2);
}

static void
a_store_in_a_thread_that_does_not_open_is_tried_again(void **state)
{
	begin(&threaded_ops);
	store_link_set_reached(&store);
	fake.open_rc = -1;
	assert_int_equal(sem_post(&fake.may_open), 0);
	connect_after(0, false);
	wait_for_the_connector();
	store_link_connect(&store, false);
	assert_int_equal(store.state, LINK_CLOSED);
	assert_error("the fake sink's reason");
	fake.open_rc = 0;
	assert_int_equal(sem_post(&fake.may_open), 0);
	connect_after(SECOND, false);
	wait_for_the_connector();
	store_link_connect(&store, false);
	assert_int_equal(store.state, LINK_READY);
}

/* One of the things that may happen next, with results that the sink may have. */
static void
happen(void)
{
	static const int results[] = {0, 0, -1, SINK_IDLE_CLOSED};

	fake_now_us += random() % 2 != 0 ? MILLISECOND : 2 * SECOND;
	fake.open_rc = random() % 3 != 0 ? 0 : -1;
	fake.store_rc = results[random() % 4];
	fake.upkeep_rc = results[random() % 4];
	if (random() % 50 == 0)
		store_link_set_reached(&store);
	if (!store_link_open(&store) && random() % 2 != 0) {
		store_link_noticed(&store);
		assert_false(store_link_works(&store));
	} else if (!store_link_open(&store)) {
		store_link_connect(&store, random() % 2 != 0);
	} else if (random() % 2 == 0 || store_batch() != 0) {
		store_link_upkeep_soon(&store);
		store_link_upkeep(&store, random() % 2 != 0);
	}
}

static void
every_state_is_reached_and_left_in_random_orders(void **state)
{
	unsigned int seen[LINK_STATES] = {0};

	srandom(1);
	for (int i = 0; i < 3000; i++) {
		seen[store.state]++;
		happen();
		assert_true(slot.unavailable_since_us != 0 || store.state == LINK_READY);
	}
	for (unsigned int s = 0; s < LINK_STATES; s++)
		assert_int_not_equal(seen[s], 0);
}

static void
every_state_has_a_name_of_its_own(void **state)
{
	for (unsigned int a = 0; a < LINK_STATES; a++)
		for (unsigned int b = 0; b < a; b++)
			assert_string_not_equal(link_state_name(a), link_state_name(b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define LINK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	    LINK_TEST(a_store_that_opens_is_ready),
	    LINK_TEST(an_outage_counts_from_its_beginning_under_a_predecessor),
	    LINK_TEST(a_store_that_was_never_reached_stays_connecting),
	    LINK_TEST(a_first_failure_is_retried_at_once_and_clients_do_not_notice_it),
	    LINK_TEST(a_second_failure_makes_the_store_unavailable_until_it_stores_a_batch),
	    LINK_TEST(without_events_an_opening_or_upkeep_ends_an_outage),
	    LINK_TEST(a_failure_counts_when_clients_notice_it_before_the_retry),
	    LINK_TEST(an_idle_close_is_no_outage),
	    LINK_TEST(an_idle_close_before_a_failure_to_open_is_an_outage),
	    LINK_TEST(an_idle_close_that_clients_have_noticed_is_over_when_the_store_opens),
	    LINK_TEST(a_connection_that_is_closed_right_after_its_opening_has_failed),
	    LINK_TEST(pauses_between_attempts_grow_until_the_store_works),
	    LINK_TEST(upkeep_is_done_once_a_minute),
	    LINK_TEST(a_store_opens_in_a_thread_and_sighup_waits_for_it),
	    LINK_TEST(a_store_in_a_thread_that_does_not_open_is_tried_again),
	    LINK_TEST(every_state_is_reached_and_left_in_random_orders),
	    LINK_TEST(every_state_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests_name("store_link", tests, NULL, NULL);
}
