/*
 * Jobs are marked as held or pending, a slice at a time, while pauses begin and end. The store is an SQLite file and,
 * if HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/uuid.h"
#include "courier/job_marker.h"
#include "store/db_ops.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

#define SLICE 1000u
#define ROWS (SLICE + 100u)

static struct error err;
static struct job_marker marker;
static const struct pauses nobody;

#define ADD(id, uuid)                                                                                                  \
	"WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $3) "                   \
	"INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status, next_attempt_at, expires_at) "   \
	"SELECT $1, CAST($2 AS " uuid "), CAST(" id " AS " uuid "), CAST(" id " AS " uuid "), $4, 'pending', "         \
	"hl_now(), hl_now() FROM numbers"
#define PG_ID "'01900000-0000-7000-8000-' || lpad(n::text, 12, '0')"
#define SQLITE_ID "'01900000-0000-7000-8000-' || printf('%012d', n)"

/* Adds more jobs than a slice has, all of endpoint 1. */
static int
set_up(void **state)
{
	int rc = jobs_new_tenant(state);

	marker = (struct job_marker){0};
	must_begin(jobs_db);
	must_run(jobs_db, BOTH(ADD(PG_ID, "uuid"), ADD(SQLITE_ID, "text")),
	    PARAMS(db_string(jobs_tenant), db_uuid(endpoint_id(1)), db_int(ROWS), db_int(NODE)));
	must_commit(jobs_db);
	return rc;
}

static int
tear_down(void **state)
{
	job_marker_clear(&marker);
	return 0;
}

static void
step(void)
{
	must_be(0, job_marker_step(&marker, jobs_db, NODE, &err), &err);
}

static void
work(void)
{
	while (job_marker_has_work(&marker))
		step();
}

static int64_t
held(void)
{
	return tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND status = 'held'");
}

static struct mark_request
by_itself(bool holds)
{
	return (struct mark_request){jobs_tenant, endpoint_id(1), .holds = holds, .lifetime_ms = 1000000};
}

static void
test_no_job_is_marked_as_held_after_the_pause_has_ended(void **state)
{
	const struct mark_request released = by_itself(false);

	job_marker_add_paused(&marker, jobs_tenant, endpoint_id(1));
	step();
	assert_int_equal(held(), SLICE);
	job_marker_end_pauses(&marker, &nobody);
	assert_false(job_marker_has_work(&marker));
	job_marker_add(&marker, &released); /* as the page asks for that is read then */
	work();
	assert_int_equal(held(), 0);
}

static void
test_a_tenant_that_stays_paused_keeps_its_jobs_held(void **state)
{
	struct pauses pauses = {.tenants = (char *[]){jobs_tenant}, .count = 1};

	job_marker_add_paused(&marker, jobs_tenant, endpoint_id(1));
	job_marker_end_pauses(&marker, &pauses);
	work();
	assert_int_equal(held(), ROWS);
}

static void
test_jobs_of_a_disabled_endpoint_stay_held_when_a_pause_ends(void **state)
{
	const struct mark_request disabled = by_itself(true);

	job_marker_add(&marker, &disabled);
	job_marker_add_paused(&marker, jobs_tenant, endpoint_id(1));
	job_marker_end_pauses(&marker, &nobody);
	work();
	assert_int_equal(held(), ROWS);
}

static void
test_jobs_of_an_endpoint_that_is_added_after_a_pause_are_marked(void **state)
{
	const struct mark_request disabled = by_itself(true);

	job_marker_add_paused(&marker, jobs_tenant, endpoint_id(2));
	job_marker_end_pauses(&marker, &nobody);
	assert_false(job_marker_has(&marker, endpoint_id(2)));
	job_marker_add(&marker, &disabled);
	assert_true(job_marker_has(&marker, endpoint_id(1)));
	work();
	assert_int_equal(held(), ROWS);
}

static int
time_out(struct db *db, const struct db_call *call, struct db_rows **rows, struct error *error)
{
	(void)snprintf(db->sqlstate, sizeof db->sqlstate, "57014");
	return error_set(error, "canceling statement due to statement timeout");
}

static void
test_an_endpoint_whose_rows_take_too_long_waits_behind_others_and_is_marked_later(void **state)
{
	const struct db_ops *real_ops = jobs_db->ops;
	struct db_ops late_ops = *real_ops;
	const struct mark_request disabled = by_itself(true);

	late_ops.query = time_out;
	job_marker_add(&marker, &disabled);
	job_marker_add_paused(&marker, jobs_tenant, endpoint_id(2));
	jobs_db->ops = &late_ops;
	step();
	jobs_db->ops = real_ops;
	assert_false(job_marker_has_work(&marker));
	marker.not_before_us = 0;
	step();
	assert_true(job_marker_has(&marker, endpoint_id(1)));
	assert_false(job_marker_has(&marker, endpoint_id(2)));
	work();
	assert_int_equal(held(), ROWS);
}

static void
test_rows_that_somebody_has_locked_are_marked_when_they_are_free(void **state)
{
	const struct mark_request disabled = by_itself(true);
	struct db *other;

	if (db_config.hl_store != HL_STORE_POSTGRES)
		skip(); /* one transaction at a time */
	other = must_open();
	must_begin(other);
	must_run(other, SAME("UPDATE jobs SET last_error = 'x' WHERE tenant_id = $1"), PARAMS(db_string(jobs_tenant)));
	job_marker_add(&marker, &disabled);
	step();
	assert_int_equal(held(), 0);
	assert_false(job_marker_has_work(&marker));
	db_rollback(other);
	db_close(other);
	marker.not_before_us = 0;
	work();
	assert_int_equal(held(), ROWS);
}

static void
test_pages_ask_for_the_rows_after_them_and_no_row_is_visited_twice(void **state)
{
	const struct mark_request all = by_itself(true);
	uint8_t middle[16], end[16];
	struct mark_request released = by_itself(false);

	job_marker_add(&marker, &all);
	work();
	assert_true(uuid_parse("01900000-0000-7000-8000-000000000500", FORMAT_UUID_BYTES, middle));
	assert_true(uuid_parse("01900000-0000-7000-8000-000000000900", FORMAT_UUID_BYTES, end));
	released.after = end;
	job_marker_add(&marker, &released);
	released.after = middle;
	job_marker_add(&marker, &released);
	released.after = end;
	job_marker_add(&marker, &released);
	work();
	assert_int_equal(held(), 500);
	released.after = NULL;
	job_marker_add(&marker, &released);
	job_marker_add(&marker, &all); /* the earlier request had another status */
	work();
	assert_int_equal(held(), ROWS);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_no_job_is_marked_as_held_after_the_pause_has_ended),
	    TEST(test_a_tenant_that_stays_paused_keeps_its_jobs_held),
	    TEST(test_jobs_of_a_disabled_endpoint_stay_held_when_a_pause_ends),
	    TEST(test_pages_ask_for_the_rows_after_them_and_no_row_is_visited_twice),
	    TEST(test_jobs_of_an_endpoint_that_is_added_after_a_pause_are_marked),
	    TEST(test_an_endpoint_whose_rows_take_too_long_waits_behind_others_and_is_marked_later),
	    TEST(test_rows_that_somebody_has_locked_are_marked_when_they_are_free),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
