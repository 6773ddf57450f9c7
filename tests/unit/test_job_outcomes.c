/*
 * What attempts change in the webhooks' store. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a
 * database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "store/db_refusal.h"
#include "store/webhooks/attempt_rows.h"
#include "store/webhooks/endpoint_runs.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/requeue.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

#define DAY_MS (24 * 60 * 60 * 1000)
#define TEXT(literal) ((struct span){literal, sizeof(literal) - 1})

static struct error err;

static void
must(int rc)
{
	must_be(0, rc, &err);
}

static struct span
tenant(void)
{
	return (struct span){jobs_tenant, strlen(jobs_tenant)};
}

/* The outcome of the first attempt of an event's job at endpoint 1. */
static struct job_outcome
outcome_of(uint32_t event)
{
	return (struct job_outcome){
	    .tenant_id = tenant(),
	    .endpoint_id = endpoint_id(1),
	    .job_id = job_id(event, 1),
	    .event_id = event_id(event),
	    .attempt_count = 1,
	    .below = 1,
	};
}

typedef int change(
    struct db *db, const struct job_outcome *outcomes, uint32_t count, uint64_t *changed, struct error *err);

/* Returns how many rows of jobs were changed. */
static uint64_t
apply(change *run, const struct job_outcome *outcomes, uint32_t count)
{
	uint64_t changed = 0;

	must(jobs_begin(jobs_db, &err));
	must(run(jobs_db, outcomes, count, &changed, &err));
	must_commit(jobs_db);
	return changed;
}

/* ---- outcomes ---- */

static void
test_a_delivered_job_has_no_row(void **state)
{
	struct job_outcome outcomes[2];

	for (uint32_t event = 1; event <= 3; event++)
		add_job(1, event, 0);
	outcomes[0] = outcome_of(1);
	outcomes[1] = outcome_of(3);
	assert_int_equal(apply(job_outcomes_finish, outcomes, 2), 2);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1"), 1);
	assert_int_equal(apply(job_outcomes_finish, outcomes, 2), 0);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1"), 1);
}

static void
test_the_row_of_a_waiting_job_has_its_due_time_count_and_reason(void **state)
{
	struct job_outcome outcome = outcome_of(1);

	add_job(1, 1, 0);
	outcome.due_in_ms = 30000;
	outcome.error = TEXT("connection refused");
	assert_int_equal(apply(job_outcomes_retry, &outcome, 1), 1);
	assert_int_equal(tenant_count("SELECT attempt_count FROM jobs WHERE tenant_id = $1"), 1);
	assert_string_equal(tenant_text("SELECT last_error FROM jobs WHERE tenant_id = $1"), "connection refused");
	assert_in_range(tenant_count("SELECT hl_ms(next_attempt_at) - hl_ms(hl_now()) FROM jobs WHERE tenant_id = $1"),
	    20000, 30000);
	assert_in_range(tenant_count("SELECT hl_ms(expires_at) - hl_ms(hl_now()) FROM jobs WHERE tenant_id = $1"),
	    DAY_MS - 10000, DAY_MS);

	/* The same outcome again, as after a commit without an answer. */
	outcome.due_in_ms = 5000;
	apply(job_outcomes_retry, &outcome, 1);
	assert_true(
	    tenant_count("SELECT hl_ms(next_attempt_at) - hl_ms(hl_now()) FROM jobs WHERE tenant_id = $1") > 10000);

	/* An attempt that is not charged changes the due time and not the count. */
	outcome.below = 2;
	outcome.sets_expiry = true;
	outcome.expires_in_ms = 60000;
	outcome.error = (struct span){NULL, 0};
	apply(job_outcomes_retry, &outcome, 1);
	assert_int_equal(tenant_count("SELECT attempt_count FROM jobs WHERE tenant_id = $1"), 1);
	assert_true(
	    tenant_count("SELECT hl_ms(next_attempt_at) - hl_ms(hl_now()) FROM jobs WHERE tenant_id = $1") <= 5000);
	assert_true(tenant_count("SELECT hl_ms(expires_at) - hl_ms(hl_now()) FROM jobs WHERE tenant_id = $1") <= 60000);
	assert_string_equal(tenant_text("SELECT last_error FROM jobs WHERE tenant_id = $1"), "");
}

static void
test_an_older_outcome_changes_nothing(void **state)
{
	struct job_outcome outcome = outcome_of(1);

	add_job(1, 1, 0);
	tenant_run("UPDATE jobs SET attempt_count = 2 WHERE tenant_id = $1");
	apply(job_outcomes_finish, &outcome, 1);
	apply(job_outcomes_retry, &outcome, 1);
	outcome.reason = TEXT("http_410");
	apply(job_outcomes_dead_letter, &outcome, 1);
	assert_int_equal(tenant_count("SELECT attempt_count FROM jobs WHERE tenant_id = $1"), 2);
	assert_int_equal(tenant_count("SELECT count(*) FROM dlq WHERE tenant_id = $1"), 0);
}

