/*
 * Outcomes on their way from a lane to the store, when the store accepts only some of them or has them already. The
 * store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "courier/outcome.h"
#include "courier/outcome_writer.h"
#include "shm/counters.h"
#include "tests/unit/courier_segment.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

#define TEXT(literal) ((struct span){literal, sizeof(literal) - 1})

static struct segment segment;
static struct lane lane;
static struct runs *runs;
static struct message_queue messages;
static struct outcome_writer *writer;
static struct error err;

static int
begin(void **state)
{
	segment = courier_segment_open(2);
	lane = courier_segment_outcomes(&segment, 0);
	runs = runs_new();
	must_be(0, message_queue_open(&messages, &err), &err);
	writer = outcome_writer_new(&segment, 0, &lane, runs, &messages);
	return jobs_new_tenant(state);
}

static int
end(void **state)
{
	outcome_writer_free(writer);
	runs_free(runs);
	message_queue_close(&messages);
	courier_segment_close(&segment);
	return 0;
}

/* The outcome of the first attempt of an event's job at endpoint 1. */
static struct outcome
outcome_of(uint32_t event, enum verdict_kind kind)
{
	struct outcome outcome = {
	    .job = {.tenant_id = {jobs_tenant, strlen(jobs_tenant)}, .attempt_count = 1},
	    .kind = kind,
	    .charged = true,
	    .breaker_version = 1,
	    .due_ms = clock_boot_us() / 1000 + 60000,
	    .http_status = kind == VERDICT_DELIVERED ? 200 : 410,
	    .started_us = clock_wall_us(),
	};

	if (kind == VERDICT_DEAD)
		outcome.reason = TEXT("http_410");
	memcpy(outcome.job.endpoint_id, endpoint_id(1), 16);
	memcpy(outcome.job.job_id, job_id(event, 1), 16);
	memcpy(outcome.job.event_id, event_id(event), 16);
	memcpy(outcome.attempt_id, job_id(event, 1001), 16);
	return outcome;
}

static void
put(const struct outcome *outcome)
{
	size_t room;
	char *space = lane_reserve(&lane, &room);

	assert_true(space != NULL && room >= OUTCOME_BYTES_MAX);
	(void)lane_publish(&lane, outcome_write(space, outcome), 1, 0);
}

static void
write_all(void)
{
	uint32_t released;

	must_be(0, outcome_writer_write(writer, jobs_db, NODE, &released, &err), &err);
	assert_int_equal(released, lane_released(&lane));
	assert_int_equal(outcome_writer_waiting(writer), 0);
}

static int64_t
jobs(void)
{
	return tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1");
}

static int64_t
attempts(void)
{
	return tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1");
}

static void
test_outcomes_that_are_stored_already_change_nothing(void **state)
{
	struct outcome outcome;

	for (uint32_t event = 1; event <= 3; event++)
		add_job(1, event, 0);
	outcome = outcome_of(1, VERDICT_RETRY);
	put(&outcome);
	write_all();
	/*
	 * The predecessor of this writer died between its commit and the release, and left these outcomes on the lane.
	 */
	put(&outcome);
	outcome = outcome_of(2, VERDICT_DELIVERED);
	put(&outcome);
	write_all();
	assert_int_equal(jobs(), 2);
	assert_int_equal(attempts(), 2);
	assert_int_equal(tenant_count("SELECT sum(attempt_count) FROM jobs WHERE tenant_id = $1"), 1);
}

static void
test_an_outcome_that_did_not_count_leaves_no_attempt(void **state)
{
	struct outcome outcome = outcome_of(1, VERDICT_RETRY);

	add_job(1, 1, 0);
	outcome.charged = false;
	outcome.job.attempt_count = 0;
	put(&outcome);
	write_all();
	assert_int_equal(attempts(), 0);
	assert_int_equal(tenant_count("SELECT attempt_count FROM jobs WHERE tenant_id = $1"), 0);
	assert_string_equal(tenant_text("SELECT last_error FROM jobs WHERE tenant_id = $1"), "HTTP 410");
	assert_true(
	    tenant_count("SELECT hl_ms(next_attempt_at) - hl_ms(hl_now()) FROM jobs WHERE tenant_id = $1") > 50000);
}

