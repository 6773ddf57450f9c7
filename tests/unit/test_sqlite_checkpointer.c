/* The checkpointer writes a long log outside of the committing call, and no log grows for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/sqlite/sqlite_checkpointer.h"

#define PATIENCE_US ((int64_t)60 * 1000000)
#define ROW_PAGES 8 /* roughly, pages of log for each commit */

static char directory[] = "/tmp/hooks-checkpointer-XXXXXX";
static char path[128], log_path[136];
static sqlite3 *writer, *reader;
static struct sqlite_checkpointer *checkpointer;
static int fd, rows;
static pthread_t tester;
static atomic_int thread_syncs; /* syncs by the checkpointer's thread */
static atomic_bool disk_fails; /* for the checkpointer's thread */
static bool commits_meanwhile; /* another process commits during each sync */
static bool has_turn; /* this process has the write turn, and the other one waits */

static void
must(sqlite3 *db, const char *sql)
{
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* Replaces the C library's. SQLite calls it. */
int
fdatasync(int file)
{
	if (!pthread_equal(pthread_self(), tester)) {
		atomic_fetch_add(&thread_syncs, 1);
		if (disk_fails) {
			errno = EIO;
			return -1;
		}
	} else if (commits_meanwhile && !has_turn) {
		must(reader, "INSERT INTO t (bytes) VALUES (randomblob(10))");
		rows++;
	}
	return (int)syscall(SYS_fdatasync, file);
}

static int
number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int value = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static void
commit_row(void)
{
	has_turn = true;
	must(writer, "INSERT INTO t (bytes) VALUES (randomblob(30000))");
	rows++;
	sqlite_checkpointer_in_turn(checkpointer);
	has_turn = false;
	sqlite_checkpointer_after_commit(checkpointer);
}

/* The checkpoint sequence number in the head of the log. It changes when the log begins anew. */
static uint32_t
log_number(void)
{
	uint32_t word = 0;
	int log = open(log_path, O_RDONLY | O_CLOEXEC);

	assert_true(log >= 0);
	assert_int_equal(pread(log, &word, sizeof word, 12), sizeof word);
	close(log);
	return word;
}

static int
setup(void **state)
{
	(void)state;
	(void)snprintf(path, sizeof path, "%s/test.db", directory);
	(void)snprintf(log_path, sizeof log_path, "%s-wal", path);
	assert_int_equal(sqlite3_open(path, &writer), SQLITE_OK);
	must(writer, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
		     "CREATE TABLE t (bytes BLOB)");
	assert_int_equal(sqlite3_open(path, &reader), SQLITE_OK);
	fd = open(path, O_PATH | O_CLOEXEC);
	checkpointer = sqlite_checkpointer_start(writer, fd);
	rows = thread_syncs = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	sqlite_checkpointer_stop(checkpointer);
	sqlite3_close(reader);
	assert_int_equal(number(writer, "SELECT count(*) FROM t"), rows);
	assert_int_equal(number(writer, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
	assert_int_equal(sqlite3_close(writer), SQLITE_OK);
	close(fd);
	unlink(path);
	return 0;
}

static void
begin_to_read(void)
{
	must(reader, "BEGIN");
	(void)number(reader, "SELECT count(*) FROM t");
}

static void
test_the_committing_calls_make_a_short_log_begin_anew(void **state)
{
	(void)state;
	commit_row();
	uint32_t first = log_number();
	for (int i = 0; i < 4000 / ROW_PAGES && log_number() == first; i++)
		commit_row();
	assert_int_not_equal(log_number(), first);
}

static void
test_a_log_that_a_reader_has_made_long_begins_anew_after_the_reader(void **state)
{
	(void)state;
	commit_row();
	uint32_t first = log_number();
	begin_to_read();
	for (int i = 0; i < 8000 / ROW_PAGES; i++)
		commit_row();
	assert_int_equal(log_number(), first);
	must(reader, "COMMIT");
	int64_t until_us = clock_steady_us() + PATIENCE_US;
	while (log_number() == first && clock_steady_us() < until_us)
		commit_row();
	assert_int_not_equal(log_number(), first);
	assert_in_range(thread_syncs, 8000 * 4096 / (1 << 20), INT32_MAX);
}

static void
test_a_log_stays_while_the_disk_fails(void **state)
{
	(void)state;
	commit_row();
	uint32_t first = log_number();
	begin_to_read();
	for (int i = 0; i < 8000 / ROW_PAGES; i++)
		commit_row();
	must(reader, "COMMIT");
	disk_fails = true;
	int64_t until_us = clock_steady_us() + PATIENCE_US;
	for (int failed = thread_syncs + 3; thread_syncs < failed && clock_steady_us() < until_us;)
		commit_row();
	assert_int_equal(log_number(), first);
	disk_fails = false;
	while (log_number() == first && clock_steady_us() < until_us)
		commit_row();
	assert_int_not_equal(log_number(), first);
}

static void
test_a_log_begins_anew_although_another_process_commits_during_each_checkpoint(void **state)
{
	(void)state;
	must(writer, "PRAGMA synchronous = FULL");
	must(reader, "PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0");
	commit_row();
	uint32_t first = log_number();
	commits_meanwhile = true;
	for (int i = 0; i < 8000 / ROW_PAGES && log_number() == first; i++)
		commit_row();
	commits_meanwhile = false;
	assert_int_not_equal(log_number(), first);
}

/* A database with a log of its own. */
static void
make_other(const char *other)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(other, &db), SQLITE_OK);
	assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
	must(db, "PRAGMA journal_mode = WAL; CREATE TABLE other (bytes BLOB)");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
test_a_database_that_replaced_the_file_is_left_alone(void **state)
{
	char other[160], moved[160], companion[168];
	struct stat before, after;

	(void)state;
	(void)snprintf(other, sizeof other, "%s/other.db", directory);
	(void)snprintf(moved, sizeof moved, "%s/moved.db", directory);
	make_other(other);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(rename(other, path), 0);
	assert_int_equal(stat(path, &before), 0);
	begin_to_read();
	for (int i = 0; i < 8000 / ROW_PAGES; i++)
		commit_row();
	must(reader, "COMMIT");
	for (int i = 0; i < 50; i++)
		commit_row();
	sqlite_checkpointer_stop(checkpointer);
	checkpointer = NULL;
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(rename(moved, path), 0);
	unlink(other);
	(void)snprintf(companion, sizeof companion, "%s-wal", other);
	unlink(companion);
	(void)snprintf(companion, sizeof companion, "%s-shm", other);
	unlink(companion);
}

static void
test_a_stop_beside_a_long_log_loses_no_commit(void **state)
{
	(void)state;
	begin_to_read();
	for (int i = 0; i < 8000 / ROW_PAGES; i++)
		commit_row();
	must(reader, "COMMIT");
	commit_row(); /* the thread writes now, and the teardown stops it */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_the_committing_calls_make_a_short_log_begin_anew, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_log_that_a_reader_has_made_long_begins_anew_after_the_reader, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_log_begins_anew_although_another_process_commits_during_each_checkpoint, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_log_stays_while_the_disk_fails, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_database_that_replaced_the_file_is_left_alone, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_stop_beside_a_long_log_loses_no_commit, setup, teardown),
	};

	if (mkdtemp(directory) == NULL)
		return 1;
	tester = pthread_self();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
