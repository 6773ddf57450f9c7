/*
 * The courier's store thread, as the loop sees it. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a
 * database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "courier/outcome.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"
#include "tests/unit/store_thread_fixture.h"

#define TEXT(literal) ((struct span){literal, sizeof(literal) - 1})

/* ---- outcomes ---- */

static uint32_t
put_outcome(uint32_t event, enum verdict_kind kind, uint32_t attempt_count)
{
	struct outcome outcome = {
	    .job = {.tenant_id = {jobs_tenant, strlen(jobs_tenant)}, .attempt_count = attempt_count},
	    .kind = kind,
	    .charged = true,
	    .due_ms = clock_boot_us() / 1000 + 60000,
	    .reason = TEXT("http_422"),
	    .http_status = kind == VERDICT_DELIVERED ? 200 : 422,
	    .started_us = clock_wall_us(),
	    .error = TEXT("no"),
	};
	size_t room;

	memcpy(outcome.job.endpoint_id, endpoint_id(1), 16);
	memcpy(outcome.job.job_id, job_id(event, 1), 16);
	memcpy(outcome.job.event_id, event_id(event), 16);
	memcpy(outcome.attempt_id, job_id(event, (uint16_t)(1000 + attempt_count)), 16);

	char *space = lane_reserve(&lane, &room);
	assert_true(space != NULL && room >= OUTCOME_BYTES_MAX);
	uint32_t position = lane_publish(&lane, outcome_write(space, &outcome), 1, 0);
	if (thread != NULL)
		store_thread_wake(thread, false);
	return position;
}

static void
await_released(uint32_t position)
{
	for (;;) {
		struct message *message = await(MESSAGE_COMMITTED);
		uint32_t released = message->released;

		message_free(message);
		if ((int32_t)(released - position) >= 0)
			return;
	}
}

static void
test_an_outcome_is_readable_at_once(void **state)
{
	add_job(1, 1, 0);
	start();
	await_and_free(MESSAGE_STARTED);
	int64_t before_us = clock_steady_us();
	await_released(put_outcome(1, VERDICT_DELIVERED, 1));
	assert_true(clock_steady_us() - before_us < SECOND_US);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1"), 0);
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1 AND status = 'success'"), 1);
}

static void
test_outcomes_that_come_one_by_one_share_transactions(void **state)
{
	uint32_t commits = 0, position = 0, released = 0;

	start();
	await_and_free(MESSAGE_STARTED);
	int64_t begun_us = clock_steady_us();
	for (uint32_t n = 1; n <= 60; n++) {
		position = put_outcome(n, VERDICT_DELIVERED, 1);
		rest();
	}
	while ((int32_t)(released - position) < 0) {
		struct message *message = await(MESSAGE_COMMITTED);

		released = message->released;
		message_free(message);
		commits++;
	}
	/* The first transaction at once, then one every 20 ms. */
	assert_true(commits <= 2 + (clock_steady_us() - begun_us) / 20000);
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1"), 60);
}

static void
test_outcomes_of_the_predecessor_are_written_before_the_loop_begins(void **state)
{
	struct message *message;

	add_event(1, "1");
	add_job(1, 1, 0);
	(void)put_outcome(1, VERDICT_DEAD, 1);
	start();
	while ((message = await_any())->kind != MESSAGE_COMMITTED) {
		assert_int_not_equal(message->kind, MESSAGE_STARTED);
		message_free(message);
	}
	message_free(message);
	await_and_free(MESSAGE_STARTED);
	assert_int_equal(tenant_count("SELECT count(*) FROM dlq WHERE tenant_id = $1"), 1);
}

static void
test_of_many_outcomes_of_a_job_the_last_one_applies(void **state)
{
	uint32_t position = 0;

	add_job(1, 1, 0);
	for (uint32_t n = 1; n <= 20; n++)
		position = put_outcome(1, VERDICT_RETRY, n);
	start();
	await_released(position);
	assert_int_equal(tenant_count("SELECT attempt_count FROM jobs WHERE tenant_id = $1"), 20);
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1"), 20);
}

static void
test_an_endpoint_whose_row_is_locked_delays_no_outcome(void **state)
{
	static const char well[] =
	    "SELECT count(*) FROM endpoints WHERE tenant_id = $1 AND last_success_at IS NOT NULL";
	const struct config whole = db_config;

	if (!store_has_delays()) /* then it has no locks of rows either */
		skip();
	add_endpoint(1);
	add_job(1, 1, 0);
	add_job(1, 2, 0);
	db_config.store_timeout_ms = 60000;
	start();
	db_config = whole;
	await_and_free(MESSAGE_STARTED);
	must_begin(jobs_db);
	must_run(jobs_db, SAME("UPDATE endpoints SET updated_at = hl_now() WHERE tenant_id = $1"),
	    PARAMS(db_string(jobs_tenant)));
	await_released(put_outcome(1, VERDICT_DELIVERED, 1));
	await_released(put_outcome(2, VERDICT_DELIVERED, 1));
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1"), 0);
	must_commit(jobs_db);
	assert_int_equal(wait_for(well, 1), 1);
}