static void
test_a_job_is_due_and_does_not_expire_if_the_machine_has_restarted_since_its_attempt(void **state)
{
	struct outcome outcome = outcome_of(1, VERDICT_RETRY);

	add_job(1, 1, 0);
	outcome.due_ms += 100 * 86400 * INT64_C(1000); /* the machine had run for so much longer */
	outcome.job.expires_ms = 1;
	put(&outcome);
	lane_set_flag(&lane, lane_released(&lane) + 1, LANE_FORMER_BOOT, true);
	write_all();
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND attempt_count = 1 AND "
				      "next_attempt_at <= hl_now() AND COALESCE(expires_at > hl_now(), TRUE)"),
	    1);
}

static void
test_an_attempt_of_a_cancelled_job_is_stored_unless_its_tenant_is_deleted(void **state)
{
	struct outcome outcome = outcome_of(1, VERDICT_RETRY);

	put(&outcome);
	outcome = outcome_of(2, VERDICT_DELIVERED);
	outcome.started_us -= 3600 * INT64_C(1000000); /* before the tenant with that id was made anew */
	put(&outcome);
	write_all();
	assert_int_equal(attempts(), 1);
	tenant_run("UPDATE tenants SET deleted_at = hl_now() WHERE tenant_id = $1");
	outcome = outcome_of(3, VERDICT_DEAD);
	put(&outcome);
	write_all();
	assert_int_equal(attempts(), 1);
	/* While a deleted tenant still has rows of jobs, attempts are stored with their removal. */
	add_job(1, 4, 0);
	outcome = outcome_of(4, VERDICT_DELIVERED);
	put(&outcome);
	write_all();
	assert_int_equal(attempts(), 2);
	assert_int_equal(jobs(), 0);
	tenant_run("DELETE FROM tenants WHERE tenant_id = $1");
	outcome = outcome_of(5, VERDICT_DELIVERED);
	put(&outcome);
	write_all();
	assert_int_equal(attempts(), 2);
}

static void
test_an_attempt_is_stored_though_the_clock_was_set_back_to_before_its_tenant_was_made(void **state)
{
	struct outcome outcome = outcome_of(1, VERDICT_DELIVERED);

	add_endpoint(1);
	outcome.started_us -= 3600 * INT64_C(1000000);
	put(&outcome); /* the job has no row: it was delivered before */
	write_all();
	assert_int_equal(attempts(), 1);
}

static void
test_bytes_that_are_no_outcome_are_skipped_and_rows_are_read_again(void **state)
{
	struct outcome outcome = outcome_of(1, VERDICT_DELIVERED);
	size_t room;

	add_job(1, 1, 0);
	memset(lane_reserve(&lane, &room), 0x5a, 64);
	(void)lane_publish(&lane, 64, 1, 0);
	put(&outcome);
	assert_int_equal(courier_missed(segment_courier(&segment, 0)), 0);
	write_all();
	assert_int_equal(jobs(), 0);
	assert_int_equal(courier_missed(segment_courier(&segment, 0)), 1);
}

/* ---- refusals of the store ---- */

static void
test_a_refusal_of_the_store_costs_texts_or_the_attempt_but_not_the_job(void **state)
{
	struct outcome outcome;

	for (uint32_t event = 1; event <= 4; event++)
		add_job(1, event, 0);
	add_refusal("refusal", "INSERT ON attempts", "NEW.error = 'poison' OR NEW.http_status = 418");
	outcome = outcome_of(1, VERDICT_DELIVERED);
	put(&outcome);
	outcome = outcome_of(2, VERDICT_RETRY);
	outcome.error = TEXT("poison");
	put(&outcome);
	outcome = outcome_of(3, VERDICT_DEAD);
	outcome.http_status = 418;
	put(&outcome);
	outcome = outcome_of(4, VERDICT_DELIVERED);
	put(&outcome);
	write_all();
	remove_refusal("refusal", "attempts");
	assert_int_equal(jobs(), 1);
	assert_int_equal(tenant_count("SELECT attempt_count FROM jobs WHERE tenant_id = $1"), 1);
	assert_int_equal(attempts(), 3);
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1 AND error IS NOT NULL"), 0);
	assert_int_equal(tenant_count("SELECT count(*) FROM dlq WHERE tenant_id = $1 AND last_http_status = 418"), 1);
}