static void
test_an_outcome_changes_no_job_that_another_node_has_taken_over(void **state)
{
	struct job_outcome outcome = outcome_of(1);

	add_event(1, "1");
	add_job(1, 1, 0);
	outcome.reason = TEXT("http_422");
	outcome.node_id = NODE + 1;
	assert_int_equal(apply(job_outcomes_finish, &outcome, 1), 0);
	assert_int_equal(apply(job_outcomes_retry, &outcome, 1), 0);
	assert_int_equal(apply(job_outcomes_dead_letter, &outcome, 1), 0);
	assert_int_equal(tenant_count("SELECT attempt_count FROM jobs WHERE tenant_id = $1"), 0);
	assert_int_equal(tenant_count("SELECT count(*) FROM dlq WHERE tenant_id = $1"), 0);
	outcome.node_id = NODE;
	assert_int_equal(apply(job_outcomes_retry, &outcome, 1), 1);
	outcome.attempt_count = outcome.below = 2;
	assert_int_equal(apply(job_outcomes_dead_letter, &outcome, 1), 1);
}

static void
test_a_dead_letter_has_its_event_and_the_reason(void **state)
{
	struct job_outcome outcome = outcome_of(1);

	add_event(1, "{\"n\":1.10}");
	add_job(1, 1, 0);
	tenant_run("UPDATE events SET idempotency_key = 'key', extra = '{\"x\":1}' WHERE tenant_id = $1");
	outcome.reason = TEXT("http_422");
	outcome.http_status = 422;
	outcome.error = TEXT("no thanks");
	assert_int_equal(apply(job_outcomes_dead_letter, &outcome, 1), 1);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1"), 0);
	assert_string_equal(tenant_text("SELECT payload FROM dlq WHERE tenant_id = $1"), "{\"n\":1.10}");
	assert_string_equal(tenant_text("SELECT topic FROM dlq WHERE tenant_id = $1"), "a.b");
	assert_string_equal(tenant_text("SELECT idempotency_key FROM dlq WHERE tenant_id = $1"), "key");
	assert_string_equal(tenant_text("SELECT extra FROM dlq WHERE tenant_id = $1"), "{\"x\":1}");
	assert_string_equal(tenant_text("SELECT reason FROM dlq WHERE tenant_id = $1"), "http_422");
	assert_string_equal(tenant_text("SELECT last_error FROM dlq WHERE tenant_id = $1"), "no thanks");
	assert_int_equal(tenant_count("SELECT last_http_status FROM dlq WHERE tenant_id = $1"), 422);
	assert_int_equal(tenant_count("SELECT attempt_count FROM dlq WHERE tenant_id = $1"), 1);
	assert_true(tenant_count("SELECT hl_ms(occurred_at) FROM dlq WHERE tenant_id = $1") == SOME_MS + 1);
	assert_int_equal(apply(job_outcomes_dead_letter, &outcome, 1), 0);
	assert_int_equal(tenant_count("SELECT count(*) FROM dlq WHERE tenant_id = $1"), 1);
}

static void
test_a_dead_letter_takes_the_event_that_was_kept_beside_its_job(void **state)
{
	struct job_outcome outcome = outcome_of(1);

	keep_event_beside(1);
	add_job(1, 1, 0);
	outcome.reason = TEXT("aborted");
	apply(job_outcomes_dead_letter, &outcome, 1);
	assert_string_equal(tenant_text("SELECT payload FROM dlq WHERE tenant_id = $1"), "\"kept\"");
	assert_string_equal(tenant_text("SELECT topic FROM dlq WHERE tenant_id = $1"), "kept");
	assert_int_equal(tenant_count("SELECT count(*) FROM dlq_events WHERE tenant_id = $1"), 0);
}

static void
test_a_dead_letter_is_made_without_its_event_when_that_is_gone(void **state)
{
	struct job_outcome outcome = outcome_of(1);

	add_job(1, 1, 0);
	outcome.reason = TEXT("expired");
	apply(job_outcomes_dead_letter, &outcome, 1);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1"), 0);
	assert_string_equal(tenant_text("SELECT reason FROM dlq WHERE tenant_id = $1"), "expired");
	assert_string_equal(tenant_text("SELECT topic FROM dlq WHERE tenant_id = $1"), "");
	assert_string_equal(tenant_text("SELECT payload FROM dlq WHERE tenant_id = $1"), "");
	assert_true(tenant_count("SELECT hl_ms(occurred_at) FROM dlq WHERE tenant_id = $1") == SOME_MS);
}

