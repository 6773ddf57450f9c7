/*
 * Counts of tenants, and what the development receiver keeps. The store is an SQLite file and, if
 * HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/webhooks/inbox_rows.h"
#include "store/webhooks/queue_depth.h"
#include "store/webhooks/tenant_stats.h"
#include "store/webhooks/tenants.h"
#include "tests/unit/db_fixture.h"

static struct db *db;
static struct error err;

static void
must(int rc)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, err.text);
}

static int
set_up(void **state)
{
	int rc = db_set_up(state);

	db = must_open();
	return rc;
}

static int
tear_down(void **state)
{
	db_close(db);
	return db_tear_down(state);
}

/* Runs one statement that writes. Its parameter is the tenant. */
static void
change(const char *sql, const char *tenant)
{
	const struct db_statement statement = {sql};
	const struct db_param params[] = {db_string(tenant)};

	must(db_begin(db, &err));
	must(db_query(db, &statement, params, 1, NULL, &err));
	must(db_commit(db, &err));
}

static void
add_tenant(const char *tenant)
{
	change("INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, $1, hl_now(), hl_now())",
	    tenant);
}

/* Adds a job, a dead letter, and `events` events and attempts. */
static void
add_rows(const char *tenant, int events)
{
	char sql[640];

	change("INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status) VALUES ($1,"
	       " '0190f5fe-0000-7000-8000-000000000001', '0190f5fe-0000-7000-8000-000000000002',"
	       " '0190f5fe-0000-7000-8000-000000000000', 1, 'pending')",
	    tenant);
	change("INSERT INTO dlq (tenant_id, job_id, event_id, endpoint_id, reason, attempt_count, topic, occurred_at)"
	       " VALUES ($1, '0190f5fe-0000-7000-8000-000000000003', '0190f5fe-0000-7000-8000-000000000000',"
	       " '0190f5fe-0000-7000-8000-000000000001', 'expired', 1, 'a', hl_now())",
	    tenant);
	for (int i = 0; i < events; i++) {
		(void)snprintf(sql, sizeof sql,
		    "INSERT INTO events (tenant_id, event_id, created_at, occurred_at, job_count, topic) VALUES ($1,"
		    " '0190f5fe-0000-7000-8000-%04d00000000', hl_now(), hl_now(), 0, 'a')",
		    i);
		change(sql, tenant);
		(void)snprintf(sql, sizeof sql,
		    "INSERT INTO attempts (tenant_id, attempt_id, started_at, endpoint_id, duration_ms, attempt_n, "
		    "status)"
		    " VALUES ($1, '0190f5fe-0000-7000-8000-%04d00000000', hl_now(),"
		    " '0190f5fe-0000-7000-8000-000000000001', 1, 1, 'success')",
		    i);
		change(sql, tenant);
	}
}

/* Checks queue_depth, dlq_count, event_count and delivery_count as the API reads them. */
static void
assert_figures(const char *tenant, int64_t queue, int64_t dead, int64_t events, int64_t deliveries)
{
	struct db_rows *rows;

	must(tenants_stats(db, tenant, &rows, &err));
	assert_int_equal(db_rows_int(rows, 0, 0), queue);
	assert_int_equal(db_rows_int(rows, 0, 1), dead);
	assert_int_equal(db_rows_int(rows, 0, 3), events);
	assert_int_equal(db_rows_int(rows, 0, 6), deliveries);
	db_rows_free(rows);
}

/* Counts all rows, in slices of so many. */
static void
count(uint32_t slice_rows)
{
	struct tenant_stats_run run = {0};

	for (tenant_stats_begin(&run, slice_rows); !run.done;)
		must(tenant_stats_step(db, &run, &err));
	tenant_stats_free(&run);
}