/* Returns the only message for the loop, apart from those about commits. */
static struct message *
told(enum message_kind kind)
{
	struct message *one = message_queue_take(&messages);

	assert_non_null(one);
	assert_int_equal(one->kind, kind);
	assert_null(message_queue_take(&messages));
	assert_string_equal(one->tenant_id, jobs_tenant);
	return one;
}

static void
test_a_job_whose_end_the_store_refuses_waits_for_a_day_and_others_go_on(void **state)
{
	static const char left_ms[] = "SELECT hl_ms(next_attempt_at) - hl_ms(hl_now()) FROM jobs WHERE tenant_id = $1";
	struct outcome outcome;
	struct message *has_rows;

	for (uint32_t event = 1; event <= 40; event++)
		add_job(1, event, 0);
	add_refusal("refusal", "INSERT ON dlq", "NEW.reason = 'http_410'");
	for (uint32_t event = 1; event <= 40; event++) {
		outcome = outcome_of(event, event == 17 ? VERDICT_DEAD : VERDICT_DELIVERED);
		put(&outcome);
	}
	write_all();
	assert_int_equal(jobs(), 1);
	assert_int_equal(attempts(), 40);
	assert_int_equal(tenant_count("SELECT attempt_count FROM jobs WHERE tenant_id = $1"), 1);
	assert_in_range(tenant_count(left_ms), 86000000, 86400000);
	assert_string_equal(
	    tenant_text("SELECT last_error FROM jobs WHERE tenant_id = $1"), "the store refuses the end of this job");
	has_rows = told(MESSAGE_HAS_ROWS);
	assert_memory_equal(has_rows->id, endpoint_id(1), 16);
	message_free(has_rows);

	/* The job ends when it is attempted again after the trigger is gone. */
	remove_refusal("refusal", "dlq");
	outcome = outcome_of(17, VERDICT_DEAD);
	outcome.job.attempt_count = 2;
	memcpy(outcome.attempt_id, job_id(17, 1002), 16);
	put(&outcome);
	write_all();
	assert_int_equal(jobs(), 0);
	assert_int_equal(tenant_count("SELECT count(*) FROM dlq WHERE tenant_id = $1"), 1);
}

static void
test_an_outcome_that_is_refused_in_every_form_is_dropped_and_reported(void **state)
{
	struct outcome outcome;
	struct message *refused;

	for (uint32_t event = 1; event <= 3; event++)
		add_job(1, event, event == 2 ? -60000 : 0);
	add_refusal("stays", "DELETE ON jobs", "OLD.last_error = 'stuck'");
	add_refusal("as_it_is", "UPDATE ON jobs", "OLD.last_error = 'stuck'");
	tenant_run("UPDATE jobs SET last_error = 'stuck' WHERE tenant_id = $1 "
		   "AND hl_ms(next_attempt_at) < hl_ms(hl_now()) - 30000");
	for (uint32_t event = 1; event <= 3; event++) {
		outcome = outcome_of(event, VERDICT_DELIVERED);
		put(&outcome);
	}
	write_all();
	assert_int_equal(jobs(), 1);
	assert_int_equal(attempts(), 2);
	assert_int_equal(tenant_count("SELECT attempt_count FROM jobs WHERE tenant_id = $1"), 0);
	refused = told(MESSAGE_REFUSED);
	assert_int_equal(refused->position, 2);
	assert_memory_equal(refused->id, job_id(2, 1), 16);
	message_free(refused);
	remove_refusal("stays", "jobs");
	remove_refusal("as_it_is", "jobs");
}

