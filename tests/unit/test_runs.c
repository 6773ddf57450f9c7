/*
 * Runs of failures and successes of endpoints on their way from outcomes to the store. The store is an SQLite file and,
 * if HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "courier/runs.h"
#include "store/webhooks/endpoint_runs.h"
#include "store/webhooks/pause_rows.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

static struct runs *runs;
static struct error err;

static int
begin(void **state)
{
	runs = runs_new();
	return jobs_new_tenant(state);
}

static int
end(void **state)
{
	runs_free(runs);
	return 0;
}

/* The outcome of an attempt at endpoint 1. */
static struct outcome
outcome_of(enum verdict_kind kind)
{
	struct outcome outcome = {.job = {.tenant_id = {jobs_tenant, strlen(jobs_tenant)}},
	    .kind = kind,
	    .charged = true,
	    .breaker_version = 1};

	memcpy(outcome.job.endpoint_id, endpoint_id(1), 16);
	return outcome;
}

static const char failing[] = "SELECT hl_ms(failing_since) FROM endpoints WHERE tenant_id = $1";
static const char failed[] = "SELECT hl_ms(last_failure_at) FROM endpoints WHERE tenant_id = $1";
static const char failed_ago[] = "SELECT hl_ms(hl_now()) - hl_ms(last_failure_at) FROM endpoints WHERE tenant_id = $1";
static const char failing_ago[] = "SELECT hl_ms(hl_now()) - hl_ms(failing_since) FROM endpoints WHERE tenant_id = $1";
static const char well[] = "SELECT hl_ms(last_success_at) FROM endpoints WHERE tenant_id = $1";

static void
write_runs(int64_t now_us)
{
	must_be(0, runs_write(runs, jobs_db, now_us, &err), &err);
}

static void
test_runs_of_an_endpoint_are_stored_once_a_minute(void **state)
{
	struct outcome outcome = outcome_of(VERDICT_RETRY);
	int64_t now_us = clock_steady_us();
	char since[32];

	add_endpoint(1);
	assert_true(runs_due_us(runs) == INT64_MAX);
	runs_note(runs, &outcome, now_us);
	assert_true(runs_due_us(runs) <= now_us);
	write_runs(now_us);
	assert_string_not_equal(tenant_text(failing), "");
	assert_string_equal(tenant_text(well), "");
	(void)strcpy(since, tenant_text(failing));

	runs_note(runs, &outcome, now_us + 1000000);
	write_runs(now_us + 1500000);
	assert_string_equal(tenant_text(failed), since); /* the minute of the last write is not over */
	outcome = outcome_of(VERDICT_DELIVERED);
	runs_note(runs, &outcome, now_us + 2000000);
	write_runs(now_us + 3000000);
	assert_string_equal(tenant_text(failing), since);
	write_runs(now_us + 61000000);
	assert_string_equal(tenant_text(failing), "");
	assert_string_not_equal(tenant_text(well), "");

	outcome.charged = false;
	outcome.kind = VERDICT_RETRY;
	runs_note(runs, &outcome, now_us + 62000000);
	assert_true(runs_due_us(runs) == INT64_MAX); /* an outcome that is not charged is no attempt */
}

static void
test_the_last_failure_of_a_run_is_stored_beside_the_first(void **state)
{
	struct outcome outcome = outcome_of(VERDICT_RETRY);
	int64_t now_us = clock_steady_us() - 100000000;
	char since[32];

	add_endpoint(1);
	runs_note(runs, &outcome, now_us);
	write_runs(now_us);
	(void)strcpy(since, tenant_text(failing));
	runs_note(runs, &outcome, now_us + 30000000);
	runs_note(runs, &outcome, now_us + 60000000);
	write_runs(now_us + 61000000);
	assert_string_equal(tenant_text(failing), since);
	assert_in_range(tenant_count(failed_ago), 1000, 11000); /* one second before the write */
}

