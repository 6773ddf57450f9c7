/*
 * A store that differs from the last start's starts paused when jobs wait in it. It is an SQLite file and, if
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
#include <sys/stat.h>
#include <unistd.h>

#include "courier/copy_guard.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

static char data_dir[] = "/tmp/hooks-copy-guard-XXXXXX", tenant[] = "default", one[] = "one", other[] = "other";
static struct error err;

static const char *
path(void)
{
	static char text[128];

	(void)snprintf(text, sizeof text, "%s/" STORE_FILE, data_dir);
	return text;
}

static int
set_up(void **state)
{
	assert_non_null(mkdtemp(data_dir));
	int rc = jobs_set_up(state);

	db_config.data_dir = data_dir;
	db_config.hl_tenant_id = tenant;
	return rc;
}

static int
tear_down(void **state)
{
	(void)unlink(path());
	return jobs_tear_down(state) | rmdir(data_dir);
}

static void
run(const char *sql)
{
	must_begin(jobs_db);
	must_run(jobs_db, SAME(sql), NULL, 0);
	must_commit(jobs_db);
}

/* Set-up of a test: a store without jobs and without an identity. */
static int
begin(void **state)
{
	(void)unlink(path());
	db_config.hl_deployment = NULL;
	int rc = jobs_new_tenant(state);

	run("DELETE FROM jobs");
	run("DELETE FROM pauses");
	run("DELETE FROM store_identity");
	run("DELETE FROM audit_log");
	return rc;
}

static void
check(void)
{
	must_be(0, copy_guard_check(&db_config, jobs_db, &err), &err);
}

static void
start_with_job(void)
{
	check();
	add_job(1, 1, 0);
}

static int64_t
pauses_of_the_service(void)
{
	return must_count(jobs_db, "SELECT count(*) FROM pauses WHERE tenant_id = '*' AND paused_by IS NULL");
}

static void
must_be_paused_for(const char *why)
{
	struct db_rows *rows = must_read(jobs_db, SAME("SELECT reason FROM pauses WHERE tenant_id = '*'"), NULL, 0);

	assert_int_equal(db_rows_count(rows), 1);
	assert_non_null(strstr(db_rows_text(rows, 0, 0).base, why));
	assert_non_null(strstr(db_rows_text(rows, 0, 0).base, " 1 jobs wait"));
	db_rows_free(rows);
	assert_int_equal(pauses_of_the_service(), 1);
	assert_int_equal(must_count(jobs_db, "SELECT count(*) FROM audit_log WHERE tenant_id = 'default' "
					     "AND action = 'deliveries.pause' AND key_id = 'service'"),
	    1);
	/* Deliveries that were resumed are not paused again. */
	run("DELETE FROM pauses");
	check();
	assert_int_equal(pauses_of_the_service(), 0);
}

static void
test_a_first_start_and_a_plain_restart_pause_nothing(void **state)
{
	start_with_job();
	check();
	assert_int_equal(must_count(jobs_db, "SELECT count(*) FROM store_identity WHERE store_id <> ''"), 1);
	assert_int_equal(must_count(jobs_db, "SELECT count(*) FROM pauses"), 0);
}

static void
test_a_start_with_another_hl_deployment_pauses(void **state)
{
	int64_t version;

	db_config.hl_deployment = one;
	start_with_job();
	version = must_count(jobs_db, "SELECT version FROM changes");
	db_config.hl_deployment = other;
	check();
	assert_true(must_count(jobs_db, "SELECT version FROM changes") > version);
	must_be_paused_for("HL_DEPLOYMENT");
	db_config.hl_deployment = NULL; /* a deployment without a name is another one also */
	check();
	assert_int_equal(pauses_of_the_service(), 1);
}

static void
test_a_copy_without_waiting_jobs_is_not_paused(void **state)
{
	db_config.hl_deployment = one;
	check();
	db_config.hl_deployment = other;
	check();
	add_job(1, 1, 0);
	check();
	assert_int_equal(must_count(jobs_db, "SELECT count(*) FROM pauses"), 0);
	assert_int_equal(must_count(jobs_db, "SELECT count(*) FROM store_identity WHERE deployment = 'other'"), 1);
}

static void
test_a_copy_with_an_unfinished_replay_is_paused(void **state)
{
	check();
	tenant_run(
	    "INSERT INTO replays (tenant_id, replay_id, status, request, node_id, created_at, "
	    "updated_at) VALUES ($1, '11111111-1111-1111-1111-111111111101', 'running', '{}', 1, hl_now(), hl_now())");
	db_config.hl_deployment = other;
	check();
	assert_int_equal(pauses_of_the_service(), 1);
	run("DELETE FROM replays");
}

