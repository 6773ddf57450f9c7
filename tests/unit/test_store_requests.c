/*
 * What the courier's store thread reads for the loop, and which changes it follows. The store is an SQLite file and, if
 * HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
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
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"
#include "tests/unit/store_thread_fixture.h"

/* ---- requests of the loop ---- */

static void
test_a_page_has_rows_and_the_events_of_those_that_are_due(void **state)
{
	const struct endpoint_name name = name_of(1);
	struct message *page;

	add_event(1, "{\"a\":1}");
	add_event(4, "{\"a\":4}");
	add_job(1, 1, -6000);
	add_job(1, 2, -6000); /* its event is gone */
	add_job(1, 3, 3600000);
	add_job(1, 4, 0); /* a parcel may still bring it */
	tenant_run("UPDATE jobs SET node_id = 1 WHERE tenant_id = $1");
	start();
	await_and_free(MESSAGE_STARTED);
	tenant_run("UPDATE jobs SET node_id = (SELECT node_id FROM delivery_nodes) WHERE tenant_id = $1");
	store_thread_read_page(thread, &name, &(struct page_query){.event_bytes = 1000000});
	page = await(MESSAGE_PAGE);
	assert_string_equal(page->tenant_id, jobs_tenant);
	assert_int_equal(page->row_count, 4);
	assert_true(page->last);
	assert_memory_equal(page->rows[0].job_id, job_id(1, 1), 16);
	assert_false(page->rows[0].awaits_parcel);
	assert_non_null(page->rows[0].event);
	assert_true(record_check(page->rows[0].event, page->rows[0].event->length));
	assert_memory_equal(record_data(page->rows[0].event).base, "{\"a\":1}", 7);
	assert_memory_equal(page->rows[0].event->event_id, event_id(1), 16);
	assert_true(page->rows[1].event_gone && page->rows[1].event == NULL);
	assert_false(page->rows[2].event_gone);
	assert_null(page->rows[2].event);
	assert_in_range((page->rows[2].due_us - clock_steady_us()) / 1000, 3590000, 3600000);
	assert_true(page->rows[3].awaits_parcel && page->rows[3].event == NULL && !page->rows[3].event_gone);
	message_free(page);
}

/* The publisher has not handed the job over, or the courier has skipped its parcel. */
static void
test_a_young_row_is_taken_at_once_if_it_or_its_endpoint_was_held(void **state)
{
	const struct endpoint_name name = name_of(1);
	struct page_query query = {.event_bytes = 1000000};
	struct message *page;

	add_event(1, "1");
	add_event(2, "2");
	add_job(1, 1, 0);
	tenant_run("UPDATE jobs SET status = 'held', expires_at = NULL WHERE tenant_id = $1");
	add_job(1, 2, 0);
	start();
	await_and_free(MESSAGE_STARTED);
	tenant_run("UPDATE jobs SET node_id = (SELECT node_id FROM delivery_nodes), next_attempt_at = hl_now() "
		   "WHERE tenant_id = $1");
	store_thread_read_page(thread, &name, &query);
	page = await(MESSAGE_PAGE);
	assert_int_equal(page->row_count, 2);
	assert_true(page->rows[0].overtakes_parcel && !page->rows[0].awaits_parcel && page->rows[0].event != NULL);
	assert_true(page->rows[1].awaits_parcel && !page->rows[1].overtakes_parcel && page->rows[1].event == NULL);
	message_free(page);
	query.resumed_us = clock_steady_us() + 60000000;
	store_thread_read_page(thread, &name, &query);
	page = await(MESSAGE_PAGE);
	assert_int_equal(page->row_count, 2);
	assert_true(page->rows[1].overtakes_parcel && !page->rows[1].awaits_parcel && page->rows[1].event != NULL);
	message_free(page);
}

