/*
 * Which rows are removed for their age, and which stay because they are needed. The store is an SQLite file and, if
 * HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL. Only PostgreSQL has months
 * (tests/e2e/test_webhooks_months.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/webhooks/expiry.h"
#include "store/webhooks/replay_rows.h"
#include "store/webhooks/retention.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

#define HOUR_MS (60 * 60 * 1000)
#define JOBS "SELECT count(*) FROM jobs WHERE tenant_id = $1"
#define LETTERS "SELECT count(*) FROM dlq WHERE tenant_id = $1 AND reason = 'expired'"
#define EVENTS "SELECT count(*) FROM events WHERE tenant_id = $1"
#define ATTEMPTS "SELECT count(*) FROM attempts WHERE tenant_id = $1"

static struct error err;

static void
must(int rc)
{
	must_be(0, rc, &err);
}

/* Removal covers all tenants, so the rows of earlier tests are removed first. */
static int
begin(void **state)
{
	static const char *const tables[] = {"jobs", "events", "attempts", "replays"};
	char sql[64];
	int rc = jobs_new_tenant(state);

	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		(void)snprintf(sql, sizeof sql, "DELETE FROM %s WHERE tenant_id <> $1", tables[i]);
		tenant_run(sql);
	}
	return rc;
}

/* ---- jobs ---- */

/* Takes all steps of a walk. Returns how many dead letters it has made. */
static uint32_t
expire(int64_t events_before_ms)
{
	struct expiry_place place = {0};
	struct expiry_result result;
	uint32_t letters = 0;

	do {
		must(expiry_step(jobs_db, &place, events_before_ms, &result, &err));
		assert_int_equal(result.version > 0, result.letters > 0);
		letters += result.letters;
	} while (!result.done);
	expiry_place_free(&place);
	return letters;
}

static void
test_an_expired_job_becomes_a_dead_letter_without_a_courier(void **state)
{
	add_endpoint(1);
	add_event(1, "{\"n\":1}");
	add_job(1, 1, 20 * HOUR_MS);
	tenant_run("UPDATE jobs SET last_error = 'not yet', attempt_count = 3,"
		   " expires_at = hl_time(hl_ms(hl_now()) - 301000) WHERE tenant_id = $1");
	add_job(1, 2, 20 * HOUR_MS);
	add_job(2, 3, 20 * HOUR_MS);
	assert_int_equal(expire(0), 1);
	assert_int_equal(tenant_count(JOBS), 2);
	assert_int_equal(tenant_count(LETTERS), 1);
	assert_string_equal(tenant_text("SELECT payload FROM dlq WHERE tenant_id = $1"), "{\"n\":1}");
	assert_string_equal(tenant_text("SELECT last_error FROM dlq WHERE tenant_id = $1"), "not yet");
	assert_int_equal(tenant_count("SELECT attempt_count FROM dlq WHERE tenant_id = $1"), 3);
	assert_int_equal(expire(0), 0);
}

static void
test_a_courier_has_five_minutes_to_expire_a_job_itself(void **state)
{
	add_endpoint(1);
	add_job(1, 1, HOUR_MS);
	tenant_run("UPDATE jobs SET expires_at = hl_time(hl_ms(hl_now()) - 290000) WHERE tenant_id = $1");
	assert_int_equal(expire(0), 0);
	assert_int_equal(tenant_count(JOBS), 1);
}

