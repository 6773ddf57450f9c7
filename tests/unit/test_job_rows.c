/*
 * Jobs as couriers read and hold them. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a database
 * (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/uuid.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/job_rows.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

#define DAY_MS (24 * 60 * 60 * 1000)

static struct error err;

static void
must(int rc)
{
	must_be(0, rc, &err);
}

/* ---- pages ---- */

static struct job_range
range_of(uint8_t endpoint, const uint8_t *after, uint32_t limit)
{
	return (struct job_range){jobs_tenant, endpoint_id(endpoint), NODE, after, limit};
}

static const uint8_t none[16];

static void
assert_id(const struct db_rows *rows, uint32_t row, uint32_t column, const uint8_t *id)
{
	struct span text = db_rows_text(rows, row, column);
	uint8_t got[16];

	assert_true(uuid_parse(text.base, text.len, got));
	assert_memory_equal(got, id, 16);
}

static void
test_a_page_has_the_rows_of_its_endpoint_and_node_after_a_job(void **state)
{
	struct job_range range = range_of(1, none, 2);
	struct db_rows *rows;

	for (uint32_t event = 1; event <= 3; event++)
		add_job(1, event, event * 100000);
	tenant_run("UPDATE jobs SET node_id = 8 WHERE tenant_id = $1");
	for (uint32_t event = 4; event <= 6; event++)
		add_job(1, event, (int64_t)event * -100000);
	add_job(2, 7, 0);
	must(jobs_begin(jobs_db, &err));
	must(job_rows_page(jobs_db, &range, &rows, &err));
	assert_int_equal(db_rows_count(rows), 2);
	assert_id(rows, 0, JOB_COLUMN_ID, job_id(4, 1));
	assert_id(rows, 1, JOB_COLUMN_ID, job_id(5, 1));
	assert_id(rows, 1, JOB_COLUMN_EVENT_ID, event_id(5));
	assert_true(db_rows_null(rows, 0, JOB_COLUMN_TRANSFORM_ID));
	assert_in_range(-db_rows_int(rows, 0, JOB_COLUMN_DUE_IN_MS), 400000, 410000);
	assert_in_range(db_rows_int(rows, 0, JOB_COLUMN_EXPIRES_IN_MS), DAY_MS - 10000, DAY_MS);
	assert_false(db_rows_bool(rows, 0, JOB_COLUMN_HELD));
	db_rows_free(rows);
	range = range_of(1, job_id(5, 1), 2);
	must(job_rows_page(jobs_db, &range, &rows, &err));
	assert_int_equal(db_rows_count(rows), 1);
	assert_id(rows, 0, JOB_COLUMN_ID, job_id(6, 1));
	db_rows_free(rows);
	must_commit(jobs_db);
}

static void
test_events_are_read_from_their_table_or_from_beside_their_job(void **state)
{
	const struct job_name names[] = {
	    {job_id(1, 1), event_id(1)}, {job_id(2, 1), event_id(2)}, {job_id(3, 1), event_id(3)}};
	struct db_rows *rows;
	uint32_t first, second;

	add_event(1, "1e400");
	keep_event_beside(2);
	must(jobs_begin(jobs_db, &err));
	must(job_rows_events(jobs_db, jobs_tenant, names, 3, &rows, &err));
	must_commit(jobs_db);
	assert_int_equal(db_rows_count(rows), 2);
	first = db_rows_text(rows, 0, JOB_EVENT_COLUMN_TOPIC).base[0] == 'a' ? 0 : 1;
	second = 1 - first;
	assert_id(rows, first, JOB_EVENT_COLUMN_JOB_ID, job_id(1, 1));
	must_equal(db_rows_text(rows, first, JOB_EVENT_COLUMN_PAYLOAD), "1e400");
	assert_true(db_rows_int(rows, first, JOB_EVENT_COLUMN_CREATED_MS) == SOME_MS);
	assert_true(db_rows_int(rows, first, JOB_EVENT_COLUMN_OCCURRED_MS) == SOME_MS + 1);
	assert_id(rows, second, JOB_EVENT_COLUMN_JOB_ID, job_id(2, 1));
	must_equal(db_rows_text(rows, second, JOB_EVENT_COLUMN_PAYLOAD), "\"kept\"");
	db_rows_free(rows);
}

