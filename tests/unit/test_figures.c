/*
 * Counts over the whole webhooks' store, and the endpoints and tenants with the most jobs or failures. The store is an
 * SQLite file and, if HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "store/webhooks/figures.h"
#include "store/webhooks/top_rows.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

static struct error err;

/* Makes a new tenant, and removes the rows of earlier ones. */
static int
begin(void **state)
{
	static const char *const tables[] = {"jobs", "endpoints", "attempts", "tenant_stats", "delivery_nodes"};
	char sql[64];

	must_begin(jobs_db);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		(void)snprintf(sql, sizeof sql, "DELETE FROM %s", tables[i]);
		must_run(jobs_db, SAME(sql), NULL, 0);
	}
	must_commit(jobs_db);
	return jobs_new_tenant(state);
}

static void
run(const char *sql)
{
	must_begin(jobs_db);
	must_run(jobs_db, SAME(sql), NULL, 0);
	must_commit(jobs_db);
}

static void
assert_endpoints(int64_t enabled, int64_t paused, int64_t disabled, int64_t held)
{
	struct endpoint_figures figures;

	must_be(0, figures_of_endpoints(jobs_db, db_config.hl_store == HL_STORE_POSTGRES, &figures, &err), &err);
	assert_int_equal(figures.enabled, enabled);
	assert_int_equal(figures.paused, paused);
	assert_int_equal(figures.disabled, disabled);
	assert_int_equal(figures.held_jobs, held);
}

static void
test_jobs_of_endpoints_that_are_disabled_or_paused_are_held(void **state)
{
	assert_endpoints(0, 0, 0, 0);
	for (uint8_t number = 1; number <= 3; number++) {
		add_endpoint(number);
		add_event(number, "1");
		add_job(number, number, 0);
	}
	assert_endpoints(3, 0, 0, 0);
	tenant_run("UPDATE endpoints SET enabled = NOT enabled WHERE tenant_id = $1 AND endpoint_id ="
		   " (SELECT endpoint_id FROM endpoints WHERE tenant_id = $1 ORDER BY endpoint_id LIMIT 1)");
	add_event(4, "1");
	add_job(1, 4, 0);
	assert_endpoints(2, 0, 1, 2);
	tenant_run("UPDATE endpoints SET paused = NOT paused WHERE tenant_id = $1 AND endpoint_id ="
		   " (SELECT endpoint_id FROM endpoints WHERE tenant_id = $1 ORDER BY endpoint_id DESC LIMIT 1)");
	assert_endpoints(1, 1, 1, 3);
	tenant_run("UPDATE endpoints SET deleted_at = hl_now() WHERE tenant_id = $1 AND NOT enabled");
	assert_endpoints(1, 1, 0, 1);
}

static void
test_figures_of_tenants_are_summed(void **state)
{
	struct tenant_figures figures;

	must_be(0, figures_of_tenants(jobs_db, &figures, &err), &err);
	assert_int_equal(figures.waiting + figures.deepest + figures.dead_letters, 0);
	run("INSERT INTO tenant_stats (tenant_id, queue_depth, in_flight, dlq_count, api_keys, event_count, "
	    "endpoint_count,"
	    " subscription_count, delivery_count, counted_at) VALUES ('one', 5, 0, 2, 0, 0, 0, 0, 0, hl_now()),"
	    " ('other', 7, 0, 1, 0, 0, 0, 0, 0, hl_now())");
	must_be(0, figures_of_tenants(jobs_db, &figures, &err), &err);
	assert_int_equal(figures.waiting, 12);
	assert_int_equal(figures.deepest, 7);
	assert_int_equal(figures.dead_letters, 3);
}

static void
add_node(int number, int64_t silent_ms, const char *left_at, const char *adopted_by)
{
	char sql[400];

	(void)snprintf(sql, sizeof sql,
	    "INSERT INTO delivery_nodes (node_id, epoch, name, started_at, alive_at, left_at, adopted_by, seen_version,"
	    " timeout_ms) VALUES (%d, 1, 'n', hl_now(), hl_time(hl_ms(hl_now()) - %d), %s, %s, 1, 30000)",
	    number, (int)silent_ms, left_at, adopted_by);
	run(sql);
}

static void
test_nodes_are_counted_as_alive_silent_or_left(void **state)
{
	struct node_figures figures;

	must_be(0, figures_of_nodes(jobs_db, &figures, &err), &err);
	assert_int_equal(figures.alive + figures.silent + figures.left + figures.silence_ms, 0);
	add_node(1, -5000, "NULL", "NULL"); /* the clock was set back after the heartbeat */
	must_be(0, figures_of_nodes(jobs_db, &figures, &err), &err);
	assert_int_equal(figures.silence_ms, 0);
	add_node(2, 20000, "NULL", "NULL");
	add_node(3, 40000, "NULL", "NULL");
	add_node(4, 90000, "hl_now()", "NULL");
	add_node(5, 90000, "NULL", "1");
	must_be(0, figures_of_nodes(jobs_db, &figures, &err), &err);
	assert_int_equal(figures.alive, 2);
	assert_int_equal(figures.silent, 1);
	assert_int_equal(figures.left, 1);
	assert_in_range(figures.silence_ms, 40000, 89000);
}

