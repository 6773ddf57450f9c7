/*
 * What the follower reports, step by step. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a database
 * (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "courier/follower.h"
#include "store/db_ops.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/pause_rows.h"
#include "store/webhooks/removal.h"
#include "store/webhooks/routing.h"
#include "tests/unit/courier_segment.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

#define STEPS_MOST 100

static char schedule[] = "5s,30s";
static struct segment segment;
static struct message_queue queue;
static struct job_marker marker;
static struct follower *follower;
static struct error err;

/* What the follower has reported since begin_count(). */
static struct {
	uint32_t rows, endpoints, gone, paused, changed;
	uint32_t mine; /* endpoints of the test's tenant */
	int64_t version;
} told;

static void
begin_count(void)
{
	memset(&told, 0, sizeof told);
}

static void
count_messages(void)
{
	struct message *message;

	while ((message = message_queue_take(&queue)) != NULL) {
		told.rows += message->kind == MESSAGE_HAS_ROWS;
		told.endpoints += message->kind == MESSAGE_ENDPOINT;
		told.mine += message->kind == MESSAGE_ENDPOINT && strcmp(message->tenant_id, jobs_tenant) == 0;
		told.gone += message->kind == MESSAGE_ENDPOINT && message->config == NULL;
		told.paused += message->kind == MESSAGE_PAUSED;
		told.changed += message->kind == MESSAGE_CHANGED;
		if (message->kind == MESSAGE_CHANGED)
			told.version = message->version;
		message_free(message);
	}
}

static void
step(void)
{
	must_be(0, follower_step(follower, jobs_db, &err), &err);
	count_messages();
}

/* Takes steps until a version is reported. Returns how many they were. */
static uint32_t
step_until_told(void)
{
	uint32_t steps = 0, before = told.changed;

	while (told.changed == before) {
		step();
		assert_true(++steps < STEPS_MOST);
	}
	return steps;
}

/* Raises the tenant's version and that of changes in one transaction. */
static int64_t
change_tenant(const char *sql)
{
	int64_t version;

	must_begin(jobs_db);
	must_run(jobs_db, SAME(sql), PARAMS(db_string(jobs_tenant)));
	must_be(0, routing_raise(jobs_db, jobs_tenant, &err), &err);
	must_be(0, changes_raise(jobs_db, &version, &err), &err);
	must_commit(jobs_db);
	return version;
}

#define NOTHING "UPDATE tenants SET name = name WHERE tenant_id = $1"

static int
begin(void **state)
{
	int rc = jobs_new_tenant(state);

	db_config.hl_retry_schedule = schedule;
	segment = courier_segment_open(1);
	must_be(0, message_queue_open(&queue, &err), &err);
	follower = follower_new(&db_config, &segment, 0, &queue, &marker);
	begin_count();
	return rc;
}

static int
end(void **state)
{
	follower_free(follower);
	job_marker_clear(&marker);
	message_queue_close(&queue);
	courier_segment_close(&segment);
	return 0;
}

/* Adds tenants of which each has a job, and changes them in one transaction. Returns the version. */
static int64_t
change_tenants(const char *prefix, int count)
{
	int64_t version;

	must_begin(jobs_db);
	for (int tenant = 0; tenant < count; tenant++) {
		char id[32];

		(void)snprintf(id, sizeof id, "%s-%d", prefix, tenant);
		must_run(jobs_db,
		    SAME("INSERT INTO tenants (tenant_id, name, created_at, updated_at) "
			 "VALUES ($1, 'n', hl_now(), hl_now())"),
		    PARAMS(db_string(id)));
		must_run(jobs_db,
		    SAME("INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status, "
			 "next_attempt_at) VALUES ($1, $2, $3, $4, 7, 'pending', hl_now())"),
		    PARAMS(db_string(id), db_uuid(endpoint_id(1)), db_uuid(job_id(1, 1)), db_uuid(event_id(1))));
		/* With distributed tables jobs are found by their endpoints. */
		must_add_endpoint(jobs_db, id, endpoint_id(1));
		must_be(0, routing_raise(jobs_db, id, &err), &err);
	}
	must_run(jobs_db, SAME("UPDATE endpoints SET updated_at = hl_time(0)"), NULL, 0); /* no endpoint is new */
	must_be(0, changes_raise(jobs_db, &version, &err), &err);
	must_commit(jobs_db);
	return version;
}

static void
test_a_step_looks_at_some_tenants_and_the_version_is_reported_after_all(void **state)
{
	int64_t version;
	uint32_t steps;

	step_until_told();
	begin_count();
	version = change_tenants("many", 70);
	step(); /* the step that looks for changed tenants */
	assert_int_equal(follower_due_us(follower), 0);
	assert_int_equal(told.rows, 0);
	step();
	assert_in_range(told.rows, 1, 20);
	assert_false(follower_has_looked(follower));
	steps = step_until_told();
	assert_in_range(steps, 3, 6);
	assert_int_equal(told.rows, 70);
	assert_int_equal(told.version, version);
	assert_true(follower_has_looked(follower));
}