/* Couriers mark such a job as held, but only while they run. */
static void
test_no_job_expires_while_its_endpoint_or_tenant_is_paused(void **state)
{
	static const char *const holds[][2] = {
	    {"UPDATE endpoints SET enabled = FALSE WHERE tenant_id = $1",
		"UPDATE endpoints SET enabled = TRUE WHERE tenant_id = $1"},
	    {"UPDATE endpoints SET paused = TRUE WHERE tenant_id = $1",
		"UPDATE endpoints SET paused = FALSE WHERE tenant_id = $1"},
	    {"INSERT INTO pauses (tenant_id, paused_at) VALUES ($1, hl_now())",
		"DELETE FROM pauses WHERE tenant_id = $1"},
	    {"INSERT INTO pauses (tenant_id, reason, paused_at) VALUES ('*', $1, hl_now())",
		"DELETE FROM pauses WHERE reason = $1"},
	    {"UPDATE jobs SET status = 'held', expires_at = NULL WHERE tenant_id = $1",
		"UPDATE jobs SET expires_at = hl_time(1000) WHERE tenant_id = $1"},
	};

	add_endpoint(1);
	add_job(1, 1, -HOUR_MS);
	tenant_run("UPDATE jobs SET expires_at = hl_time(1000) WHERE tenant_id = $1");
	for (size_t i = 0; i < sizeof holds / sizeof *holds; i++) {
		tenant_run(holds[i][0]);
		assert_int_equal(expire(0), 0);
		tenant_run(holds[i][1]);
	}
	assert_int_equal(expire(0), 1);
}

static void
test_a_job_is_removed_before_its_event(void **state)
{
	for (uint32_t event = 1; event <= 5; event++)
		add_event(event, "{}");
	add_job(1, 1, HOUR_MS); /* it waits for its next attempt */
	add_job(1, 2, -HOUR_MS); /* it is held, or its endpoint is far behind */
	add_job(1, 3, 0); /* its attempt may be under way */
	add_job(1, 4, -HOUR_MS); /* it was requeued */
	keep_event_beside(4);
	assert_int_equal(expire(SOME_MS), 0);
	assert_int_equal(expire(SOME_MS + 1), 2);
	assert_int_equal(tenant_count(LETTERS), 2);
	assert_int_equal(tenant_count(JOBS), 2);
}

static void
test_a_walk_reaches_every_job_of_every_endpoint(void **state)
{
	const int jobs = 2 * EXPIRY_SLICE_ROWS + 100;

	for (uint8_t endpoint = 1; endpoint <= 3; endpoint++)
		add_endpoint(endpoint);
	must_begin(jobs_db);
	for (int i = 0; i < jobs; i++)
		must_run(jobs_db,
		    SAME("INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status, expires_at) "
			 "VALUES ($1, $2, $3, $4, 1, 'pending', hl_time($5))"),
		    PARAMS(db_string(jobs_tenant), db_uuid(endpoint_id((uint8_t)(1 + i % 3))),
			db_uuid(job_id((uint32_t)i, 1)), db_uuid(event_id((uint32_t)i)),
			i % 10 == 0 ? db_int(SOME_MS) : db_null()));
	must_commit(jobs_db);
	assert_int_equal(expire(0), jobs / 10);
	assert_int_equal(tenant_count(LETTERS), jobs / 10);
	assert_int_equal(tenant_count(JOBS), jobs - jobs / 10);
}

static void
test_a_dead_letter_that_the_store_refuses_stops_no_walk(void **state)
{
	add_endpoint(1);
	add_refusal("no_letters", "INSERT ON dlq", "NEW.attempt_count = 9");
	add_job(1, 1, HOUR_MS);
	tenant_run("UPDATE jobs SET attempt_count = 9, expires_at = hl_time(1000) WHERE tenant_id = $1");
	assert_int_equal(expire(0), 0);
	assert_int_equal(tenant_count(JOBS), 1);
	remove_refusal("no_letters", "dlq");
	assert_int_equal(expire(0), 1);
}