/* As a server whose data directory initdb has made anew, or a DATA_DIR whose file is lost. */
static void
make_a_copy(void)
{
	if (db_config.hl_store == HL_STORE_POSTGRES)
		run("UPDATE store_identity SET store_id = '1'");
	else
		assert_int_equal(unlink(path()), 0);
}

static void
test_a_copy_is_paused_and_gets_an_identity_of_its_own(void **state)
{
	struct db_rows *before, *after;

	start_with_job();
	make_a_copy();
	before = must_read(jobs_db, SAME("SELECT store_id FROM store_identity"), NULL, 0);
	check();
	after = must_read(jobs_db, SAME("SELECT store_id FROM store_identity"), NULL, 0);
	assert_string_not_equal(db_rows_text(before, 0, 0).base, db_rows_text(after, 0, 0).base);
	db_rows_free(before);
	db_rows_free(after);
	must_be_paused_for(db_config.hl_store == HL_STORE_POSTGRES ? "server" : "DATA_DIR");
}

/* The move's mark is newer than the connection. */
static void
test_a_store_that_is_being_moved_or_was_moved_is_refused_and_not_changed(void **state)
{
	static const char *const marks[] = {"move 0123", "moved 0123"};

	start_with_job();
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		const struct db_param mark[] = {db_string(marks[i])};
		struct db_rows *after;

		must_begin(jobs_db);
		must_run(jobs_db, SAME("UPDATE store_identity SET store_id = $1"), mark, 1);
		must_commit(jobs_db);
		assert_true(copy_guard_check(&db_config, jobs_db, &err) < 0);
		after = must_read(jobs_db, SAME("SELECT store_id FROM store_identity"), NULL, 0);
		assert_string_equal(db_rows_text(after, 0, 0).base, marks[i]);
		db_rows_free(after);
		assert_int_equal(pauses_of_the_service(), 0);
	}
}

static void
test_a_lost_data_dir_pauses_nothing_over_postgres(void **state)
{
	if (db_config.hl_store != HL_STORE_POSTGRES)
		return; /* SQLite has nothing else to recognise its file by */
	start_with_job();
	assert_int_equal(access(path(), F_OK), -1);
	check();
	assert_int_equal(must_count(jobs_db, "SELECT count(*) FROM pauses"), 0);
}

static void
test_a_damaged_identity_file_counts_as_none(void **state)
{
	FILE *file;

	if (db_config.hl_store == HL_STORE_POSTGRES)
		return;
	start_with_job();
	file = fopen(path(), "w");
	assert_true(fputs("hl-store 1 00000000-0000-0000-0000-000000000000 00000000\n", file) > 0);
	assert_int_equal(fclose(file), 0);
	check();
	assert_int_equal(pauses_of_the_service(), 1);
}

static void
test_an_identity_file_that_cannot_be_written_changes_nothing(void **state)
{
	char fresh[160];

	if (db_config.hl_store == HL_STORE_POSTGRES)
		return;
	start_with_job();
	make_a_copy();
	(void)snprintf(fresh, sizeof fresh, "%s.new", path());
	assert_int_equal(mkdir(fresh, 0700), 0);
	assert_true(copy_guard_check(&db_config, jobs_db, &err) < 0);
	assert_non_null(strstr(err.text, STORE_FILE));
	assert_int_equal(must_count(jobs_db, "SELECT count(*) FROM pauses"), 0);
	assert_int_equal(rmdir(fresh), 0);
	check();
	assert_int_equal(pauses_of_the_service(), 1);
}

#define TEST(test) cmocka_unit_test_setup(test, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_first_start_and_a_plain_restart_pause_nothing),
	    TEST(test_a_start_with_another_hl_deployment_pauses),
	    TEST(test_a_copy_without_waiting_jobs_is_not_paused),
	    TEST(test_a_copy_with_an_unfinished_replay_is_paused),
	    TEST(test_a_copy_is_paused_and_gets_an_identity_of_its_own),
	    TEST(test_a_store_that_is_being_moved_or_was_moved_is_refused_and_not_changed),
	    TEST(test_a_lost_data_dir_pauses_nothing_over_postgres),
	    TEST(test_a_damaged_identity_file_counts_as_none),
	    TEST(test_an_identity_file_that_cannot_be_written_changes_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
