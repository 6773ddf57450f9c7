/*
 * How the courier's store thread reports other nodes, and which leases it gets. The store is an SQLite file and, if
 * HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/node_rows.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"
#include "tests/unit/store_thread_fixture.h"

#define OTHER_EPOCH 77

static struct error err;

static void
run(const char *sql)
{
	must_begin(jobs_db);
	must_run(jobs_db, SAME(sql), NULL, 0);
	must_commit(jobs_db);
}

static int
begin(void **state)
{
	int rc = store_thread_begin(state);

	run("DELETE FROM delivery_nodes");
	return rc;
}

/* Adds another node that acts by that version. Returns its number. */
static int64_t
add_node(int64_t epoch, int64_t seen_version)
{
	const struct node_claim claim = {
	    .next_epoch = epoch, .name = "other", .seen_version = seen_version, .timeout_ms = 30000};
	struct node_row row;
	bool fresh;

	must_be(0, node_rows_claim(jobs_db, &claim, &row, &fresh, &err), &err);
	assert_true(fresh);
	return row.node_id;
}

static void
must_be_told(uint32_t nodes, uint32_t rank)
{
	struct message *message = await(MESSAGE_NODES);

	assert_int_equal(message->view.nodes, nodes);
	assert_int_equal(message->view.rank, rank);
	message_free(message);
}

static void
test_nodes_that_come_and_go_are_reported(void **state)
{
	struct message *message;

	start();
	must_be_told(1, 0);
	await_and_free(MESSAGE_STARTED);
	(void)add_node(OTHER_EPOCH, 0);
	message = await_any(); /* comes before this node reports that it knows of it */
	assert_int_equal(message->kind, MESSAGE_NODES);
	assert_int_equal(message->view.nodes, 2);
	message_free(message);
	await_and_free(MESSAGE_CHANGED);
	run("UPDATE delivery_nodes SET left_at = hl_now() WHERE epoch = 77"); /* the node may have attempts under way */
	(void)add_node(OTHER_EPOCH + 1, 0);
	must_be_told(3, 0);
	run("UPDATE delivery_nodes SET adopted_by = (SELECT max(node_id) FROM delivery_nodes) WHERE epoch = 77");
	must_be_told(2, 0);
}

static void
test_a_node_has_no_share_before_all_others_know_of_it(void **state)
{
	struct message *message;
	int64_t until_us;

	(void)add_node(OTHER_EPOCH, 0);
	start();
	await_and_free(MESSAGE_STARTED);
	until_us = clock_steady_us() + 3 * SECOND_US / 2;
	while ((message = next_message(until_us)) != NULL) {
		assert_int_not_equal(message->kind, MESSAGE_NODES);
		message_free(message);
	}
	run("UPDATE delivery_nodes SET seen_version = (SELECT version FROM changes) WHERE epoch = 77");
	must_be_told(2, 1);
	(void)add_node(OTHER_EPOCH + 1, 0); /* a later node does not take the share away */
	must_be_told(3, 1);
}

static void
test_a_new_node_does_not_wait_for_silent_nodes_or_those_that_have_left(void **state)
{
	(void)add_node(OTHER_EPOCH, 0);
	(void)add_node(OTHER_EPOCH + 1, 0);
	run("UPDATE delivery_nodes SET left_at = hl_now() WHERE epoch = 77");
	run("UPDATE delivery_nodes SET alive_at = hl_time(hl_ms(hl_now()) - 30000) WHERE epoch = 78");
	start();
	must_be_told(3, 2);
}

static void
test_a_node_whose_row_was_taken_over_has_no_share(void **state)
{
	start();
	must_be_told(1, 0);
	await_and_free(MESSAGE_STARTED);
	run("UPDATE delivery_nodes SET epoch = 78");
	must_be_told(0, 0);
}

/* The version that is sent with the next configuration of the endpoint. */
static int64_t
version_told(void)
{
	struct message *message = await(MESSAGE_ENDPOINT);
	int64_t version = message->version;

	message_free(message);
	return version;
}