/* A store that needs a second for each statement: the program's clock_gettime(2) stands before the C library's. */
static const struct db_ops *real_ops;
static int64_t skipped_seconds;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	long rc = syscall(SYS_clock_gettime, id, ts);

	ts->tv_sec += skipped_seconds;
	return (int)rc;
}

static int
query_slowly(struct db *db, const struct db_call *call, struct db_rows **rows, struct error *error)
{
	skipped_seconds++;
	return real_ops->query(db, call, rows, error);
}

static void
test_a_step_that_is_slow_ends_behind_one_tenant_because_heartbeats_wait_for_it(void **state)
{
	struct db_ops slow_ops = *jobs_db->ops;
	int64_t version;

	step_until_told();
	begin_count();
	version = change_tenants("slow", 5);
	step(); /* the look */
	real_ops = jobs_db->ops;
	slow_ops.query = query_slowly;
	jobs_db->ops = &slow_ops;
	for (uint32_t rows = 1; rows <= 5; rows++) {
		step();
		assert_int_equal(told.rows, rows);
	}
	step_until_told();
	jobs_db->ops = real_ops;
	skipped_seconds = 0;
	assert_int_equal(told.rows, 5);
	assert_int_equal(told.version, version);
}

static void
test_tenants_that_have_not_changed_are_not_looked_at(void **state)
{
	int64_t version;

	add_endpoint(1);
	add_job(1, 1, 0);
	(void)change_tenant(NOTHING);
	step_until_told();
	begin_count();
	must_begin(jobs_db);
	must_be(0, changes_raise(jobs_db, &version, &err), &err); /* as a new API key does */
	must_commit(jobs_db);
	step_until_told();
	assert_int_equal(told.rows + told.endpoints, 0);
	(void)change_tenant(NOTHING);
	step_until_told();
	assert_int_equal(told.rows, 1);
}

static void
test_a_pause_of_all_is_reported_without_a_look_at_each_tenant(void **state)
{
	int64_t version;

	add_endpoint(1);
	add_job(1, 1, 0);
	(void)change_tenant(NOTHING);
	step_until_told();
	begin_count();
	must_begin(jobs_db);
	must_be(0, pause_rows_set(jobs_db, PAUSE_OF_ALL, (struct span){NULL, 0}, "k", &err), &err);
	must_be(0, routing_raise_all(jobs_db, &err), &err);
	must_be(0, changes_raise(jobs_db, &version, &err), &err);
	must_commit(jobs_db);
	step_until_told();
	assert_int_equal(told.paused, 1);
	assert_int_equal(told.rows, 0); /* the loop has all rows scanned */
	tenant_run("DELETE FROM pauses WHERE tenant_id = '*' AND $1 = $1");
}

static void
test_endpoints_of_a_tenant_that_was_removed_at_once_are_reported(void **state)
{
	bool more = true;

	add_endpoint(1);
	(void)change_tenant(NOTHING);
	step_until_told();
	must_be(0, follower_load(follower, jobs_db, jobs_tenant, endpoint_id(1), &err), &err);
	count_messages();
	begin_count();
	tenant_run("UPDATE tenants SET deleted_at = hl_now() WHERE tenant_id = $1");
	while (more)
		must_be(0, removal_step(jobs_db, &db_config, &more, &err), &err);
	assert_int_equal(tenant_count("SELECT count(*) FROM routing_versions WHERE tenant_id = $1"), 0);
	step_until_told();
	assert_int_equal(told.gone, 1);
}

static void
test_a_store_that_was_restored_is_compared_whole(void **state)
{
	(void)change_tenant(NOTHING);
	add_endpoint(1);
	(void)change_tenant(NOTHING);
	step_until_told();
	must_be(0, follower_load(follower, jobs_db, jobs_tenant, endpoint_id(1), &err), &err);
	count_messages();
	begin_count();
	tenant_run("UPDATE changes SET version = 1 WHERE id = 1 AND $1 = $1");
	(void)change_tenant("UPDATE endpoints SET version = 2, updated_at = hl_time(0) WHERE tenant_id = $1");
	step_until_told();
	assert_int_equal(told.version, 2);
	assert_int_equal(told.mine, 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_step_looks_at_some_tenants_and_the_version_is_reported_after_all),
	    TEST(test_a_step_that_is_slow_ends_behind_one_tenant_because_heartbeats_wait_for_it),
	    TEST(test_tenants_that_have_not_changed_are_not_looked_at),
	    TEST(test_a_pause_of_all_is_reported_without_a_look_at_each_tenant),
	    TEST(test_endpoints_of_a_tenant_that_was_removed_at_once_are_reported),
	    TEST(test_a_store_that_was_restored_is_compared_whole),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
