/*
 * The rows that a deleted tenant or endpoint leaves are removed. The store is an SQLite file and, if
 * HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "store/webhooks/removal.h"
#include "store/webhooks/routing.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

#define DELETE_TENANT "UPDATE tenants SET status = 'deleted', deleted_at = hl_now() WHERE tenant_id = $1"
#define DELETE_ENDPOINT "UPDATE endpoints SET deleted_at = hl_now() WHERE tenant_id = $1"
#define COUNT(table) tenant_count("SELECT count(*) FROM " table " WHERE tenant_id = $1")

static struct error err;

/* Takes steps until there is nothing more to remove now. Returns the number of slices. */
static int
remove_all(void)
{
	bool more = true;
	int slices = -1;

	for (; more; slices++)
		must_be(0, removal_step(jobs_db, &db_config, &more, &err), &err);
	return slices;
}

/* Runs a statement with the tenant as its parameter in another session, whose transaction stays open. */
static struct db *
beside(const char *sql)
{
	struct db *other = must_open();

	must_begin(other);
	must_run(other, SAME(sql), PARAMS(db_string(jobs_tenant)));
	return other;
}

static void
test_all_rows_of_a_tenant_are_removed_in_slices_and_its_own_row_last(void **state)
{
	char kept[sizeof jobs_tenant];

	for (uint32_t event = 1; event <= 3; event++) {
		add_event(event, "1");
		add_job(1, event, 0);
	}
	(void)strcpy(kept, jobs_tenant);
	(void)jobs_new_tenant(state);
	add_endpoint(1);
	keep_event_beside(1);
	for (uint32_t event = 1; event <= REMOVAL_SLICE_ROWS + 1; event++)
		add_job(1, event, 0);
	assert_int_equal(remove_all(), 0);
	tenant_run(DELETE_TENANT);
	/* Two slices of jobs, the endpoint, the event beside a job, the note that nothing is left, the rest. */
	assert_int_equal(remove_all(), 6);
	assert_int_equal(COUNT("jobs") + COUNT("endpoints") + COUNT("dlq_events") + COUNT("tenants"), 0);
	(void)strcpy(jobs_tenant, kept);
	assert_int_equal(COUNT("jobs") + COUNT("events") + COUNT("tenants"), 7);
}

#define LARGE 20 /* events, each as large as an event may be */

/* SQLite has one writer at a time, so that a slice with large events would delay the others. */
static void
test_large_events_are_removed_a_few_at_a_time(void **state)
{
	size_t len = db_config.hl_max_payload_bytes;
	int64_t most = REMOVAL_SLICE_BYTES / (int64_t)len;
	char *payload;
	bool more;

	if (db_config.hl_postgres_url != NULL)
		skip(); /* PostgreSQL has other writers beside a slice */
	payload = malloc(len + 1);
	assert_non_null(payload);
	memset(payload, 'x', len);
	payload[0] = payload[len - 1] = '"';
	payload[len] = '\0';
	assert_true(most < LARGE);
	for (uint32_t event = 1; event <= LARGE; event++)
		add_event(event, payload);
	for (uint32_t event = LARGE + 1; event <= 2 * LARGE; event++)
		add_event(event, "1");
	free(payload);
	tenant_run(DELETE_TENANT);
	must_be(0, removal_step(jobs_db, &db_config, &more, &err), &err);
	assert_true(more);
	assert_int_equal(COUNT("events"), 2 * LARGE - most);
	/* The other large events with the small ones, the note that nothing is left, the rest. */
	assert_int_equal(remove_all(), 3);
	assert_int_equal(COUNT("events") + COUNT("tenants"), 0);
}

static void
test_a_row_that_was_written_during_the_deletion_is_removed_too(void **state)
{
	struct db *other;

	if (db_config.hl_postgres_url == NULL)
		skip(); /* SQLite has one writer at a time */
	other = beside("INSERT INTO events (event_id, created_at, occurred_at, job_count, tenant_id, topic) VALUES "
		       "('0190f5fe-0000-7000-8000-000000000000', hl_now(), hl_now(), 0, $1, 'late')");
	tenant_run(DELETE_TENANT);
	(void)remove_all();
	assert_string_equal(tenant_text("SELECT status FROM tenants WHERE tenant_id = $1"), "erased");
	must_commit(other);
	db_close(other);
	assert_int_equal(COUNT("events"), 1);
	assert_int_equal(remove_all(), 2);
	assert_int_equal(COUNT("events") + COUNT("tenants"), 0);
}

static void
test_a_removal_that_waits_for_a_transaction_does_not_delay_others(void **state)
{
	struct db *other;

	if (db_config.hl_postgres_url == NULL)
		skip();
	add_endpoint(1);
	other = beside("UPDATE routing_versions SET version = version WHERE tenant_id <> $1");
	must_run(other, SAME("SELECT pg_current_xact_id()"), NULL, 0);
	tenant_run(DELETE_ENDPOINT);
	(void)remove_all();
	assert_string_equal(tenant_text("SELECT state FROM endpoints WHERE tenant_id = $1"), "erased");
	add_job(2, 1, 0);
	tenant_run(DELETE_TENANT);
	(void)remove_all();
	assert_int_equal(COUNT("jobs") + COUNT("endpoints"), 0);
	assert_int_equal(COUNT("tenants"), 1);
	db_close(other);
	(void)remove_all();
	assert_int_equal(COUNT("tenants"), 0);
}

static void
test_jobs_of_a_deleted_endpoint_are_removed_and_those_of_another_stay(void **state)
{
	add_endpoint(1);
	add_event(1, "1");
	add_job(1, 1, 0);
	add_job(2, 2, 0);
	tenant_run(DELETE_ENDPOINT);
	(void)remove_all();
	assert_int_equal(COUNT("endpoints"), 0);
	assert_int_equal(COUNT("jobs"), 1);
	assert_int_equal(COUNT("events"), 1);
}

static void
test_a_tenant_that_is_deleted_gets_no_version_any_more(void **state)
{
	const struct span tenant = {jobs_tenant, strlen(jobs_tenant)};
	struct tenant_version found;

	must_begin(jobs_db);
	must_be(0, routing_hold(jobs_db, tenant, &found, &err), &err);
	must_commit(jobs_db);
	assert_true(found.exists && found.version > 0);
	tenant_run(DELETE_TENANT);
	(void)remove_all();
	must_begin(jobs_db);
	must_be(0, routing_hold(jobs_db, tenant, &found, &err), &err);
	must_commit(jobs_db);
	assert_false(found.exists);
	assert_int_equal(COUNT("routing_versions"), 0);
}

int
main(void)
{
#define TEST(test) cmocka_unit_test_setup(test, jobs_new_tenant)
	const struct CMUnitTest tests[] = {
	    TEST(test_all_rows_of_a_tenant_are_removed_in_slices_and_its_own_row_last),
	    TEST(test_large_events_are_removed_a_few_at_a_time),
	    TEST(test_a_row_that_was_written_during_the_deletion_is_removed_too),
	    TEST(test_a_removal_that_waits_for_a_transaction_does_not_delay_others),
	    TEST(test_jobs_of_a_deleted_endpoint_are_removed_and_those_of_another_stay),
	    TEST(test_a_tenant_that_is_deleted_gets_no_version_any_more),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