/* A courier does the same (tests/unit/test_outcome_writer.c). */
static void
test_dead_letters_of_a_slow_transaction_are_made_by_another_one(void **state)
{
	struct expiry_place place = {0};
	struct expiry_result result;

	if (!store_has_delays())
		skip();
	add_endpoint(1);
	add_job(1, 1, HOUR_MS);
	tenant_run("UPDATE jobs SET expires_at = hl_time(1000) WHERE tenant_id = $1");
	add_delay("slow_routes", "UPDATE ON routing_versions", "STATEMENT", "0.7");
	add_delay("slow_letters", "INSERT ON dlq", "STATEMENT", "0.7");
	db_config.store_timeout_ms = 1000;
	assert_true(expiry_step(jobs_db, &place, 0, &result, &err) < 0);
	db_config.store_timeout_ms = 5000;
	expiry_place_free(&place);
	remove_refusal("slow_routes", "routing_versions");
	remove_refusal("slow_letters", "dlq");
	assert_int_equal(tenant_count(LETTERS), 0);
	assert_int_equal(expire(0), 1);
}

static void
test_couriers_learn_of_expired_jobs_and_publishers_read_no_routes_again(void **state)
{
	add_endpoint(1);
	add_job(1, 1, HOUR_MS);
	tenant_run("INSERT INTO routing_versions (tenant_id, version, change_version) VALUES ($1, 7, 0)");
	tenant_run("UPDATE jobs SET expires_at = hl_time(1000) WHERE tenant_id = $1");
	assert_int_equal(expire(0), 1);
	assert_int_equal(tenant_count("SELECT version FROM routing_versions WHERE tenant_id = $1"), 7);
	assert_int_equal(tenant_count("SELECT change_version - (SELECT version FROM changes) FROM routing_versions "
				      "WHERE tenant_id = $1"),
	    0);
}

/* ---- events and attempts ---- */

/* Takes all slices, of so many rows. Returns how many rows were removed. */
static uint32_t
remove_old(enum retention_table table, int64_t before_ms, uint32_t rows)
{
	struct retention_run run = {.table = table, .before_ms = before_ms};
	uint32_t removed, all = 0;

	while (!run.done) {
		must(retention_slice(jobs_db, &run, rows, &removed, &err));
		assert_true(removed <= rows);
		all += removed;
	}
	retention_run_free(&run);
	return all;
}

static void
add_attempt(uint32_t number)
{
	must_begin(jobs_db);
	must_run(jobs_db,
	    SAME(
		"INSERT INTO attempts (attempt_id, started_at, endpoint_id, duration_ms, attempt_n, status, tenant_id) "
		"VALUES ($1, hl_time($2), $3, 1, 1, 'success', $4)"),
	    PARAMS(db_uuid(job_id(number, 7)), db_int(SOME_MS), db_uuid(endpoint_id(1)), db_string(jobs_tenant)));
	must_commit(jobs_db);
}

static void
test_old_rows_are_removed_in_slices_and_young_ones_stay(void **state)
{
	for (uint32_t number = 1; number <= 7; number++) {
		add_event(number, "{}");
		add_attempt(number);
	}
	jobs_new_tenant(state);
	for (uint32_t number = 1; number <= 3; number++)
		add_event(number, "{}");
	assert_int_equal(remove_old(RETENTION_EVENTS, SOME_MS, 2), 0);
	assert_int_equal(remove_old(RETENTION_EVENTS, SOME_MS + 1, 2), 10);
	assert_int_equal(remove_old(RETENTION_ATTEMPTS, SOME_MS, 2), 0);
	assert_int_equal(remove_old(RETENTION_ATTEMPTS, SOME_MS + 1, 3), 7);
	assert_int_equal(remove_old(RETENTION_ATTEMPTS, SOME_MS + 1, 3), 0);
}

static void
test_the_event_of_a_waiting_job_stays_as_long_as_the_job(void **state)
{
	add_endpoint(1);
	add_endpoint(2);
	for (uint32_t number = 1; number <= 6; number++)
		add_event(number, "{}");
	add_job(1, 2, HOUR_MS);
	add_job(2, 5, HOUR_MS);
	add_job(2, 6, HOUR_MS);
	keep_event_beside(6); /* requeued: it needs no other copy of its event */
	assert_int_equal(remove_old(RETENTION_EVENTS, SOME_MS + 1, 2), 4);
	assert_int_equal(tenant_count(EVENTS), 2);
	tenant_run("DELETE FROM jobs WHERE tenant_id = $1");
	assert_int_equal(remove_old(RETENTION_EVENTS, SOME_MS + 1, 2), 2);
}