/* Failures at an older URL or secret do not count for the new one. */
static void
test_failures_before_a_change_do_not_begin_a_run_after_it(void **state)
{
	struct outcome outcome = outcome_of(VERDICT_RETRY);
	int64_t now_us = clock_steady_us();

	add_endpoint(1);
	runs_note(runs, &outcome, now_us);
	tenant_run("UPDATE endpoints SET version = 2, breaker_version = 2 WHERE tenant_id = $1");
	write_runs(now_us);
	assert_string_equal(tenant_text(failing), "");

	outcome.breaker_version = 2;
	runs_note(runs, &outcome, now_us + 1000000);
	outcome.breaker_version = 1; /* an attempt that has been under way for long */
	runs_note(runs, &outcome, now_us + 2000000);
	write_runs(now_us + 61000000);
	assert_string_not_equal(tenant_text(failing), "");
}

/* Control begins the pause. It does not know which failures a courier remembers. */
static void
begin_pause(void)
{
	must_begin(jobs_db);
	must_be(0, pause_rows_set(jobs_db, jobs_tenant, (struct span){NULL, 0}, "a key", &err), &err);
	must_commit(jobs_db);
}

static void
end_pause(void)
{
	must_begin(jobs_db);
	must_be(0, pause_rows_end(jobs_db, jobs_tenant, &err), &err);
	must_commit(jobs_db);
}

static void
test_a_run_that_a_pause_interrupts_begins_anew_with_the_first_failure_after_it(void **state)
{
	struct outcome outcome = outcome_of(VERDICT_RETRY);
	int64_t now_us = clock_steady_us();
	char since[32];

	add_endpoint(1);
	runs_note(runs, &outcome, now_us);
	write_runs(now_us);
	(void)strcpy(since, tenant_text(failing));
	runs_note(runs, &outcome, now_us + 10000000);
	begin_pause();
	write_runs(now_us + 61000000); /* the remembered failure is stored during the pause */
	assert_string_equal(tenant_text(failing), since);
	assert_in_range(tenant_count(failed_ago), 51000, 61000);
	end_pause();
	assert_string_equal(tenant_text(failing), "");

	assert_true(runs_due_us(runs) == INT64_MAX); /* no failure from before the pause is stored again */
	write_runs(now_us + 200000000);
	assert_string_equal(tenant_text(failing), "");
	runs_note(runs, &outcome, now_us + 210000000);
	write_runs(now_us + 211000000);
	assert_in_range(tenant_count(failing_ago), 1000, 11000);
	(void)strcpy(since, tenant_text(failing));
	runs_note(runs, &outcome, now_us + 240000000);
	write_runs(now_us + 272000000);
	assert_string_equal(tenant_text(failing), since);
	assert_in_range(tenant_count(failed_ago), 32000, 42000);
}

/* A courier remembers a failure for a minute at most. */
static void
test_a_pause_of_seconds_adds_no_more_than_a_minute_to_the_run_after_it(void **state)
{
	struct outcome outcome = outcome_of(VERDICT_RETRY);
	int64_t now_us = clock_steady_us();

	add_endpoint(1);
	runs_note(runs, &outcome, now_us);
	write_runs(now_us);
	runs_note(runs, &outcome, now_us + 10000000);
	begin_pause();
	end_pause();
	runs_note(runs, &outcome, now_us + 20000000);
	write_runs(now_us + 61000000);
	assert_in_range(tenant_count(failing_ago), 51000, 60999);
	assert_in_range(tenant_count(failed_ago), 41000, 51000);
}

static void
test_a_success_before_a_pause_ends_the_run_even_when_it_is_stored_after_it(void **state)
{
	struct outcome outcome = outcome_of(VERDICT_RETRY);
	int64_t now_us = clock_steady_us();

	add_endpoint(1);
	runs_note(runs, &outcome, now_us);
	write_runs(now_us);
	outcome.kind = VERDICT_DELIVERED;
	runs_note(runs, &outcome, now_us + 10000000);
	begin_pause();
	end_pause();
	outcome.kind = VERDICT_RETRY;
	runs_note(runs, &outcome, now_us + 50000000);
	write_runs(now_us + 61000000);
	assert_in_range(tenant_count(failing_ago), 11000, 21000);
	assert_string_not_equal(tenant_text(well), "");
}