static void
test_an_event_that_was_kept_beside_a_job_is_removed_with_the_job(void **state)
{
	struct job_outcome outcome = outcome_of(1);

	keep_event_beside(1);
	add_job(1, 1, 0);
	tenant_run("UPDATE jobs SET attempt_count = 5 WHERE tenant_id = $1");
	apply(job_outcomes_finish, &outcome, 1); /* the row is newer than the outcome */
	assert_int_equal(tenant_count("SELECT count(*) FROM dlq_events WHERE tenant_id = $1"), 1);
	outcome.below = 6;
	apply(job_outcomes_finish, &outcome, 1);
	assert_int_equal(tenant_count("SELECT count(*) FROM dlq_events WHERE tenant_id = $1"), 0);
}

/* The commit had no answer, and the job was requeued before the outcome is written again. */
static void
test_a_death_that_is_written_again_does_not_end_a_requeued_job(void **state)
{
	static const struct {
		const char *reason;
		uint32_t below;
	} deaths[] = {{"expired", 2}, {"transform_error", 2}, {"http_422", 1}};
	struct requeued letter = {.lifetime_ms = DAY_MS};

	for (uint32_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
		struct job_outcome outcome = outcome_of(i + 1);

		add_event(i + 1, "1");
		add_job(1, i + 1, 0);
		outcome.reason = (struct span){deaths[i].reason, strlen(deaths[i].reason)};
		outcome.below = deaths[i].below;
		apply(job_outcomes_dead_letter, &outcome, 1);
		memcpy(letter.job_id, outcome.job_id, sizeof letter.job_id);
		must_begin(jobs_db);
		must(requeue_move(jobs_db, jobs_tenant, NODE, &letter, 1, &err));
		must_commit(jobs_db);
		apply(job_outcomes_dead_letter, &outcome, 1);
		assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 "
					      "AND attempt_base = attempt_count"),
		    i + 1);
		assert_int_equal(tenant_count("SELECT count(*) FROM dlq WHERE tenant_id = $1"), 0);
	}
}

/* ---- attempts ---- */

static struct attempt_row
attempt_of(uint32_t number)
{
	return (struct attempt_row){
	    .tenant_id = tenant(),
	    .attempt_id = job_id(number, 99),
	    .job_id = job_id(number, 1),
	    .event_id = event_id(number),
	    .endpoint_id = endpoint_id(1),
	    .started_us = SOME_MS * 1000 + 123456,
	    .duration_ms = 17,
	    .dns_ms = -1,
	    .connect_ms = 1,
	    .tls_ms = -1,
	    .first_byte_ms = 2,
	    .attempt_n = 1,
	    .http_status = 503,
	    .peer_address = TEXT("203.0.113.7:443"),
	    .error = TEXT("busy \xe2\x80\xa6"),
	};
}

static void
test_an_attempt_is_stored_as_it_was(void **state)
{
	struct attempt_row row = attempt_of(1);

	must_begin(jobs_db);
	must(attempt_rows_add(jobs_db, &row, 1, &err));
	must_commit(jobs_db);
	assert_string_equal(tenant_text("SELECT status FROM attempts WHERE tenant_id = $1"), "failure");
	assert_int_equal(tenant_count("SELECT http_status FROM attempts WHERE tenant_id = $1"), 503);
	assert_int_equal(tenant_count("SELECT duration_ms FROM attempts WHERE tenant_id = $1"), 17);
	assert_int_equal(
	    tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1 AND dns_ms IS NULL AND connect_ms = 1 "
			 "AND tls_ms IS NULL AND first_byte_ms = 2 AND response_body IS NULL"),
	    1);
	assert_true(tenant_count("SELECT hl_ms(started_at) FROM attempts WHERE tenant_id = $1") == SOME_MS + 123);
	assert_string_equal(tenant_text("SELECT error FROM attempts WHERE tenant_id = $1"), "busy \xe2\x80\xa6");
	assert_string_equal(tenant_text("SELECT peer_address FROM attempts WHERE tenant_id = $1"), "203.0.113.7:443");
}

static void
test_only_2xx_is_a_success(void **state)
{
	static const int32_t statuses[] = {0, 101, 199, 200, 204, 299, 300, 304, 404, 500};
	struct attempt_row row;

	for (uint32_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		row = attempt_of(i);
		row.http_status = statuses[i];
		must_begin(jobs_db);
		must(attempt_rows_add(jobs_db, &row, 1, &err));
		must_commit(jobs_db);
	}
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1 AND status = 'success'"), 3);
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1 AND status = 'success' "
				      "AND (http_status < 200 OR http_status > 299)"),
	    0);
}