static void
test_changed_limits_are_sent_with_the_version_of_the_change(void **state)
{
	const struct endpoint_name name = name_of(1);

	add_endpoint(1);
	start();
	await_and_free(MESSAGE_STARTED);
	store_thread_load_endpoint(thread, &name);
	assert_int_equal(version_told(), 0);
	change_endpoint("UPDATE endpoints SET version = version + 1, name = 'another' WHERE tenant_id = $1");
	assert_int_equal(version_told(), 0);
	change_endpoint("UPDATE endpoints SET version = version + 1, max_in_flight = 77 WHERE tenant_id = $1");
	assert_int_equal(version_told(), must_count(jobs_db, "SELECT version FROM changes"));
	change_endpoint("UPDATE endpoints SET version = version + 1, name = 'a third' WHERE tenant_id = $1");
	assert_int_equal(version_told(), 0);
}

/* ---- leases ---- */

static void
must_answer(bool given)
{
	struct message *message = await(MESSAGE_LEASE);

	assert_string_equal(message->tenant_id, jobs_tenant);
	assert_memory_equal(message->id, endpoint_id(1), 16);
	assert_int_equal(message->given, given);
	message_free(message);
}

static void
test_a_lease_is_taken_and_given_back(void **state)
{
	const struct endpoint_name name = name_of(1);

	add_endpoint(1);
	start();
	await_and_free(MESSAGE_STARTED);
	store_thread_take_lease(thread, &name, 60000);
	must_answer(true);
	assert_int_equal(tenant_count("SELECT count(*) FROM endpoints JOIN delivery_nodes ON lease_epoch = epoch"
				      " WHERE tenant_id = $1 AND hl_ms(lease_until) - hl_ms(hl_now()) > 50000"),
	    1);
	store_thread_give_lease(thread, &name);
	assert_int_equal(wait_for("SELECT count(*) FROM endpoints WHERE tenant_id = $1 AND lease_epoch IS NULL", 1), 1);
	(void)add_node(OTHER_EPOCH, 0);
	tenant_run("UPDATE endpoints SET lease_epoch = 77, lease_until = hl_time(hl_ms(hl_now()) + 60000)"
		   " WHERE tenant_id = $1");
	store_thread_take_lease(thread, &name, 60000);
	must_answer(false);
}

static void
test_a_lease_that_the_store_refuses_does_not_delay_other_requests(void **state)
{
	const struct endpoint_name name = name_of(1), other = name_of(2);

	add_endpoint(1);
	add_endpoint(2);
	add_refusal("refusal", "UPDATE ON endpoints", "NEW.lease_epoch IS NOT NULL");
	start();
	await_and_free(MESSAGE_STARTED);
	store_thread_take_lease(thread, &name, 60000);
	must_answer(false);
	store_thread_load_endpoint(thread, &other);
	await_and_free(MESSAGE_ENDPOINT);
	remove_refusal("refusal", "endpoints");
	store_thread_take_lease(thread, &name, 60000);
	must_answer(true);
}

static void
test_a_lease_whose_row_is_locked_does_not_delay_other_requests(void **state)
{
	const struct endpoint_name name = name_of(1), other = name_of(2);

	if (!store_has_delays()) /* then it has no locks of rows either */
		skip();
	add_endpoint(1);
	add_endpoint(2);
	start();
	await_and_free(MESSAGE_STARTED);
	store_thread_take_lease(thread, &name, 60000);
	must_answer(true);
	must_begin(jobs_db);
	must_run(jobs_db, SAME("UPDATE endpoints SET updated_at = hl_now() WHERE tenant_id = $1 AND endpoint_id = $2"),
	    PARAMS(db_string(jobs_tenant), db_uuid(endpoint_id(1))));
	store_thread_give_lease(thread, &name);
	store_thread_load_endpoint(thread, &other);
	await_and_free(MESSAGE_ENDPOINT);
	store_thread_take_lease(thread, &name, 60000);
	must_answer(false);
	must_commit(jobs_db);
	store_thread_take_lease(thread, &name, 60000);
	must_answer(true);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, store_thread_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_nodes_that_come_and_go_are_reported),
	    TEST(test_a_node_has_no_share_before_all_others_know_of_it),
	    TEST(test_a_new_node_does_not_wait_for_silent_nodes_or_those_that_have_left),
	    TEST(test_a_node_whose_row_was_taken_over_has_no_share),
	    TEST(test_changed_limits_are_sent_with_the_version_of_the_change),
	    TEST(test_a_lease_is_taken_and_given_back),
	    TEST(test_a_lease_that_the_store_refuses_does_not_delay_other_requests),
	    TEST(test_a_lease_whose_row_is_locked_does_not_delay_other_requests),
	};

	return cmocka_run_group_tests(tests, store_thread_set_up, store_thread_tear_down);
}