typedef int asked(struct db *db, const struct top_question *question, struct db_rows **rows, struct error *err);

/*
 * Compares the numbers of jobs or failures, in their order, of the tenant, or of all if that is NULL; and the last
 * column.
 */
static void
assert_top(asked *ask, const char *tenant_id, uint32_t most, const char *expected, int64_t looked_at)
{
	const struct top_question question = {tenant_id, most, db_config.hl_store == HL_STORE_POSTGRES};
	uint32_t column = ask == top_tenants ? 1 : 2, last = ask == top_failing ? 4 : 3;
	char told[100] = "";
	struct db_rows *rows;

	must_be(0, ask(jobs_db, &question, &rows, &err), &err);
	for (uint32_t row = 0; row < db_rows_count(rows); row++) {
		size_t len = strlen(told);

		(void)snprintf(told + len, sizeof told - len, "%d ", (int)db_rows_int(rows, row, column));
		if (tenant_id != NULL)
			must_equal(db_rows_text(rows, row, 0), tenant_id);
		if (ask != top_tenants)
			assert_int_equal(db_rows_int(rows, row, last), looked_at);
	}
	assert_string_equal(told, expected);
	db_rows_free(rows);
}

static void
test_endpoints_with_most_waiting_jobs_come_first(void **state)
{
	char one[sizeof jobs_tenant];

	assert_top(top_waiting, NULL, 10, "", 0);
	memcpy(one, jobs_tenant, sizeof one);
	for (uint32_t number = 1; number <= 5; number++)
		add_job(number <= 2 ? 1 : 2, number, 0);
	(void)jobs_new_tenant(state);
	add_job(3, 6, 0);
	assert_top(top_waiting, NULL, 10, "3 2 1 ", 6);
	assert_top(top_waiting, NULL, 2, "3 2 ", 6);
	assert_top(top_waiting, one, 10, "3 2 ", 5);
	assert_top(top_waiting, jobs_tenant, 10, "1 ", 1);
	assert_top(top_waiting, "nobody", 10, "", 0);
}

static void
test_tenants_with_most_waiting_jobs_come_first(void **state)
{
	run("INSERT INTO tenant_stats (tenant_id, queue_depth, in_flight, dlq_count, api_keys, event_count, "
	    "endpoint_count,"
	    " subscription_count, delivery_count, counted_at) VALUES ('one', 5, 0, 2, 0, 0, 0, 0, 0, hl_now()),"
	    " ('other', 7, 0, 1, 0, 0, 0, 0, 0, hl_now()), ('idle', 0, 0, 9, 0, 0, 0, 0, 0, hl_now())");
	assert_top(top_tenants, NULL, 10, "7 5 ", 0);
	assert_top(top_tenants, NULL, 1, "7 ", 0);
	assert_top(top_tenants, "one", 10, "5 ", 0);
	assert_top(top_tenants, "idle", 10, "", 0);
}

/* Adds an attempt of that number to the endpoint, that long ago. */
static void
add_attempt(int number, int endpoint, const char *status, int ago_ms)
{
	char sql[500];

	(void)snprintf(sql, sizeof sql,
	    "INSERT INTO attempts (tenant_id, attempt_id, started_at, endpoint_id, duration_ms, attempt_n, status)"
	    " VALUES ($1, '0190f5fe-0000-7000-8000-%012d', hl_time(hl_ms(hl_now()) - %d),"
	    " '0190f5fe-0000-7000-8000-0000000000%02d', 1, 1, '%s')",
	    number, ago_ms, endpoint, status);
	tenant_run(sql);
}

static void
test_endpoints_with_most_failures_of_the_last_minutes_come_first(void **state)
{
	add_attempt(1, 1, "failure", 1000);
	add_attempt(2, 1, "success", 1000);
	add_attempt(3, 2, "failure", 1000);
	add_attempt(4, 2, "failure", 1000);
	add_attempt(5, 3, "success", 1000);
	add_attempt(6, 3, "failure", TOP_WINDOW_MS + 60000);
	assert_top(top_failing, NULL, 10, "2 1 0 ", 5);
	assert_top(top_failing, jobs_tenant, 1, "2 ", 5);
	assert_top(top_failing, "nobody", 10, "", 0);
}

#define TEST(test) cmocka_unit_test_setup(test, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_jobs_of_endpoints_that_are_disabled_or_paused_are_held),
	    TEST(test_figures_of_tenants_are_summed),
	    TEST(test_nodes_are_counted_as_alive_silent_or_left),
	    TEST(test_endpoints_with_most_waiting_jobs_come_first),
	    TEST(test_tenants_with_most_waiting_jobs_come_first),
	    TEST(test_endpoints_with_most_failures_of_the_last_minutes_come_first),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