static void
test_the_end_of_the_thread_writes_the_outcomes_on_the_lane(void **state)
{
	for (uint32_t event = 1; event <= 700; event++) {
		if (event % 100 == 1)
			add_job(1, event, 0);
		(void)put_outcome(event, VERDICT_DELIVERED, 1);
	}
	start();
	stop();
	assert_int_equal(lane_depth(&lane), 0);
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1"), 700);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1"), 0);
}

static void
test_a_store_that_is_away_is_reported_and_no_outcome_is_lost(void **state)
{
	const struct config whole = db_config;
	static char nowhere[] = "/dev/null/hookline.db",
		    closed[] = "postgresql://postgres@127.0.0.1:1/x?connect_timeout=2";
	const struct store_report *report = &segment_slot(&segment, ROLE_COURIER, 0)->store;
	int64_t until_us = clock_steady_us() + 5 * SECOND_US;
	char text[ERROR_TEXT_MAX] = "";

	add_job(1, 1, 0);
	(void)put_outcome(1, VERDICT_DELIVERED, 1);
	db_config.hl_data_path = nowhere;
	db_config.hl_postgres_url = whole.hl_postgres_url != NULL ? closed : NULL;
	start();
	while (text[0] == '\0' && clock_steady_us() < until_us) {
		rest();
		store_report_error(report, text);
	}
	assert_string_not_equal(text, "");
	assert_int_equal(store_report_state(report), STORE_CONNECTING);
	assert_int_equal(lane_depth(&lane), 1);
	assert_true(store_thread_stop(thread, clock_steady_us() + SECOND_US));
	thread = NULL;
	assert_int_equal(lane_depth(&lane), 1);
	db_config = whole;
	start();
	await_and_free(MESSAGE_COMMITTED);
	await_and_free(MESSAGE_STARTED);
	while (store_report_state(report) != STORE_READY) {
		assert_true(clock_steady_us() < until_us + 5 * SECOND_US);
		rest();
	}
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1"), 0);
}

/* ---- the node ---- */

static void
test_a_node_keeps_its_row_over_starts_and_gets_another_when_that_is_lost(void **state)
{
	struct node_row first, second, third;

	start();
	await_and_free(MESSAGE_STARTED);
	assert_true(node_read(&segment.header->node, &first));
	stop();
	node_write(&segment.header->node, &(struct node_row){0}); /* as the next master does */
	start();
	await_and_free(MESSAGE_STARTED);
	assert_true(node_read(&segment.header->node, &second));
	assert_int_equal(first.node_id, second.node_id);
	assert_true(first.epoch != second.epoch);

	tenant_run("UPDATE delivery_nodes SET epoch = 5 WHERE $1 = $1");
	courier_set_seen_version(segment_courier(&segment, 0), 1000000); /* a heartbeat stores it at once */
	store_thread_wake(thread, false);
	await_and_free(MESSAGE_NODE_LOST);
	await_and_free(MESSAGE_STARTED);
	assert_true(node_read(&segment.header->node, &third));
	assert_true(third.node_id != second.node_id);
	assert_false(store_thread_is_stuck(thread));
}

/* Another session has locked the table of attempts. */
static void
test_heartbeats_go_on_while_outcomes_cannot_be_written(void **state)
{
	const uint32_t usual_secs = db_config.hl_node_timeout_secs;
	struct db *other;
	uint32_t position;

	if (db_config.hl_store != HL_STORE_POSTGRES)
		skip(); /* SQLite has one transaction at a time */
	add_job(1, 1, 0);
	db_config.hl_node_timeout_secs = 6; /* a heartbeat every second */
	start();
	await_and_free(MESSAGE_STARTED);
	other = must_open();
	must_begin(other);
	must_run(other, SAME("SET LOCAL idle_in_transaction_session_timeout = 0"), NULL, 0);
	must_run(other, SAME("LOCK TABLE attempts IN EXCLUSIVE MODE"), NULL, 0);
	position = put_outcome(1, VERDICT_DELIVERED, 1);
	for (int beats = 0; beats < 2; beats++) { /* the first one may have been under way */
		int64_t until_us = clock_steady_us() + 30 * SECOND_US;

		tenant_run("UPDATE delivery_nodes SET alive_at = hl_time(0) WHERE $1 = $1");
		while (must_count(jobs_db, "SELECT count(*) FROM delivery_nodes WHERE hl_ms(alive_at) > 0") == 0) {
			assert_true(clock_steady_us() < until_us);
			rest();
		}
	}
	assert_int_equal(lane_depth(&lane), 1);
	db_rollback(other);
	db_close(other);
	await_released(position);
	stop();
	db_config.hl_node_timeout_secs = usual_secs;
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, store_thread_begin, store_thread_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_an_outcome_is_readable_at_once),
	    TEST(test_outcomes_that_come_one_by_one_share_transactions),
	    TEST(test_outcomes_of_the_predecessor_are_written_before_the_loop_begins),
	    TEST(test_of_many_outcomes_of_a_job_the_last_one_applies),
	    TEST(test_an_endpoint_whose_row_is_locked_delays_no_outcome),
	    TEST(test_the_end_of_the_thread_writes_the_outcomes_on_the_lane),
	    TEST(test_a_store_that_is_away_is_reported_and_no_outcome_is_lost),
	    TEST(test_a_node_keeps_its_row_over_starts_and_gets_another_when_that_is_lost),
	    TEST(test_heartbeats_go_on_while_outcomes_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, store_thread_set_up, store_thread_tear_down);
}
