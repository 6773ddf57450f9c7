/*
 * Endpoints that the service disables, and the notice of it. The store is an SQLite file and, if
 * HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "store/webhooks/endpoint_disabling.h"
#include "store/webhooks/job_rows.h"
#include "store/webhooks/notice_rows.h"
#include "store/webhooks/pause_rows.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

static struct uuid_source ids;
static struct error err;

static bool
disable(uint8_t endpoint, enum disabling_cause cause, int64_t version)
{
	const struct endpoint_disabling disabling = {.tenant_id = {jobs_tenant, strlen(jobs_tenant)},
	    .endpoint_id = endpoint_id(endpoint),
	    .cause = cause,
	    .breaker_version = version};
	bool disabled;

	must_begin(jobs_db);
	must_be(0, endpoint_disable(jobs_db, &ids, &disabling, &disabled, &err), &err);
	must_commit(jobs_db);
	return disabled;
}

static const char *
of_endpoint(const char *column)
{
	char sql[128];

	(void)snprintf(sql, sizeof sql, "SELECT %s FROM endpoints WHERE tenant_id = $1", column);
	return tenant_text(sql);
}

static int64_t
count_of(const char *table)
{
	char sql[128];

	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE tenant_id = $1", table);
	return tenant_count(sql);
}

static void
test_an_endpoint_is_disabled_once_and_not_for_an_older_url(void **state)
{
	add_endpoint(1);
	assert_false(disable(1, DISABLED_BY_410, 2));
	assert_false(disable(2, DISABLED_BY_410, 1)); /* the endpoint does not exist */
	assert_int_equal(count_of("notices"), 0);
	assert_true(disable(1, DISABLED_BY_410, 1));
	assert_false(disable(1, DISABLED_BY_REPLY, 1));
	assert_string_equal(of_endpoint("state"), "disabled");
	assert_string_equal(of_endpoint("disabled_reason"), "http_410");
	assert_string_equal(of_endpoint("version"), "2");
	assert_int_equal(count_of("notices"), 1);
	assert_int_equal(count_of("audit_log"), 1);
	assert_int_equal(count_of("routing_versions"), 1);
}

static void
test_an_endpoint_whose_row_is_locked_is_disabled_by_a_later_attempt(void **state)
{
	struct db *other;

	if (!store_has_delays()) /* then it has no locks of rows either */
		skip();
	other = must_open();
	add_endpoint(1);
	must_begin(other);
	must_run(other, SAME("UPDATE endpoints SET updated_at = hl_now() WHERE tenant_id = $1"),
	    PARAMS(db_string(jobs_tenant)));
	assert_false(disable(1, DISABLED_BY_410, 1));
	assert_int_equal(count_of("notices"), 0);
	must_commit(other);
	db_close(other);
	assert_true(disable(1, DISABLED_BY_410, 1));
}

/* Sets the first and the last failure, in hours before now. */
static void
fails(int first, int last)
{
	char sql[256];

	(void)snprintf(sql, sizeof sql,
	    "UPDATE endpoints SET state = 'active', enabled = TRUE, paused = FALSE, "
	    "failing_since = hl_time(hl_ms(hl_now()) - %d * CAST(3600000 AS bigint)), "
	    "last_failure_at = hl_time(hl_ms(hl_now()) - %d * CAST(3600000 AS bigint)) WHERE tenant_id = $1",
	    first, last);
	tenant_run(sql);
}

static bool
is_found(void)
{
	const struct only_failed_place begin = {0};
	struct db_rows *rows;
	bool found = false;

	must_be(0, endpoints_only_failed(jobs_db, &begin, 1000, &rows, &err), &err);
	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		found = found || strcmp(db_rows_text(rows, row, ONLY_FAILED_TENANT).base, jobs_tenant) == 0;
	db_rows_free(rows);
	assert_true(found == disable(1, DISABLED_ONLY_FAILED, 0)); /* the list and the statement agree */
	return found;
}

static void
test_an_endpoint_is_disabled_that_has_only_failed_for_five_days(void **state)
{
	static const char *const excuses[] = {"UPDATE endpoints SET paused = TRUE WHERE tenant_id = $1",
	    "UPDATE endpoints SET enabled = FALSE WHERE tenant_id = $1",
	    "UPDATE endpoints SET failing_since = NULL WHERE tenant_id = $1",
	    "INSERT INTO pauses (tenant_id, paused_at) VALUES ($1, hl_now())"};

	add_endpoint(1);
	assert_false(is_found());
	fails(119, 0); /* it has failed for less than five days */
	assert_false(is_found());
	fails(121, 110); /* its failures lasted for eleven hours only */
	assert_false(is_found());
	fails(200, 121); /* the last attempt was five days ago */
	assert_false(is_found());
	fails(121, 108);
	assert_true(is_found());
	assert_string_equal(of_endpoint("disabled_reason"), "failed_for_5_days");
	assert_false(is_found());
	for (size_t i = 0; i < sizeof excuses / sizeof *excuses; i++) {
		fails(121, 1);
		tenant_run(excuses[i]);
		assert_false(is_found());
	}
	tenant_run("DELETE FROM pauses WHERE tenant_id = $1");
}