static void
test_a_page_of_an_order_has_the_places_of_its_rows_and_the_stopped_orders(void **state)
{
	const struct endpoint_name name = name_of(1);
	const struct page_query query = {
	    .event_bytes = 1000000, .fifo = true, .after_seq = -1, .places = true, .blocks = true};
	struct message *page;

	add_endpoint(1);
	for (uint32_t event = 1; event <= 3; event++)
		add_event(event, "1");
	add_job(1, 2, 0); /* it is young, but no parcel brings jobs of an order */
	tenant_run("UPDATE jobs SET fifo_seq = 1 WHERE tenant_id = $1");
	add_job(1, 3, 3600000);
	tenant_run("UPDATE jobs SET fifo_seq = 2 WHERE tenant_id = $1 AND fifo_seq IS NULL");
	add_job(1, 1, -6000);
	tenant_run(
	    "INSERT INTO dlq (tenant_id, job_id, event_id, endpoint_id, reason, attempt_count, topic, occurred_at, "
	    "ordering_key, blocks) SELECT tenant_id, event_id, event_id, endpoint_id, 'expired', 1, 't', hl_now(), "
	    "CASE WHEN fifo_seq = 2 THEN 'k' END, fifo_seq > 0 FROM jobs "
	    "WHERE tenant_id = $1 AND fifo_seq IS NOT NULL");
	start();
	await_and_free(MESSAGE_STARTED);
	tenant_run("UPDATE jobs SET node_id = (SELECT node_id FROM delivery_nodes) WHERE tenant_id = $1");
	store_thread_read_page(thread, &name, &query);
	page = await(MESSAGE_PAGE);
	assert_true(page->fifo && page->last);
	assert_int_equal(page->row_count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_memory_equal(page->rows[i].job_id, job_id(i + 1, 1), 16);
		assert_int_equal(page->rows[i].fifo_seq, i);
		assert_true(page->rows[i].event != NULL && !page->rows[i].awaits_parcel);
	}
	assert_true(page->placed && !page->other_sender);
	assert_true(page->rows[0].expires_us == INT64_MIN);
	assert_int_equal(page->stopped_count, 2);
	assert_memory_equal(page->stopped, "\0k", 3);
	message_free(page);
	tenant_run("UPDATE fifo_heads SET node_id = 99 WHERE tenant_id = $1");
	store_thread_read_page(thread, &name, &query);
	page = await(MESSAGE_PAGE);
	assert_true(page->other_sender && page->last && page->row_count == 0);
	message_free(page);
}