static void
test_a_job_ends_although_the_store_does_not_disable_its_endpoint(void **state)
{
	int64_t version = must_count(jobs_db, "SELECT version FROM changes");
	struct outcome outcome = outcome_of(1, VERDICT_DEAD);

	add_endpoint(1);
	add_job(1, 1, 0);
	add_refusal("refusal", "INSERT ON audit_log", "NEW.action = 'endpoint.disable'");
	outcome.disables = true;
	outcome.error = TEXT("gone");
	put(&outcome);
	write_all();
	remove_refusal("refusal", "audit_log");
	assert_int_equal(jobs(), 0);
	assert_string_equal(tenant_text("SELECT last_error FROM dlq WHERE tenant_id = $1"), "gone");
	assert_int_equal(tenant_count("SELECT count(*) FROM attempts WHERE tenant_id = $1 AND error = 'gone'"), 1);
	assert_string_equal(tenant_text("SELECT state FROM endpoints WHERE tenant_id = $1"), "active");
	assert_int_equal(must_count(jobs_db, "SELECT version FROM changes"), version);
}

static void
test_outcomes_for_a_busy_store_are_written_later(void **state)
{
	struct outcome outcome = outcome_of(1, VERDICT_DELIVERED);
	struct db *other = must_open();
	uint32_t released;

	add_job(1, 1, 0);
	put(&outcome);
	must_begin(other);
	must_run(other, BOTH("LOCK TABLE jobs", "SELECT 1"), NULL, 0);
	db_config.store_timeout_ms = 200;
	assert_true(outcome_writer_write(writer, jobs_db, NODE, &released, &err) != 0);
	assert_true(outcome_writer_waiting(writer) > 0);
	db_close(other);
	db_config.store_timeout_ms = 5000;
	write_all();
	assert_int_equal(jobs(), 0);
	assert_int_equal(attempts(), 1);
}

/* Lists pass the time of a transaction after two STORE_TIMEOUT_MS. Each of its statements may take most of one. */
static void
test_a_dead_letter_is_committed_before_lists_pass_its_time_or_not_at_all(void **state)
{
	struct outcome outcome = outcome_of(1, VERDICT_DEAD);
	uint32_t released;

	if (!store_has_delays())
		skip();
	add_job(1, 1, 0);
	put(&outcome);
	add_delay("slow_letters", "INSERT ON dlq", "STATEMENT", "0.7");
	add_delay("slow_attempts", "INSERT ON attempts", "STATEMENT", "0.7");
	db_config.store_timeout_ms = 1000;
	assert_true(outcome_writer_write(writer, jobs_db, NODE, &released, &err) < 0);
	db_config.store_timeout_ms = 5000;
	assert_int_equal(tenant_count("SELECT count(*) FROM dlq WHERE tenant_id = $1"), 0);
	remove_refusal("slow_letters", "dlq");
	remove_refusal("slow_attempts", "attempts");
	write_all();
	assert_int_equal(tenant_count("SELECT count(*) FROM dlq WHERE tenant_id = $1"), 1);
}

static void
test_outcomes_that_are_too_many_for_one_statement_are_written_a_few_at_a_time(void **state)
{
	const uint32_t outcomes = 60;
	uint32_t released, tries = 0;

	if (!store_has_delays())
		skip();
	for (uint32_t event = 1; event <= outcomes; event++) {
		struct outcome outcome = outcome_of(event, VERDICT_DEAD);

		add_job(1, event, 0);
		put(&outcome);
	}
	add_delay("slow_letters", "INSERT ON dlq", "ROW", "0.01");
	db_config.store_timeout_ms = 400;
	assert_true(outcome_writer_write(writer, jobs_db, NODE, &released, &err) < 0);
	while (outcome_writer_waiting(writer) > 0 && ++tries < 200)
		(void)outcome_writer_write(writer, jobs_db, NODE, &released, &err);
	db_config.store_timeout_ms = 5000;
	remove_refusal("slow_letters", "dlq");
	assert_int_equal(outcome_writer_waiting(writer), 0);
	assert_int_equal(tenant_count("SELECT count(*) FROM dlq WHERE tenant_id = $1"), outcomes);
	assert_int_equal(attempts(), outcomes);
}

/* ---- endpoints ---- */