static void
test_each_tenant_has_its_own_figures_after_counting(void **state)
{
	add_tenant("one");
	add_tenant("other");
	add_rows("one", 3);
	add_rows("other", 1);
	assert_figures("one", 0, 0, 0, 0);
	count(1000);
	assert_figures("one", 1, 1, 3, 3);
	assert_figures("other", 1, 1, 1, 1);
	change("DELETE FROM jobs WHERE tenant_id = $1", "one");
	change("DELETE FROM events WHERE tenant_id = $1", "one");
	count(1000);
	assert_figures("one", 0, 1, 0, 3);
	assert_figures("other", 1, 1, 1, 1);
}

/* Slices end within a tenant's rows and at their end, and contain several tenants. */
static void
test_figures_do_not_depend_on_the_slices(void **state)
{
	static const int events[] = {1, 4, 2, 7, 1, 1};

	for (uint32_t slice_rows = 2; slice_rows <= 9; slice_rows++) {
		char tenant[6][16];

		for (int i = 0; i < 6; i++) {
			(void)snprintf(tenant[i], sizeof tenant[i], "sliced-%u-%d", slice_rows, i);
			add_tenant(tenant[i]);
			add_rows(tenant[i], events[i]);
		}
		count(slice_rows);
		for (int i = 0; i < 6; i++)
			assert_figures(tenant[i], 1, 1, events[i], events[i]);
		for (int i = 0; i < 6; i++) {
			change("DELETE FROM events WHERE tenant_id = $1", tenant[i]);
			change("DELETE FROM attempts WHERE tenant_id = $1", tenant[i]);
			change("DELETE FROM dlq WHERE tenant_id = $1", tenant[i]);
		}
		count(slice_rows);
		for (int i = 0; i < 6; i++)
			assert_figures(tenant[i], 1, 0, 0, 0);
	}
}

/* Adds the endpoints of add_jobs(). With distributed tables tenants are found by their endpoints. */
static void
add_endpoints(const char *tenant)
{
	uint8_t id[16] = {0x01, 0x90, 0xf5, 0xfe, 0x00, 0x00, 0x70, 0x00, 0x80};

	must_begin(db);
	for (id[15] = 0; id[15] < 2; id[15]++)
		must_add_endpoint(db, tenant, id);
	must_commit(db);
}

static void
add_jobs(const char *tenant, int first, int end)
{
	for (int i = first; i < end; i++) {
		char sql[320];

		(void)snprintf(sql, sizeof sql,
		    "INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status) VALUES ($1,"
		    " '0190f5fe-0000-7000-8000-00000000000%d', '0190f5fe-0000-7000-8001-%012d',"
		    " '0190f5fe-0000-7000-8000-000000000000', 1, 'held')",
		    i % 2, i);
		change(sql, tenant);
	}
}

/* The tenants with more than `depth` waiting jobs, a comma after each, at most so many. */
static const char *
above(int64_t depth, uint32_t most)
{
	static char found[256];
	struct db_rows *rows;
	size_t len = 0;

	must(queue_depth_above(db, db_config.hl_store == HL_STORE_POSTGRES, depth, most, &rows, &err));
	found[0] = '\0';
	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		len += (size_t)snprintf(found + len, sizeof found - len, "%s,", db_rows_text(rows, row, 0).base);
	db_rows_free(rows);
	return found;
}

static void
test_tenants_with_more_waiting_jobs_than_allowed_are_found(void **state)
{
	change("DELETE FROM jobs WHERE tenant_id = $1 OR 1 = 1", "all");
	assert_string_equal(above(1, 10), "");
	add_endpoints("deep-a");
	add_endpoints("deep-b");
	add_endpoints("deep-c");
	add_jobs("deep-a", 0, 5);
	add_jobs("deep-b", 0, 3);
	add_jobs("deep-c", 0, 4);
	assert_string_equal(above(2, 10), "deep-a,deep-b,deep-c,");
	assert_string_equal(above(3, 10), "deep-a,deep-c,");
	assert_string_equal(above(4, 10), "deep-a,");
	assert_string_equal(above(5, 10), "");
	assert_string_equal(above(2, 2), "deep-a,deep-b,");
	add_jobs("deep-b", 3, 6);
	assert_string_equal(above(5, 10), "deep-b,");
}