static void
test_failures_of_transforms_and_of_notices_begin_no_run(void **state)
{
	struct outcome outcome = outcome_of(VERDICT_DEAD);

	add_endpoint(1);
	outcome.end = ATTEMPT_TRANSFORM;
	runs_note(runs, &outcome, clock_steady_us());
	outcome.end = ATTEMPT_ANSWERED;
	outcome.of_notice = true;
	runs_note(runs, &outcome, clock_steady_us());
	assert_true(runs_due_us(runs) == INT64_MAX);
	outcome.kind = VERDICT_DELIVERED;
	runs_note(runs, &outcome, clock_steady_us());
	write_runs(clock_steady_us());
	assert_string_not_equal(tenant_text(well), "");
}

static void
test_a_run_that_the_store_refuses_does_not_stop_those_of_other_endpoints(void **state)
{
	struct outcome outcome = outcome_of(VERDICT_RETRY);
	int64_t now_us = clock_steady_us();

	add_endpoint(1);
	add_endpoint(2);
	runs_note(runs, &outcome, now_us);
	memcpy(outcome.job.endpoint_id, endpoint_id(2), 16);
	runs_note(runs, &outcome, now_us);
	tenant_run("UPDATE endpoints SET name = 'poison' WHERE tenant_id = $1 AND endpoint_id = "
		   "(SELECT endpoint_id FROM endpoints WHERE tenant_id = $1 ORDER BY endpoint_id LIMIT 1)");
	add_refusal("refusal", "UPDATE ON endpoints", "NEW.name = 'poison'");
	write_runs(now_us);
	assert_int_equal(
	    tenant_count("SELECT count(*) FROM endpoints WHERE tenant_id = $1 AND failing_since IS NOT NULL"), 1);
	remove_refusal("refusal", "endpoints");
	write_runs(now_us + 59000000);
	assert_int_equal(
	    tenant_count("SELECT count(*) FROM endpoints WHERE tenant_id = $1 AND failing_since IS NOT NULL"), 1);
	write_runs(now_us + 61000000);
	assert_int_equal(
	    tenant_count("SELECT count(*) FROM endpoints WHERE tenant_id = $1 AND failing_since IS NOT NULL"), 2);
}

static void
test_a_run_whose_row_is_locked_does_not_delay_other_endpoints(void **state)
{
	static const char stored[] =
	    "SELECT count(*) FROM endpoints WHERE tenant_id = $1 AND last_success_at IS NOT NULL";
	struct outcome outcome = outcome_of(VERDICT_DELIVERED);
	int64_t now_us = clock_steady_us();
	struct db *other;

	if (!store_has_delays()) /* then it has no locks of rows either */
		skip();
	other = must_open();
	add_endpoint(1);
	add_endpoint(2);
	for (uint8_t endpoint = 1; endpoint <= 3; endpoint++) { /* the third one has been removed */
		memcpy(outcome.job.endpoint_id, endpoint_id(endpoint), 16);
		runs_note(runs, &outcome, now_us);
	}
	must_begin(other);
	must_run(other, SAME("UPDATE endpoints SET updated_at = hl_now() WHERE tenant_id = $1 AND endpoint_id = $2"),
	    PARAMS(db_string(jobs_tenant), db_uuid(endpoint_id(1))));
	write_runs(now_us);
	assert_int_equal(tenant_count(stored), 1);
	assert_in_range(runs_due_us(runs), now_us + 1000000, now_us + 2000000);
	write_runs(now_us + 2000000);
	assert_int_equal(tenant_count(stored), 1);
	must_commit(other);
	db_close(other);
	write_runs(now_us + 4000000);
	assert_int_equal(tenant_count(stored), 2);
	assert_true(runs_due_us(runs) == INT64_MAX);
}

static void
test_many_locked_rows_delay_other_endpoints_by_seconds_at_most(void **state)
{
	struct outcome outcome = outcome_of(VERDICT_DELIVERED);
	int64_t now_us = clock_steady_us();
	struct db *other;

	if (!store_has_delays()) /* then it has no locks of rows either */
		skip();
	other = must_open();
	for (uint8_t endpoint = 1; endpoint <= 13; endpoint++) {
		add_endpoint(endpoint);
		memcpy(outcome.job.endpoint_id, endpoint_id(endpoint), 16);
		runs_note(runs, &outcome, now_us);
	}
	must_begin(other);
	must_run(other, SAME("UPDATE endpoints SET updated_at = hl_now() WHERE tenant_id = $1 AND endpoint_id <> $2"),
	    PARAMS(db_string(jobs_tenant), db_uuid(endpoint_id(13))));
	for (int second = 0; second < 4; second++)
		write_runs(now_us + second * 1000000);
	assert_int_equal(
	    tenant_count("SELECT count(*) FROM endpoints WHERE tenant_id = $1 AND last_success_at IS NOT NULL"), 1);
	must_commit(other);
	db_close(other);
}