/*
 * The jobs of events that were removed earlier, such as requeued ones, are not read again by each run. The event of
 * another job, number 5, shows that.
 */
static void
test_jobs_of_events_that_were_removed_before_are_not_read(void **state)
{
	add_endpoint(1);
	for (uint32_t number = 2; number <= 6; number++)
		add_event(number, "{}");
	add_job(1, 1, HOUR_MS);
	must_begin(jobs_db);
	must_run(jobs_db, SAME("UPDATE jobs SET event_id = $1 WHERE tenant_id = $2"),
	    PARAMS(db_uuid(event_id(5)), db_string(jobs_tenant)));
	must_commit(jobs_db);
	add_job(1, 2, HOUR_MS);
	assert_int_equal(remove_old(RETENTION_EVENTS, SOME_MS + 1, 100), 4);
	assert_int_equal(tenant_count(EVENTS), 1);
}

static void
test_events_stay_until_an_unfinished_replay_has_passed_them(void **state)
{
	for (uint32_t number = 1; number <= 6; number++)
		add_event(number, "{}");
	tenant_run("INSERT INTO replays (tenant_id, replay_id, status, request, created_at, updated_at) VALUES ($1,"
		   " '0190f5fe-0000-7000-8000-000000000001', 'pending', '{}', hl_now(), hl_now())");
	assert_int_equal(remove_old(RETENTION_EVENTS, SOME_MS + 1, 100), 0);
	must_begin(jobs_db);
	must_run(jobs_db, SAME("UPDATE replays SET place = $1 WHERE tenant_id = $2"),
	    PARAMS(db_uuid(event_id(4)), db_string(jobs_tenant)));
	must_commit(jobs_db);
	assert_int_equal(remove_old(RETENTION_EVENTS, SOME_MS + 1, 3), 4);
	assert_int_equal(tenant_count(EVENTS), 2);
	tenant_run("UPDATE replays SET finished_at = hl_now(), status = 'done' WHERE tenant_id = $1");
	assert_int_equal(remove_old(RETENTION_EVENTS, SOME_MS + 1, 3), 2);
}

static void
test_a_deleted_tenant_is_left_to_its_removal(void **state)
{
	add_event(1, "{}");
	tenant_run("UPDATE tenants SET deleted_at = hl_now() WHERE tenant_id = $1");
	assert_int_equal(remove_old(RETENTION_EVENTS, SOME_MS + 1, 100), 0);
	assert_int_equal(tenant_count(EVENTS), 1);
}

static void
test_pages_of_removed_rows_are_given_back_to_the_disk(void **state)
{
	bool more = true;

	if (db_config.hl_store == HL_STORE_POSTGRES) {
		must(retention_give_pages_back(jobs_db, &more, &err));
		assert_false(more);
		return;
	}
	tenant_run("INSERT INTO audit_log (tenant_id, audit_id, created_at, key_id, action, object_kind, object_id) "
		   "VALUES ($1, 'large', 0, '', '', '', hex(zeroblob(12000000)))");
	tenant_run("DELETE FROM audit_log WHERE tenant_id = $1");
	int64_t pages = must_count(jobs_db, "PRAGMA page_count"), loops = 0;
	assert_true(must_count(jobs_db, "PRAGMA freelist_count") > 5000);
	for (; more; loops++)
		must(retention_give_pages_back(jobs_db, &more, &err));
	assert_true(loops > 3);
	assert_in_range(must_count(jobs_db, "PRAGMA freelist_count"), 1000, 2560);
	assert_true(must_count(jobs_db, "PRAGMA page_count") < pages - 3000);
}