static int64_t
rows_of(const char *tenant)
{
	static const struct db_statement count = {"SELECT count(*) FROM tenant_stats WHERE tenant_id = $1"};
	const struct db_param params[] = {db_string(tenant)};
	struct db_rows *rows;
	int64_t found;

	must(db_query(db, &count, params, 1, &rows, &err));
	found = db_rows_int(rows, 0, 0);
	db_rows_free(rows);
	return found;
}

static void
test_a_deleted_tenant_gets_no_figures_again(void **state)
{
	add_tenant("gone");
	add_rows("gone", 1);
	change("UPDATE tenants SET deleted_at = hl_now() WHERE tenant_id = $1", "gone");
	count(1000);
	assert_int_equal(rows_of("gone"), 0);
}

static void
test_the_key_of_tokens_is_made_once(void **state)
{
	struct db_rows *rows;

	must(inbox_rows_key(db, "first", &rows, &err));
	assert_string_equal(db_rows_text(rows, 0, 0).base, "first");
	db_rows_free(rows);
	must(inbox_rows_key(db, "second", &rows, &err));
	assert_string_equal(db_rows_text(rows, 0, 0).base, "first");
	db_rows_free(rows);
}

static void
test_messages_older_than_a_day_are_removed(void **state)
{
	uint32_t removed;

	change("INSERT INTO inbox_messages (tenant_id, token, message_id, received_at, headers, body) VALUES ($1, 't',"
	       " '0190f5fe-0000-7000-8000-000000000001', hl_time(hl_ms(hl_now()) - 86400001), '{}', 'old')",
	    "one");
	change("INSERT INTO inbox_messages (tenant_id, token, message_id, received_at, headers, body) VALUES ($1, 't',"
	       " '0190f5fe-0000-7000-8000-000000000002', hl_time(hl_ms(hl_now()) - 86300000), '{}', 'new')",
	    "one");
	must(inbox_rows_remove_old(db, 10, &removed, &err));
	assert_int_equal(removed, 1);
	must(inbox_rows_remove_old(db, 10, &removed, &err));
	assert_int_equal(removed, 0);
}

/* SQLite has one writer at a time, so that a slice with large messages would delay the others. */
static void
test_large_messages_are_removed_a_few_at_a_time(void **state)
{
	const uint32_t messages = 40;
	uint32_t removed, all = 0;
	char sql[2][320];

	for (uint32_t i = 0; i < messages; i++) {
		for (int lite = 0; lite < 2; lite++)
			(void)snprintf(sql[lite], sizeof sql[lite],
			    "INSERT INTO inbox_messages (tenant_id, token, message_id, received_at, headers, body) "
			    "VALUES ('one', 't', '0190f5fe-0000-7000-8001-%012u', "
			    "hl_time(hl_ms(hl_now()) - 86400001), '{}', %s)",
			    i, lite ? "hex(zeroblob(262144))" : "repeat('x', 524288)");
		must_begin(db);
		must_run(db, BOTH(sql[0], sql[1]), NULL, 0);
		must_commit(db);
	}
	must(inbox_rows_remove_old(db, 1000, &removed, &err));
	assert_int_equal(removed, db_config.hl_store == HL_STORE_POSTGRES ? messages : 16);
	for (all = removed; removed > 0; all += removed)
		must(inbox_rows_remove_old(db, 1000, &removed, &err));
	assert_int_equal(all, messages);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_tenant_has_its_own_figures_after_counting),
	    cmocka_unit_test(test_figures_do_not_depend_on_the_slices),
	    cmocka_unit_test(test_tenants_with_more_waiting_jobs_than_allowed_are_found),
	    cmocka_unit_test(test_a_deleted_tenant_gets_no_figures_again),
	    cmocka_unit_test(test_the_key_of_tokens_is_made_once),
	    cmocka_unit_test(test_messages_older_than_a_day_are_removed),
	    cmocka_unit_test(test_large_messages_are_removed_a_few_at_a_time),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
