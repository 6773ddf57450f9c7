/*
 * How a courier learns of jobs that other nodes have stored for endpoints with fifo, and how often it asks. The store
 * is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "courier/place_watch.h"
#include "tests/unit/courier_segment.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

#define SENDER 77
#define SECOND_US (1000 * INT64_C(1000))

static struct segment segment;
static struct message_queue messages;
static struct place_watch watch;
static struct error err;

static int
begin(void **state)
{
	segment = courier_segment_open(1);
	node_set_attempts_until_us(&segment.header->node, 1); /* this node is not alone */
	must_be(0, message_queue_open(&messages, &err), &err);
	watch = (struct place_watch){.segment = &segment, .messages = &messages};
	place_watch_look_anew(&watch);
	return jobs_new_tenant(state);
}

static int
end(void **state)
{
	tenant_run("DELETE FROM fifo_heads WHERE tenant_id = $1");
	message_queue_close(&messages);
	courier_segment_close(&segment);
	return 0;
}

static void
look(void)
{
	must_be(0, place_watch_look(&watch, jobs_db, SENDER, &err), &err);
}

/* Returns in how many seconds the next look is due. */
static int64_t
rests(bool knows_fifo)
{
	return (place_watch_due_us(&watch, SENDER, knows_fifo) - clock_steady_us() + SECOND_US - 1) / SECOND_US;
}

/* Gives the endpoint its first place. */
static void
add_head(int64_t node_id)
{
	must_begin(jobs_db);
	must_run(jobs_db,
	    SAME("INSERT INTO fifo_heads (tenant_id, endpoint_id, ordering_key, last_seq, node_id)"
		 " VALUES ($1, $2, '', 1, $3)"),
	    PARAMS(db_string(jobs_tenant), db_uuid(endpoint_id(1)), db_int(node_id)));
	must_commit(jobs_db);
}

static void
test_a_node_without_orders_asks_once_a_minute_at_most(void **state)
{
	add_endpoint(1);
	add_head(SENDER + 1);
	assert_true(rests(false) <= 1);
	look();
	assert_in_range(rests(false), 50, 60);
	assert_true(rests(true) <= 1); /* the courier has an endpoint with fifo, for which other nodes may store jobs */
	place_watch_look_anew(&watch);
	assert_true(rests(false) <= 1);
}

static void
test_a_node_that_sends_to_an_endpoint_looks_for_jobs_of_other_nodes_each_second(void **state)
{
	struct message *one;

	add_endpoint(1);
	add_head(SENDER);
	look();
	assert_null(message_queue_take(&messages));
	assert_in_range(rests(false), 0, 1);
	add_job(1, 1, 0);
	tenant_run("UPDATE jobs SET fifo_seq = 1 WHERE tenant_id = $1");
	look();
	one = message_queue_take(&messages);
	assert_non_null(one);
	assert_int_equal(one->kind, MESSAGE_HAS_PLACE);
	assert_int_equal(one->seq, 1);
	assert_memory_equal(one->id, endpoint_id(1), 16);
	message_free(one);
	assert_in_range(rests(false), 0, 1);
}

static void
test_a_node_that_is_alone_or_has_no_row_never_asks(void **state)
{
	assert_true(place_watch_due_us(&watch, 0, true) == INT64_MAX);
	node_set_attempts_until_us(&segment.header->node, INT64_MAX);
	assert_true(place_watch_due_us(&watch, SENDER, true) == INT64_MAX);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_node_without_orders_asks_once_a_minute_at_most),
	    TEST(test_a_node_that_sends_to_an_endpoint_looks_for_jobs_of_other_nodes_each_second),
	    TEST(test_a_node_that_is_alone_or_has_no_row_never_asks),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