/* Another program, such as a shell that restores a dump, may have made the file. */
static void
test_a_file_that_keeps_its_free_pages_is_not_tried_forever(void **state)
{
	bool more = true;
	sqlite3 *shell;

	if (db_config.hl_store == HL_STORE_POSTGRES)
		skip();
	tenant_run("INSERT INTO audit_log (tenant_id, audit_id, created_at, key_id, action, object_kind, object_id) "
		   "VALUES ($1, 'large', 0, '', '', '', hex(zeroblob(12000000)))");
	assert_int_equal(sqlite3_open(db_path, &shell), SQLITE_OK);
	assert_int_equal(sqlite3_exec(shell, "PRAGMA auto_vacuum = NONE; VACUUM", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(shell), SQLITE_OK);
	tenant_run("DELETE FROM audit_log WHERE tenant_id = $1");
	assert_int_equal(must_count(jobs_db, "PRAGMA auto_vacuum"), 0);
	assert_true(must_count(jobs_db, "PRAGMA freelist_count") > 5000);
	must(retention_give_pages_back(jobs_db, &more, &err));
	assert_false(more);
}

/* ---- replays ---- */

static void
test_a_replay_that_has_ended_is_shown_for_thirty_days(void **state)
{
	uint32_t removed;
	char sql[300];

	for (int days = 28; days <= 32; days++) {
		(void)snprintf(sql, sizeof sql,
		    "INSERT INTO replays (tenant_id, replay_id, status, request, created_at, updated_at, finished_at) "
		    "VALUES ($1, '0190f5fe-0000-7000-8000-0000000000%d', 'done', '{}', hl_now(), hl_now(), "
		    "hl_time(hl_ms(hl_now()) - 1000 - CAST(86400000 AS bigint) * %d))",
		    days, days);
		if (days == 32) /* it has not ended */
			memcpy(strstr(sql, "hl_time"), "NULL) -- ", 9);
		tenant_run(sql);
	}
	must(replay_rows_remove_old(jobs_db, 1, &removed, &err));
	assert_int_equal(removed, 1);
	must(replay_rows_remove_old(jobs_db, 100, &removed, &err));
	assert_int_equal(removed, 1);
	assert_int_equal(tenant_count("SELECT count(*) FROM replays WHERE tenant_id = $1"), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_an_expired_job_becomes_a_dead_letter_without_a_courier, begin),
	    cmocka_unit_test_setup(test_a_courier_has_five_minutes_to_expire_a_job_itself, begin),
	    cmocka_unit_test_setup(test_no_job_expires_while_its_endpoint_or_tenant_is_paused, begin),
	    cmocka_unit_test_setup(test_a_job_is_removed_before_its_event, begin),
	    cmocka_unit_test_setup(test_a_walk_reaches_every_job_of_every_endpoint, begin),
	    cmocka_unit_test_setup(test_a_dead_letter_that_the_store_refuses_stops_no_walk, begin),
	    cmocka_unit_test_setup(test_dead_letters_of_a_slow_transaction_are_made_by_another_one, begin),
	    cmocka_unit_test_setup(test_couriers_learn_of_expired_jobs_and_publishers_read_no_routes_again, begin),
	    cmocka_unit_test_setup(test_old_rows_are_removed_in_slices_and_young_ones_stay, begin),
	    cmocka_unit_test_setup(test_the_event_of_a_waiting_job_stays_as_long_as_the_job, begin),
	    cmocka_unit_test_setup(test_jobs_of_events_that_were_removed_before_are_not_read, begin),
	    cmocka_unit_test_setup(test_events_stay_until_an_unfinished_replay_has_passed_them, begin),
	    cmocka_unit_test_setup(test_a_deleted_tenant_is_left_to_its_removal, begin),
	    cmocka_unit_test_setup(test_pages_of_removed_rows_are_given_back_to_the_disk, begin),
	    cmocka_unit_test_setup(test_a_file_that_keeps_its_free_pages_is_not_tried_forever, begin),
	    cmocka_unit_test_setup(test_a_replay_that_has_ended_is_shown_for_thirty_days, begin),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