/* There was no attempt during the pause. */
static void
test_a_run_of_failures_begins_anew_at_the_end_of_a_pause(void **state)
{
	const char *const pauses[] = {jobs_tenant, PAUSE_OF_ALL};

	add_endpoint(1);
	for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
		fails(121, 108);
		must_begin(jobs_db);
		must_be(0, pause_rows_end(jobs_db, pauses[i], &err), &err); /* the pause does not exist yet */
		must_be(0, pause_rows_set(jobs_db, "tenant-other", (struct span){NULL, 0}, NULL, &err), &err);
		must_be(0, pause_rows_end(jobs_db, "tenant-other", &err), &err);
		must_be(0, pause_rows_set(jobs_db, pauses[i], (struct span){NULL, 0}, NULL, &err), &err);
		must_commit(jobs_db);
		assert_string_not_equal(of_endpoint("failing_since"), "");
		must_begin(jobs_db);
		must_be(0, pause_rows_end(jobs_db, pauses[i], &err), &err);
		must_commit(jobs_db);
		assert_string_equal(of_endpoint("failing_since"), "");
		tenant_run("UPDATE endpoints SET last_failure_at = hl_now() WHERE tenant_id = $1");
		assert_false(is_found());
	}
}

static void
test_a_notice_names_the_host_and_nothing_else_of_the_url(void **state)
{
	static const struct {
		const char *url, *host;
	} cases[] = {{"https://shop.example:8443/a/token?key=s3cret", "\"shop.example:8443\""},
	    {"http://user:s3cret@shop.example?key=s3cret", "\"shop.example\""},
	    {"https://[2001:db8::1]#s3cret", "\"[2001:db8::1]\""}, {"s3cret", NULL}, {"https:///s3cret", NULL},
	    {"https://s3cret\xc3\xa9/", NULL}};
	char sql[256];

	add_endpoint(1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		(void)snprintf(sql, sizeof sql,
		    "UPDATE endpoints SET url = '%s', state = 'active' WHERE tenant_id = $1", cases[i].url);
		tenant_run(sql);
		tenant_run("DELETE FROM notices WHERE tenant_id = $1");
		assert_true(disable(1, DISABLED_BY_REPLY, 1));
		const char *payload = tenant_text("SELECT payload FROM notices WHERE tenant_id = $1");
		assert_null(strstr(payload, "s3cret"));
		assert_non_null(strstr(payload, "\"reason\":\"asked_for_by_reply\",\"failing_since\":null"));
		assert_true(
		    cases[i].host != NULL ? strstr(payload, cases[i].host) != NULL : strstr(payload, "host") == NULL);
	}
}

static void
test_a_notice_is_an_event_until_it_is_removed(void **state)
{
	struct db_rows *found, *rows;
	int64_t made_ms;
	uint8_t id[16];

	add_endpoint(1);
	assert_true(disable(1, DISABLED_BY_410, 1));
	must_be(0, notices_find(jobs_db, &found, &err), &err);
	while (strcmp(db_rows_text(found, 0, 0).base, jobs_tenant) != 0) { /* an entry of another test */
		must_be(0, notice_postpone(jobs_db, found, 60000, &err), &err);
		db_rows_free(found);
		must_be(0, notices_find(jobs_db, &found, &err), &err);
		assert_int_equal(db_rows_count(found), 1);
	}
	must_begin(jobs_db);
	must_be(0, notice_lock(jobs_db, found, &rows, &err), &err);
	assert_int_equal(db_rows_count(rows), 1);
	struct span text = db_rows_text(rows, 0, JOB_EVENT_COLUMN_JOB_ID);
	assert_true(uuid_parse(text.base, text.len, id));
	assert_true(id[14] == 0 && id[15] == 0);
	made_ms = db_rows_int(rows, 0, JOB_EVENT_COLUMN_CREATED_MS);
	assert_int_equal(made_ms >> 40 & 0xff, id[0]);
	assert_int_equal(made_ms & 0xff, id[5]);
	assert_in_range(db_rows_int(rows, 0, JOB_EVENT_COLUMN_OCCURRED_MS), made_ms - 10000, made_ms + 10000);
	must_equal(db_rows_text(rows, 0, JOB_EVENT_COLUMN_TOPIC), "hookline.endpoint.disabled");
	assert_true(db_rows_null(rows, 0, JOB_EVENT_COLUMN_TRACE));
	db_rows_free(rows);
	must_be(0, notice_remove(jobs_db, found, &err), &err);
	must_commit(jobs_db);
	must_begin(jobs_db);
	must_be(0, notice_lock(jobs_db, found, &rows, &err), &err);
	assert_int_equal(db_rows_count(rows), 0);
	must_commit(jobs_db);
	db_rows_free(rows);
	db_rows_free(found);
}

static int
set_up(void **state)
{
	uuid_source_init(&ids);
	return jobs_set_up(state);
}

#define TEST(test) cmocka_unit_test_setup(test, jobs_new_tenant)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_an_endpoint_is_disabled_once_and_not_for_an_older_url),
	    TEST(test_an_endpoint_whose_row_is_locked_is_disabled_by_a_later_attempt),
	    TEST(test_an_endpoint_is_disabled_that_has_only_failed_for_five_days),
	    TEST(test_a_run_of_failures_begins_anew_at_the_end_of_a_pause),
	    TEST(test_a_notice_names_the_host_and_nothing_else_of_the_url),
	    TEST(test_a_notice_is_an_event_until_it_is_removed),
	};

	return cmocka_run_group_tests(tests, set_up, jobs_tear_down);
}
