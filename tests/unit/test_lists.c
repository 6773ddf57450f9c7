/*
 * The lists of the API read about as many rows as they show, however many rows there are. The store is an SQLite file,
 * where only the shown rows are checked, and, if HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py),
 * PostgreSQL, which counts the rows that it reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "store/webhooks/attempt_lists.h"
#include "store/webhooks/dead_letter_lists.h"
#include "store/webhooks/event_lists.h"
#include "store/webhooks/job_lists.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

#define ROWS 20000
#define BURST 5000 /* the last ones of ROWS, stored by one transaction */
#define ENDPOINTS 20
#define PAGE 50
#define STEP_MS 180000 /* over two months */

static struct error err;
static int64_t read_before;

/* ---- rows ---- */

/* SQL for both databases: the numbers from 1 on, and times and ids of row n. */
#define NUMBERS                                                                                                        \
	"WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 20000), "                           \
	"m AS (SELECT n, 1767225600000 + CAST(n AS bigint) * 180000 AS ms, "                                           \
	"1767225600000 + CAST(CASE WHEN n > 15000 THEN 15000 ELSE n END AS bigint) * 180000 AS stored_ms FROM g) "
#define PG_ID(last) "CAST(lpad(to_hex(ms), 12, '0') || '70008000' || lpad(to_hex(n), 8, '0') || '" last "' AS uuid)"
#define SQLITE_ID(last) "printf('%08x-%04x-7000-8000-%08x" last "', ms >> 16, ms & 65535, n)"
#define ENDPOINT "'11111111-1111-1111-1111-1111111111' || CAST(10 + n % 20 AS text)"
#define BOTH_IDS(into, last, values)                                                                                   \
	BOTH(NUMBERS into " SELECT $1, " PG_ID(last) ", " PG_ID("0000") ", CAST(" ENDPOINT " AS uuid), " values        \
									" FROM m",                                     \
	    NUMBERS into " SELECT $1, " SQLITE_ID(last) ", " SQLITE_ID("0000") ", " ENDPOINT ", " values " FROM m")

static void
fill(const struct db_statement *statement)
{
	must_begin(jobs_db);
	must_run(jobs_db, statement, PARAMS(db_string(jobs_tenant)));
	must_commit(jobs_db);
}

static void
fill_all(void)
{
	fill(BOTH(NUMBERS
	    "INSERT INTO events (tenant_id, event_id, created_at, occurred_at, stored_at, job_count, topic) "
	    "SELECT $1, " PG_ID("0000") ", hl_time(ms), hl_time(ms), hl_time(stored_ms), 1, 'a.b' FROM m",
	    NUMBERS "INSERT INTO events (tenant_id, event_id, created_at, occurred_at, stored_at, job_count, topic) "
		    "SELECT $1, " SQLITE_ID("0000") ", ms, ms, stored_ms, 1, 'a.b' FROM m"));
	fill(BOTH_IDS(
	    "INSERT INTO jobs (tenant_id, job_id, event_id, endpoint_id, node_id, status)", "0001", "1, 'pending'"));
	fill(BOTH_IDS("INSERT INTO attempts (tenant_id, attempt_id, event_id, endpoint_id, started_at, duration_ms, "
		      "attempt_n, status)",
	    "0002", "hl_time(ms), 1, 1, 'failure'"));
	fill(BOTH_IDS("INSERT INTO dlq (tenant_id, job_id, event_id, endpoint_id, created_at, occurred_at, reason, "
		      "attempt_count, topic)",
	    "0003", "hl_time(ms), hl_time(ms), 'expired', 1, 'a.b'"));
}

/* The id of row n, as in fill_all(). */
static const char *
id_of(uint32_t n, const char *last)
{
	static char id[40];
	int64_t ms = SOME_MS + n * (int64_t)STEP_MS;

	(void)snprintf(
	    id, sizeof id, "%08x-%04x-7000-8000-%08x%s", (unsigned)(ms >> 16), (unsigned)(ms & 0xffff), n, last);
	return id;
}

/* ---- counts of read rows ---- */

static bool
is_postgres(void)
{
	return db_config.hl_store == HL_STORE_POSTGRES;
}

/* PostgreSQL before 15 counts rows up to half a second after they were read. */
static bool
counts_at_once(void)
{
	return is_postgres() &&
	       must_count(jobs_db, "SELECT CAST(current_setting('server_version_num') AS bigint)") >= 150000;
}

/* Rows that this transaction has not reported yet, and rows that are reported. */
static int64_t
rows_read(void)
{
	return counts_at_once()
		   ? must_count(jobs_db, "SELECT CAST(sum(read) AS bigint) FROM (SELECT seq_tup_read + "
					 "COALESCE(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables UNION ALL "
					 "SELECT seq_tup_read + COALESCE(idx_tup_fetch, 0) FROM "
					 "pg_stat_user_tables) AS counts (read)")
		   : 0;
}

static struct list_slice
slice_behind(uint32_t n, const char *last, bool descending)
{
	return (struct list_slice){.after = id_of(n, last),
	    .after_us = (SOME_MS + (int64_t)n * STEP_MS) * 1000,
	    .descending = descending,
	    .limit = PAGE};
}

/* The list must begin with that id and have so many rows, and at most so many rows may have been read. */
static void
must_show(int rc, struct db_rows *rows, uint32_t count, const char *first_id, int64_t most)
{
	int64_t read;

	must_be(0, rc, &err);
	assert_int_equal(db_rows_count(rows), count);
	if (count > 0)
		must_equal(db_rows_text(rows, 0, 0), first_id);
	db_rows_free(rows);
	read = rows_read() - read_before;
	if (read > most)
		fail_msg("%d rows were read for a page that begins with %s", (int)read, first_id);
}