static void
test_a_page_ends_at_its_bytes_of_events_but_has_at_least_one(void **state)
{
	const struct endpoint_name name = name_of(1);
	struct message *page;
	uint32_t with_event = 0;

	for (uint32_t event = 1; event <= 40; event++) {
		add_event(event, "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"");
		add_job(1, event, -6000);
	}
	start();
	await_and_free(MESSAGE_STARTED);
	tenant_run("UPDATE jobs SET node_id = (SELECT node_id FROM delivery_nodes) WHERE tenant_id = $1");
	store_thread_read_page(thread, &name, &(struct page_query){.event_bytes = 1});
	page = await(MESSAGE_PAGE);
	assert_int_equal(page->row_count, 40);
	assert_non_null(page->rows[0].event);
	assert_null(page->rows[1].event);
	assert_false(page->rows[1].event_gone);
	message_free(page);
	store_thread_read_page(thread, &name, &(struct page_query){.event_bytes = 3000});
	page = await(MESSAGE_PAGE);
	for (uint32_t i = 0; i < page->row_count; i++)
		with_event += page->rows[i].event != NULL;
	assert_in_range(with_event, 10, 20);
	message_free(page);
}

/* SQLite refuses no value when it reads one. */
static bool
store_refuses_to_read_infinity(void)
{
	return db_config.hl_postgres_url != NULL;
}

static void
test_rows_that_the_store_refuses_to_read_stop_no_other_endpoint(void **state)
{
	const struct endpoint_name edited = name_of(1), other = name_of(2);
	struct message *page;

	if (!store_refuses_to_read_infinity())
		skip();
	add_job(1, 1, 0);
	add_job(2, 2, 0);
	start();
	await_and_free(MESSAGE_STARTED);
	tenant_run("UPDATE jobs SET node_id = (SELECT node_id FROM delivery_nodes) WHERE tenant_id = $1");
	tenant_run("UPDATE jobs SET expires_at = 'infinity' WHERE tenant_id = $1 "
		   "AND job_id = (SELECT min(job_id::text)::uuid FROM jobs WHERE tenant_id = $1)");
	store_thread_read_page(thread, &edited, &(struct page_query){.event_bytes = 1000});
	store_thread_read_page(thread, &other, &(struct page_query){.event_bytes = 1000});
	page = await(MESSAGE_PAGE);
	assert_memory_equal(page->id, edited.endpoint_id, 16);
	assert_true(page->unreadable);
	assert_int_equal(page->row_count, 0);
	message_free(page);
	page = await(MESSAGE_PAGE);
	assert_memory_equal(page->id, other.endpoint_id, 16);
	assert_false(page->unreadable);
	assert_int_equal(page->row_count, 1);
	message_free(page);
}

/* As if a snapshot kept millions of dead rows. SQLite keeps none. */
static void
test_rows_that_take_too_long_to_read_stop_no_other_endpoint(void **state)
{
	const struct endpoint_name slow = name_of(1), other = name_of(2);
	struct message *message;
	struct db *db;

	if (!store_has_delays())
		skip();
	db = must_open();
	add_endpoint(1);
	add_event(1, "1");
	add_job(1, 1, -6000);
	add_job(2, 2, 3600000); /* its event is not read */
	db_config.store_timeout_ms = 1500;
	start();
	await_and_free(MESSAGE_STARTED);
	tenant_run("UPDATE jobs SET node_id = (SELECT node_id FROM delivery_nodes) WHERE tenant_id = $1");
	must_begin(db);
	must_run(db, SAME("LOCK TABLE events"), NULL, 0);
	store_thread_read_page(thread, &slow, &(struct page_query){.event_bytes = 1000});
	store_thread_read_page(thread, &other, &(struct page_query){.event_bytes = 1000});
	message = await(MESSAGE_PAGE);
	assert_memory_equal(message->id, slow.endpoint_id, 16);
	assert_true(message->unreadable);
	message_free(message);
	message = await(MESSAGE_PAGE);
	assert_memory_equal(message->id, other.endpoint_id, 16);
	assert_false(message->unreadable);
	message_free(message);
	must_run(db, SAME("LOCK TABLE jobs"), NULL, 0);
	store_thread_scan(thread);
	message = await(MESSAGE_HAS_ROWS);
	assert_memory_equal(message->id, slow.endpoint_id, 16);
	message_free(message);
	await_and_free(MESSAGE_SCANNED);
	db_close(db);
	db_config.store_timeout_ms = 5000;
}

static void
test_an_endpoint_that_the_store_refuses_to_read_stops_no_other_endpoint(void **state)
{
	const struct endpoint_name edited = name_of(1), other = name_of(2);
	struct message *message;

	if (!store_refuses_to_read_infinity())
		skip();
	add_endpoint(1);
	tenant_run("UPDATE endpoints SET old_secret_until = 'infinity' WHERE tenant_id = $1");
	add_endpoint(2);
	start();
	await_and_free(MESSAGE_STARTED);
	store_thread_load_endpoint(thread, &edited);
	store_thread_load_endpoint(thread, &other);
	message = await(MESSAGE_ENDPOINT);
	assert_memory_equal(message->id, edited.endpoint_id, 16);
	assert_null(message->config);
	message_free(message);
	message = await(MESSAGE_ENDPOINT);
	assert_memory_equal(message->id, other.endpoint_id, 16);
	assert_non_null(message->config);
	message_free(message);
}

static void
test_a_job_that_is_due_in_thousands_of_years_is_due_in_the_future(void **state)
{
	const struct endpoint_name name = name_of(1);
	int64_t now_us = clock_steady_us();
	struct message *page;

	add_job(1, 1, 0);
	tenant_run("UPDATE jobs SET next_attempt_at = hl_time(9000000000000000) WHERE tenant_id = $1");
	start();
	await_and_free(MESSAGE_STARTED);
	tenant_run("UPDATE jobs SET node_id = (SELECT node_id FROM delivery_nodes) WHERE tenant_id = $1");
	store_thread_read_page(thread, &name, &(struct page_query){.event_bytes = 1000});
	page = await(MESSAGE_PAGE);
	assert_int_equal(page->row_count, 1);
	assert_in_range(page->rows[0].due_us, now_us, INT64_MAX / 2);
	message_free(page);
}

static void
test_a_scan_names_the_endpoints_that_have_rows(void **state)
{
	uint32_t mine = 0;
	struct message *message;

	for (uint8_t endpoint = 1; endpoint <= 3; endpoint++)
		add_job(endpoint, endpoint, 0);
	start();
	await_and_free(MESSAGE_STARTED);
	store_thread_scan(thread);
	for (;;) {
		message = store_thread_take_message(thread);
		if (message == NULL)
			continue;
		if (message->kind == MESSAGE_SCANNED)
			break;
		mine += message->kind == MESSAGE_HAS_ROWS && strcmp(message->tenant_id, jobs_tenant) == 0;
		message_free(message);
	}
	message_free(message);
	assert_int_equal(mine, 3);
}

static void
test_a_transform_is_sent_only_if_it_can_be_read(void **state)
{
	struct message *message;

	tenant_run("INSERT INTO transforms (tenant_id, transform_id, steps, created_at) VALUES ($1, "
		   "'11111111-1111-1111-1111-111111111101', '[{\"op\":\"remove_field\",\"field\":\"a\"}]', hl_now())");
	start();
	store_thread_load_transform(thread, jobs_tenant, endpoint_id(1));
	message = await(MESSAGE_TRANSFORM);
	assert_non_null(message->transform);
	assert_int_equal(message->transform->step_count, 1);
	message_free(message);
	store_thread_load_transform(thread, jobs_tenant, endpoint_id(2));
	message = await(MESSAGE_TRANSFORM);
	assert_null(message->transform);
	message_free(message);
}

/* ---- changes ---- */

static void
test_a_changed_endpoint_is_sent_before_the_version_of_its_change(void **state)
{
	const struct endpoint_name name = name_of(1);
	struct message *message;
	int64_t version;

	add_endpoint(1);
	start();
	message = await(MESSAGE_CHANGED);
	version = message->version;
	message_free(message);
	store_thread_load_endpoint(thread, &name);
	message = await(MESSAGE_ENDPOINT);
	assert_non_null(message->config);
	assert_string_equal(message->config->url, "http://example.com/");
	message_free(message);

	change_endpoint("UPDATE endpoints SET url = 'http://other.example/', version = 2, updated_at = hl_now() "
			"WHERE tenant_id = $1");
	message = await(MESSAGE_ENDPOINT);
	assert_string_equal(message->config->url, "http://other.example/");
	message_free(message);
	message = await(MESSAGE_CHANGED);
	assert_int_equal(message->version, version + 1);
	message_free(message);

	change_endpoint("UPDATE endpoints SET deleted_at = hl_now(), updated_at = hl_now() WHERE tenant_id = $1");
	message = await(MESSAGE_ENDPOINT);
	assert_null(message->config);
	message_free(message);
	await_and_free(MESSAGE_CHANGED);
}

static void
test_an_unknown_endpoint_is_reported_when_it_has_changed(void **state)
{
	struct message *message;

	add_endpoint(1);
	start();
	await_and_free(MESSAGE_CHANGED);
	change_endpoint("UPDATE endpoints SET updated_at = hl_now() WHERE tenant_id = $1");
	message = await(MESSAGE_ENDPOINT);
	assert_memory_equal(message->id, endpoint_id(1), 16);
	message_free(message);
}

static void
test_new_rows_are_reported_without_a_change_of_their_endpoint(void **state)
{
	struct message *message;

	add_endpoint(1);
	tenant_run("UPDATE endpoints SET updated_at = hl_time(0) WHERE tenant_id = $1");
	start();
	await_and_free(MESSAGE_CHANGED);
	/* hooksctl does the same after its transaction. */
	add_job(1, 1, 0);
	change_endpoint("UPDATE endpoints SET name = name WHERE tenant_id = $1");
	message = await(MESSAGE_HAS_ROWS);
	assert_string_equal(message->tenant_id, jobs_tenant);
	assert_memory_equal(message->id, endpoint_id(1), 16);
	message_free(message);
	await_and_free(MESSAGE_CHANGED);
}

static void
test_a_new_courier_learns_of_lately_cancelled_jobs_before_it_starts(void **state)
{
	static const char *const ago_ms[] = {"1000", "1800000"};
	struct message *message;
	char sql[512], id[FORMAT_UUID_BYTES + 1] = "";

	for (uint32_t i = 0; i < 2; i++) {
		format_uuid(job_id(i + 1, 1), id);
		(void)snprintf(sql, sizeof sql,
		    "INSERT INTO cancelled_jobs (tenant_id, version, job_id, cancelled_at) "
		    "VALUES ($1, 1, '%s', hl_time(hl_ms(hl_now()) - %s))",
		    id, ago_ms[i]);
		tenant_run(sql);
	}
	start();
	while ((message = await_any())->kind != MESSAGE_CANCELLED) {
		assert_int_not_equal(message->kind, MESSAGE_STARTED);
		message_free(message);
	}
	assert_string_equal(message->tenant_id, jobs_tenant);
	assert_memory_equal(message->id, job_id(1, 1), 16);
	message_free(message);
	while ((message = await_any())->kind != MESSAGE_STARTED) {
		assert_int_not_equal(message->kind, MESSAGE_CANCELLED);
		message_free(message);
	}
	message_free(message);
	tenant_run("DELETE FROM cancelled_jobs WHERE tenant_id = $1");
}

static void
test_jobs_of_an_endpoint_are_held_while_it_is_paused(void **state)
{
	const struct endpoint_name name = name_of(1);
	static const char held[] = "SELECT count(*) FROM jobs WHERE tenant_id = $1 AND status = 'held' "
				   "AND expires_at IS NULL";

	add_endpoint(1);
	for (uint32_t event = 1; event <= 3; event++)
		add_job(1, event, 0);
	start();
	await_and_free(MESSAGE_STARTED);
	tenant_run("UPDATE jobs SET node_id = (SELECT node_id FROM delivery_nodes) WHERE tenant_id = $1");
	store_thread_load_endpoint(thread, &name);
	await_and_free(MESSAGE_ENDPOINT);
	change_endpoint("UPDATE endpoints SET paused = TRUE, version = 2, updated_at = hl_now() WHERE tenant_id = $1");
	assert_int_equal(wait_for(held, 3), 3);
	change_endpoint("UPDATE endpoints SET paused = FALSE, version = 3, updated_at = hl_now() WHERE tenant_id = $1");
	assert_int_equal(wait_for(held, 0), 0);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND status = 'pending' "
				      "AND hl_ms(expires_at) - hl_ms(hl_now()) > 80000000"),
	    3);
}