static void
test_attempts_that_are_stored_already_conflict_and_can_be_added_again(void **state)
{
	struct attempt_row rows[2] = {attempt_of(1)};

	must_begin(jobs_db);
	must(attempt_rows_add(jobs_db, rows, 1, &err));
	must_commit(jobs_db);
	rows[0] = attempt_of(1);
	rows[1] = attempt_of(2);
	must_begin(jobs_db);
	must_be(DB_REFUSED, attempt_rows_add(jobs_db, rows, 2, &err), &err);
	assert_true(db_conflict(jobs_db));
	db_rollback(jobs_db);
	must_begin(jobs_db);
	must(attempt_rows_repeat(jobs_db, rows, 2, &err));
	must_commit(jobs_db);
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1"), 2);
}

/* ---- runs of endpoints ---- */

static void
write_run(struct endpoint_run run)
{
	run.tenant_id = tenant();
	run.endpoint_id = endpoint_id(1);
	must_begin(jobs_db);
	must(endpoint_runs_write(jobs_db, &run, 1, &err));
	must_commit(jobs_db);
}

static int64_t
ago(const char *column)
{
	char sql[128];

	(void)snprintf(
	    sql, sizeof sql, "SELECT hl_ms(hl_now()) - hl_ms(%s) FROM endpoints WHERE tenant_id = $1", column);
	return tenant_count(sql);
}

static struct endpoint_run
failing(int64_t first_ago_ms, int64_t last_ago_ms)
{
	return (struct endpoint_run){
	    .failing = true, .failing_ago_ms = first_ago_ms, .failed_ago_ms = last_ago_ms, .version = 1};
}

static void
test_a_run_of_failures_begins_with_the_first_failure_and_ends_with_a_success(void **state)
{
	struct endpoint_run both;

	add_endpoint(1);
	write_run(failing(5000000, 4000000));
	write_run(failing(1000000, 950000));
	assert_in_range(ago("failing_since"), 5000000, 5010000);
	assert_in_range(ago("last_failure_at"), 950000, 960000);
	write_run((struct endpoint_run){.succeeded = true, .succeeded_ago_ms = 900000});
	assert_string_equal(tenant_text("SELECT hl_ms(failing_since) FROM endpoints WHERE tenant_id = $1"), "");
	assert_in_range(ago("last_success_at"), 900000, 910000);
	write_run(failing(800000, 700000));
	both = failing(500000, 400000);
	both.succeeded = true;
	both.succeeded_ago_ms = 600000;
	write_run(both);
	assert_in_range(ago("failing_since"), 500000, 510000);
	assert_in_range(ago("last_success_at"), 600000, 610000);
	write_run((struct endpoint_run){.breaker = "half_open"});
	assert_in_range(ago("failing_since"), 500000, 510000);
	assert_string_equal(tenant_text("SELECT breaker FROM endpoints WHERE tenant_id = $1"), "half_open");
	both.version = 2; /* the failures are of another version than the row */
	write_run(both);
	assert_string_equal(tenant_text("SELECT breaker FROM endpoints WHERE tenant_id = $1"), "half_open");
	assert_string_equal(tenant_text("SELECT hl_ms(failing_since) FROM endpoints WHERE tenant_id = $1"), "");
	assert_in_range(ago("last_failure_at"), 400000, 410000);
}

#define TEST(test) cmocka_unit_test_setup(test, jobs_new_tenant)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_delivered_job_has_no_row),
	    TEST(test_the_row_of_a_waiting_job_has_its_due_time_count_and_reason),
	    TEST(test_an_older_outcome_changes_nothing),
	    TEST(test_an_outcome_changes_no_job_that_another_node_has_taken_over),
	    TEST(test_a_dead_letter_has_its_event_and_the_reason),
	    TEST(test_a_dead_letter_takes_the_event_that_was_kept_beside_its_job),
	    TEST(test_a_dead_letter_is_made_without_its_event_when_that_is_gone),
	    TEST(test_an_event_that_was_kept_beside_a_job_is_removed_with_the_job),
	    TEST(test_a_death_that_is_written_again_does_not_end_a_requeued_job),
	    TEST(test_an_attempt_is_stored_as_it_was),
	    TEST(test_only_2xx_is_a_success),
	    TEST(test_attempts_that_are_stored_already_conflict_and_can_be_added_again),
	    TEST(test_a_run_of_failures_begins_with_the_first_failure_and_ends_with_a_success),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
