/*
 * Tests of endpoints: the courier's store thread finds them and stores their results. The store is an SQLite file and,
 * if HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/test_rows.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"
#include "tests/unit/store_thread_fixture.h"

static struct error err;

static const char attempt[] = "019aaaaa-0000-7000-8000-000000001234";
static const char tests_left[] = "SELECT count(*) FROM endpoint_tests WHERE tenant_id = $1";

/* Asks for a test as control does. */
static void
ask_for_test(uint8_t endpoint, int64_t lasts_ms)
{
	char id[FORMAT_UUID_BYTES + 1] = "";
	int64_t version;

	format_uuid(endpoint_id(endpoint), id);
	const struct test_row row = {.tenant_id = jobs_tenant,
	    .attempt_id = attempt,
	    .endpoint_id = {id, FORMAT_UUID_BYTES},
	    .node_id = must_count(jobs_db, "SELECT max(node_id) FROM delivery_nodes"),
	    .topic = {"a.b", 3},
	    .payload = {"[1]", 3},
	    .lasts_ms = lasts_ms};

	must_begin(jobs_db);
	must_be(0, test_rows_add(jobs_db, &row, &err), &err);
	must_be(0, changes_raise(jobs_db, &version, &err), &err);
	must_commit(jobs_db);
}

static void
start_with_node(void)
{
	start();
	await_and_free(MESSAGE_STARTED);
}

static void
test_a_test_is_sent_once_with_its_endpoint_and_event_and_its_result_is_stored(void **state)
{
	const struct endpoint_name name = name_of(1);
	struct attempt_result result = {
	    .end = ATTEMPT_ANSWERED, .http_status = 500, .started_us = clock_wall_us(), .dns_ms = -1};
	const struct record *event;
	struct message *message;

	add_endpoint(1);
	tenant_run("UPDATE endpoints SET enabled = FALSE WHERE tenant_id = $1");
	start_with_node();
	ask_for_test(1, 60000);
	message = await(MESSAGE_TEST);
	assert_string_equal(message->config->url, "http://example.com/");
	event = (const struct record *)(const void *)message->memory;
	assert_true(record_check(event, event->length));
	assert_memory_equal(record_data(event).base, "[1]", 3);
	assert_memory_equal(event->event_id, message->attempt_id, 14);
	assert_true(event->event_id[14] == 0 && event->event_id[15] == 0);
	memcpy(result.attempt_id, message->attempt_id, sizeof result.attempt_id);
	message_free(message);

	/* It is not sent again with the next change. */
	change_endpoint("UPDATE endpoints SET name = 'n' WHERE tenant_id = $1");
	do {
		message = store_thread_take_message(thread);
		assert_true(message == NULL || message->kind != MESSAGE_TEST);
		if (message != NULL && message->kind == MESSAGE_CHANGED)
			break;
		if (message != NULL)
			message_free(message);
	} while (true);
	message_free(message);

	assert_int_equal(tenant_count(tests_left), 1);
	store_thread_write_test(thread, &name, &result);
	assert_int_equal(wait_for(tests_left, 0), 0);
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1 AND test AND job_id IS NULL "
				      "AND event_id IS NULL AND http_status = 500 AND status = 'failure'"),
	    1);
	store_thread_write_test(thread, &name, &result); /* as after a COMMIT whose answer was lost */
	store_thread_load_endpoint(thread, &name);
	await_and_free(MESSAGE_ENDPOINT);
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1"), 1);
}

static void
test_a_test_of_an_endpoint_that_is_gone_fails_at_once(void **state)
{
	add_endpoint(1);
	tenant_run("UPDATE endpoints SET deleted_at = hl_now() WHERE tenant_id = $1");
	start_with_node();
	ask_for_test(1, 60000);
	assert_int_equal(wait_for(tests_left, 0), 0);
	assert_string_equal(tenant_text("SELECT error FROM attempts WHERE tenant_id = $1"),
	    "no attempt was made: the endpoint is deleted, or cannot be read");
}

static void
test_a_test_whose_time_is_over_is_not_made(void **state)
{
	add_endpoint(1);
	start_with_node();
	ask_for_test(1, 0);
	struct message *message;
	do
		message = store_thread_take_message(thread);
	while (message == NULL || message->kind == MESSAGE_STARTED);
	assert_int_equal(message->kind, MESSAGE_CHANGED);
	message_free(message);
	assert_int_equal(tenant_count(tests_left), 1);
	tenant_run("DELETE FROM endpoint_tests WHERE tenant_id = $1");
}

static void
expired_ago(const char *seconds)
{
	char sql[160];

	(void)snprintf(sql, sizeof sql,
	    "UPDATE endpoint_tests SET expires_at = hl_time(hl_ms(hl_now()) - %s * 1000) WHERE tenant_id = $1",
	    seconds);
	tenant_run(sql);
}

static uint32_t
count_listed(void)
{
	int64_t node_id = tenant_count("SELECT max(node_id) FROM endpoint_tests WHERE tenant_id = $1");
	struct db_rows *rows;

	must_be(0, test_rows_list(jobs_db, node_id, &rows, &err), &err);
	uint32_t count = db_rows_count(rows);
	db_rows_free(rows);
	return count;
}

/*
 * A test that ended long ago takes no place in the list. The result of its attempt finds its row until that must have
 * ended.
 */
static void
test_a_test_that_is_over_leaves_the_list_first_and_the_table_when_no_attempt_can_run(void **state)
{
	uint32_t removed;

	add_endpoint(1);
	start_with_node();
	ask_for_test(1, 0);
	expired_ago("50");
	assert_int_equal(count_listed(), 1);
	expired_ago("70");
	assert_int_equal(count_listed(), 0);
	expired_ago("310");
	must_be(0, test_rows_remove_old(jobs_db, 1000, &removed, &err), &err);
	assert_int_equal(tenant_count(tests_left), 1);
	expired_ago("370");
	must_be(0, test_rows_remove_old(jobs_db, 1000, &removed, &err), &err);
	assert_int_equal(tenant_count(tests_left), 0);
}

static void
test_a_test_ends_although_the_store_refuses_its_attempt(void **state)
{
	const struct endpoint_name name = name_of(1);
	struct attempt_result result = {.end = ATTEMPT_FAILED, .started_us = clock_wall_us(), .error = "a text"};
	struct message *message;

	add_endpoint(1);
	start_with_node();
	add_refusal("refusal", "INSERT ON attempts", "NEW.error IS NOT NULL");
	ask_for_test(1, 60000);
	message = await(MESSAGE_TEST);
	memcpy(result.attempt_id, message->attempt_id, sizeof result.attempt_id);
	message_free(message);
	store_thread_write_test(thread, &name, &result);
	assert_int_equal(wait_for(tests_left, 0), 0);
	remove_refusal("refusal", "attempts");
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1 AND error IS NULL"), 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, store_thread_begin, store_thread_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_test_is_sent_once_with_its_endpoint_and_event_and_its_result_is_stored),
	    TEST(test_a_test_of_an_endpoint_that_is_gone_fails_at_once),
	    TEST(test_a_test_whose_time_is_over_is_not_made),
	    TEST(test_a_test_that_is_over_leaves_the_list_first_and_the_table_when_no_attempt_can_run),
	    TEST(test_a_test_ends_although_the_store_refuses_its_attempt),
	};

	return cmocka_run_group_tests(tests, store_thread_set_up, store_thread_tear_down);
}