static void
test_jobs_that_the_store_does_not_mark_as_held_do_not_delay_other_requests(void **state)
{
	const struct endpoint_name name = name_of(1), other = name_of(2);

	add_endpoint(1);
	add_endpoint(2);
	add_job(1, 1, 0);
	add_refusal("refusal", "UPDATE ON jobs", "NEW.status = 'held'");
	start();
	await_and_free(MESSAGE_STARTED);
	tenant_run("UPDATE jobs SET node_id = (SELECT node_id FROM delivery_nodes) WHERE tenant_id = $1");
	store_thread_load_endpoint(thread, &name);
	await_and_free(MESSAGE_ENDPOINT);
	change_endpoint("UPDATE endpoints SET paused = TRUE, version = 2, updated_at = hl_now() WHERE tenant_id = $1");
	await_and_free(MESSAGE_CHANGED);
	store_thread_load_endpoint(thread, &other);
	await_and_free(MESSAGE_ENDPOINT);
	remove_refusal("refusal", "jobs");
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND status = 'pending'"), 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, store_thread_begin, store_thread_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_page_has_rows_and_the_events_of_those_that_are_due),
	    TEST(test_a_young_row_is_taken_at_once_if_it_or_its_endpoint_was_held),
	    TEST(test_a_page_of_an_order_has_the_places_of_its_rows_and_the_stopped_orders),
	    TEST(test_a_page_ends_at_its_bytes_of_events_but_has_at_least_one),
	    TEST(test_rows_that_the_store_refuses_to_read_stop_no_other_endpoint),
	    TEST(test_rows_that_take_too_long_to_read_stop_no_other_endpoint),
	    TEST(test_an_endpoint_that_the_store_refuses_to_read_stops_no_other_endpoint),
	    TEST(test_a_job_that_is_due_in_thousands_of_years_is_due_in_the_future),
	    TEST(test_a_scan_names_the_endpoints_that_have_rows),
	    TEST(test_a_transform_is_sent_only_if_it_can_be_read),
	    TEST(test_a_changed_endpoint_is_sent_before_the_version_of_its_change),
	    TEST(test_an_unknown_endpoint_is_reported_when_it_has_changed),
	    TEST(test_new_rows_are_reported_without_a_change_of_their_endpoint),
	    TEST(test_a_new_courier_learns_of_lately_cancelled_jobs_before_it_starts),
	    TEST(test_jobs_of_an_endpoint_are_held_while_it_is_paused),
	    TEST(test_jobs_that_the_store_does_not_mark_as_held_do_not_delay_other_requests),
	};

	return cmocka_run_group_tests(tests, store_thread_set_up, store_thread_tear_down);
}