static void
test_a_scan_finds_each_endpoint_that_has_rows_once(void **state)
{
	struct job_place place = {jobs_tenant, none, 2};
	struct db_rows *rows;

	/* One endpoint has no rows. In every store an endpoint exists before its rows. */
	for (uint8_t endpoint = 1; endpoint <= 4; endpoint++)
		add_endpoint(endpoint);
	for (uint8_t endpoint = 1; endpoint <= 3; endpoint++)
		for (uint32_t event = 1; event <= 4; event++)
			add_job(endpoint, 10u * endpoint + event, 0);
	must(jobs_begin(jobs_db, &err));
	must(job_rows_scan(jobs_db, &place, &rows, &err));
	assert_int_equal(db_rows_count(rows), 2);
	must_equal(db_rows_text(rows, 0, 0), jobs_tenant);
	assert_id(rows, 0, 1, endpoint_id(1));
	assert_id(rows, 1, 1, endpoint_id(2));
	db_rows_free(rows);
	place = (struct job_place){jobs_tenant, endpoint_id(2), 1000};
	must(job_rows_scan(jobs_db, &place, &rows, &err));
	assert_int_equal(db_rows_count(rows), 1);
	assert_id(rows, 0, 1, endpoint_id(3));
	db_rows_free(rows);
	must(job_rows_scan_tenant(jobs_db, &place, &rows, &err));
	assert_int_equal(db_rows_count(rows), 1);
	assert_id(rows, 0, 1, endpoint_id(3));
	db_rows_free(rows);
	place.endpoint_id = endpoint_id(3);
	must(job_rows_scan(jobs_db, &place, &rows, &err));
	assert_int_equal(db_rows_count(rows), 0);
	db_rows_free(rows);
	must_commit(jobs_db);
}

/* ---- held ---- */

static void
test_held_jobs_do_not_expire_and_released_ones_do_again(void **state)
{
	struct job_range range = range_of(1, none, 2);
	uint8_t last[16];

	for (uint32_t event = 1; event <= 3; event++)
		add_job(1, event, 0);
	add_job(2, 4, 0);
	must(jobs_begin(jobs_db, &err));
	must(job_rows_hold(jobs_db, &range, last, &err));
	must_commit(jobs_db);
	assert_memory_equal(last, job_id(2, 1), 16);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND status = 'held' "
				      "AND expires_at IS NULL"),
	    2);
	range = range_of(1, job_id(2, 1), 2);
	must(jobs_begin(jobs_db, &err));
	must(job_rows_hold(jobs_db, &range, last, &err));
	must_commit(jobs_db);
	assert_memory_equal(last, none, 16);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND status = 'held' "
				      "AND expires_at IS NULL"),
	    3);
	range = range_of(1, none, 1000);
	must(jobs_begin(jobs_db, &err));
	must(job_rows_release(jobs_db, &range, 2 * DAY_MS, last, &err));
	must_commit(jobs_db);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND status = 'pending'"), 4);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 "
				      "AND hl_ms(expires_at) - hl_ms(hl_now()) > 100000000"),
	    3);
}

#define TEST(test) cmocka_unit_test_setup(test, jobs_new_tenant)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_page_has_the_rows_of_its_endpoint_and_node_after_a_job),
	    TEST(test_events_are_read_from_their_table_or_from_beside_their_job),
	    TEST(test_a_scan_finds_each_endpoint_that_has_rows_once),
	    TEST(test_held_jobs_do_not_expire_and_released_ones_do_again),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