static void
test_an_endpoint_that_answers_410_is_disabled_with_a_notice_and_an_audit_entry(void **state)
{
	struct outcome outcome = outcome_of(1, VERDICT_DEAD);
	int64_t version = must_count(jobs_db, "SELECT version FROM changes");

	add_endpoint(1);
	add_job(1, 1, 0);
	outcome.disables = true;
	put(&outcome);
	outcome = outcome_of(2, VERDICT_DEAD);
	outcome.disables = true;
	put(&outcome);
	write_all();
	assert_string_equal(tenant_text("SELECT state FROM endpoints WHERE tenant_id = $1"), "disabled");
	assert_string_equal(tenant_text("SELECT disabled_reason FROM endpoints WHERE tenant_id = $1"), "http_410");
	assert_int_equal(tenant_count("SELECT count(*) FROM audit_log WHERE tenant_id = $1 "
				      "AND action = 'endpoint.disable' AND key_id = 'service'"),
	    1);
	assert_int_equal(tenant_count("SELECT version % 1048576 FROM routing_versions WHERE tenant_id = $1"), 1);
	assert_int_equal(must_count(jobs_db, "SELECT version FROM changes"), version + 1);
	assert_int_equal(node_changes_version(&segment.header->node), version + 1);
	assert_int_equal(tenant_count("SELECT count(*) FROM notices WHERE tenant_id = $1"), 1);
	assert_int_equal(counter_read(segment_slot(&segment, ROLE_COURIER, 0), COUNTER_ENDPOINTS_DISABLED_410), 1);
}

static void
test_a_delivery_of_a_notice_that_disables_its_endpoint_makes_no_other_notice(void **state)
{
	struct outcome outcome = outcome_of(1, VERDICT_DEAD);

	add_endpoint(1);
	outcome.disables = outcome.of_notice = true;
	put(&outcome);
	write_all();
	assert_string_equal(tenant_text("SELECT state FROM endpoints WHERE tenant_id = $1"), "disabled");
	assert_int_equal(tenant_count("SELECT count(*) FROM audit_log WHERE tenant_id = $1"), 1);
	assert_int_equal(tenant_count("SELECT count(*) FROM notices WHERE tenant_id = $1"), 0);
}

static void
test_an_answer_of_an_older_url_does_not_disable_the_endpoint(void **state)
{
	struct outcome outcome = outcome_of(1, VERDICT_DEAD);

	add_endpoint(1);
	tenant_run("UPDATE endpoints SET version = 2, breaker_version = 2 WHERE tenant_id = $1");
	outcome.disables = true;
	put(&outcome);
	write_all();
	assert_string_equal(tenant_text("SELECT state FROM endpoints WHERE tenant_id = $1"), "active");
	assert_int_equal(tenant_count("SELECT count(*) FROM notices WHERE tenant_id = $1"), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_outcomes_that_are_stored_already_change_nothing),
	    TEST(test_an_outcome_that_did_not_count_leaves_no_attempt),
	    TEST(test_a_job_is_due_and_does_not_expire_if_the_machine_has_restarted_since_its_attempt),
	    TEST(test_an_attempt_of_a_cancelled_job_is_stored_unless_its_tenant_is_deleted),
	    TEST(test_an_attempt_is_stored_though_the_clock_was_set_back_to_before_its_tenant_was_made),
	    TEST(test_bytes_that_are_no_outcome_are_skipped_and_rows_are_read_again),
	    TEST(test_a_refusal_of_the_store_costs_texts_or_the_attempt_but_not_the_job),
	    TEST(test_a_job_whose_end_the_store_refuses_waits_for_a_day_and_others_go_on),
	    TEST(test_an_outcome_that_is_refused_in_every_form_is_dropped_and_reported),
	    TEST(test_a_job_ends_although_the_store_does_not_disable_its_endpoint),
	    TEST(test_outcomes_for_a_busy_store_are_written_later),
	    TEST(test_a_dead_letter_is_committed_before_lists_pass_its_time_or_not_at_all),
	    TEST(test_outcomes_that_are_too_many_for_one_statement_are_written_a_few_at_a_time),
	    TEST(test_an_endpoint_that_answers_410_is_disabled_with_a_notice_and_an_audit_entry),
	    TEST(test_a_delivery_of_a_notice_that_disables_its_endpoint_makes_no_other_notice),
	    TEST(test_an_answer_of_an_older_url_does_not_disable_the_endpoint),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