static void
events(uint32_t behind, bool descending, uint32_t first, int64_t most)
{
	const struct event_filter filter = {.created = TIME_RANGE_ALL};
	struct list_slice slice = slice_behind(behind, "0000", descending);
	struct db_rows *rows = NULL;
	int rc;

	read_before = rows_read();
	rc = event_lists_list(jobs_db, jobs_tenant, &filter, &slice, &rows, &err);
	must_show(rc, rows, PAGE, id_of(first, "0000"), most);
}

static void
check_events(void)
{
	events(0, false, 1, 2 * PAGE);
	events(9000, false, 9001, 2 * PAGE);
	/* Rows of one time are in the order of ids: these are read, and no others. */
	events(15000, false, 15001, BURST + 2 * PAGE);
	events(ROWS + 1, true, ROWS, 2 * PAGE);
	events(9000, true, 8999, 2 * PAGE);
}

static void
attempts(const char *event, uint32_t behind, bool descending, uint32_t count, uint32_t first)
{
	const struct attempt_filter filter = {.event_id = event, .started = TIME_RANGE_ALL};
	struct list_slice slice = slice_behind(behind, "0002", descending);
	struct db_rows *rows = NULL;
	int rc;

	read_before = rows_read();
	rc = attempt_lists_list(jobs_db, jobs_tenant, &filter, &slice, &rows, &err);
	must_show(rc, rows, count, id_of(first, "0002"), 2 * PAGE);
}

static void
check_attempts(void)
{
	char event[40];

	attempts(NULL, 0, false, PAGE, 1);
	attempts(NULL, 9000, false, PAGE, 9001);
	attempts(NULL, 9000, true, PAGE, 8999);
	(void)snprintf(event, sizeof event, "%s", id_of(9000, "0000"));
	attempts(event, 0, false, 1, 9000);
	attempts(event, ROWS, true, 1, 9000);
}

static void
dead_letters(uint32_t behind, bool descending, uint32_t first)
{
	const struct dead_letter_filter filter = {.created = TIME_RANGE_ALL};
	struct list_slice slice = slice_behind(behind, "0003", descending);
	struct db_rows *rows = NULL;
	int rc;

	read_before = rows_read();
	rc = dead_letter_lists_list(jobs_db, jobs_tenant, &filter, &slice, &rows, &err);
	must_show(rc, rows, PAGE, id_of(first, "0003"), 2 * PAGE);
}

static void
check_dead_letters(void)
{
	dead_letters(0, false, 1);
	dead_letters(9000, false, 9001);
	dead_letters(9000, true, 8999);
	dead_letters(ROWS + 1, true, ROWS);
}

static void
jobs(const struct job_filter *filter, uint32_t behind, bool descending, uint32_t count, uint32_t first)
{
	struct list_slice slice = slice_behind(behind, "0001", descending);
	struct db_rows *rows = NULL;
	int rc;

	read_before = rows_read();
	rc = job_lists_list(jobs_db, jobs_tenant, filter, &slice, &rows, &err);
	must_show(rc, rows, count, id_of(first, "0001"), ENDPOINTS * (PAGE + 2));
}

static void
check_jobs(void)
{
	char event[40];
	const struct job_filter of_endpoint = {.endpoint_id = "11111111-1111-1111-1111-111111111110"};
	const struct job_filter of_event = {.event_id = event};
	const struct job_filter of_both = {.event_id = event, .endpoint_id = "11111111-1111-1111-1111-111111111110"};

	(void)snprintf(event, sizeof event, "%s", id_of(9000, "0000"));
	for (int descending = 0; descending < 2; descending++) {
		jobs(&(struct job_filter){0}, 9000, descending, PAGE, descending ? 8999 : 9001);
		jobs(&of_endpoint, 9000, descending, PAGE, descending ? 8980 : 9020);
		jobs(&of_event, descending ? ROWS : 0, descending, 1, 9000);
		jobs(&of_both, descending ? ROWS : 0, descending, 1, 9000);
		jobs(&of_event, 9000, descending, 0, 9000);
	}
	jobs(&(struct job_filter){.status = "pending"}, ROWS - 30, false, 30, ROWS - 29);
	jobs(&(struct job_filter){.status = "pending"}, 31, true, 30, 30);
}

/* ---- tests ---- */

static int
set_up(void **state)
{
	int rc = jobs_set_up(state);

	(void)jobs_new_tenant(state);
	if (is_postgres())
		tenant_run(
		    "SELECT create_monthly_partition('events', 2026, 1), create_monthly_partition('events', 2026, 2), "
		    "create_monthly_partition('attempts', 2026, 1), create_monthly_partition('attempts', 2026, 2) "
		    "FROM tenants WHERE tenant_id = $1");
	fill_all();
	return rc;
}

static void
test_a_page_reads_about_as_many_rows_as_it_shows(void **state)
{
	check_events();
	check_attempts();
	check_dead_letters();
	check_jobs();
}

static void
test_a_page_reads_as_few_rows_after_analyze(void **state)
{
	must_begin(jobs_db);
	must_run(jobs_db, SAME("ANALYZE"), NULL, 0);
	must_commit(jobs_db);
	test_a_page_reads_about_as_many_rows_as_it_shows(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_page_reads_about_as_many_rows_as_it_shows),
	    cmocka_unit_test(test_a_page_reads_as_few_rows_after_analyze),
	};

	return cmocka_run_group_tests(tests, set_up, jobs_tear_down);
}