/* A worker of Citus has the row, and waits by its own setting, which Citus sends it while this one is on. */
static void
test_no_node_of_citus_waits_long_for_a_locked_row(void **state)
{
	static const char limited[] = "SELECT count(*) FROM endpoints WHERE tenant_id = $1"
				      " AND current_setting('citus.propagate_set_commands', true) = 'local'"
				      " AND current_setting('lock_timeout') = '20ms'";
	struct endpoint_run run = {
	    .tenant_id = {jobs_tenant, strlen(jobs_tenant)}, .endpoint_id = endpoint_id(1), .succeeded = true};

	if (!db_distributed(jobs_db))
		skip();
	add_endpoint(1);
	must_begin(jobs_db);
	must_be(0, endpoint_runs_write(jobs_db, &run, 1, &err), &err);
	assert_int_equal(tenant_count(limited), 1);
	must_commit(jobs_db);
	assert_int_equal(tenant_count(limited), 0);
}

static void
test_a_breaker_is_stored_within_a_second_and_only_when_it_has_changed(void **state)
{
	static const struct db_statement close_breaker = {"UPDATE endpoints SET breaker = 'closed'"};
	static const char breaker[] = "SELECT breaker FROM endpoints WHERE tenant_id = $1";
	struct outcome outcome = outcome_of(VERDICT_RETRY);
	int64_t now_us = clock_steady_us();
	char tenant_id[65] = "", since[32];

	memcpy(tenant_id, outcome.job.tenant_id.base, outcome.job.tenant_id.len);
	add_endpoint(1);
	runs_note(runs, &outcome, now_us);
	write_runs(now_us);
	(void)strcpy(since, tenant_text(failing));
	runs_note_breaker(runs, tenant_id, outcome.job.endpoint_id, BREAKER_OPEN);
	write_runs(now_us + 1000000);
	assert_string_equal(tenant_text(breaker), "open");
	assert_string_equal(tenant_text(failing), since);

	runs_note_breaker(runs, tenant_id, outcome.job.endpoint_id, BREAKER_HALF_OPEN);
	runs_note_breaker(runs, tenant_id, outcome.job.endpoint_id, BREAKER_OPEN);
	must_begin(jobs_db);
	must_run(jobs_db, &close_breaker, NULL, 0);
	must_commit(jobs_db);
	write_runs(now_us + 2000000);
	assert_string_equal(tenant_text(breaker), "closed"); /* the breaker was not written */
	assert_true(runs_due_us(runs) == INT64_MAX);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_runs_of_an_endpoint_are_stored_once_a_minute),
	    TEST(test_the_last_failure_of_a_run_is_stored_beside_the_first),
	    TEST(test_failures_before_a_change_do_not_begin_a_run_after_it),
	    TEST(test_a_run_that_a_pause_interrupts_begins_anew_with_the_first_failure_after_it),
	    TEST(test_a_pause_of_seconds_adds_no_more_than_a_minute_to_the_run_after_it),
	    TEST(test_a_success_before_a_pause_ends_the_run_even_when_it_is_stored_after_it),
	    TEST(test_failures_of_transforms_and_of_notices_begin_no_run),
	    TEST(test_a_run_that_the_store_refuses_does_not_stop_those_of_other_endpoints),
	    TEST(test_a_run_whose_row_is_locked_does_not_delay_other_endpoints),
	    TEST(test_many_locked_rows_delay_other_endpoints_by_seconds_at_most),
	    TEST(test_no_node_of_citus_waits_long_for_a_locked_row),
	    TEST(test_a_breaker_is_stored_within_a_second_and_only_when_it_has_changed),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
