/*
 * A reader holds an old state of the database: an open session has all commits on the disk, and its log does not grow
 * for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store/sqlite/sqlite_migrate.h"

static char directory[] = "/tmp/hooks-session-XXXXXX";
static char path[128];
static int log_syncs;
static bool log_syncs_fail;
static struct sqlite_session session;
static sqlite3 *reader;
static int beats, reader_ends_at; /* 0: never */

/* Replaces the C library's, for libsqlite3 also. */
int
fdatasync(int fd)
{
	char link[64], name[PATH_MAX];

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, name, sizeof name - 1);
	if (len > 4 && strncmp(name + len - 4, "-wal", 4) == 0) {
		log_syncs++;
		if (log_syncs_fail) {
			errno = EIO;
			return -1;
		}
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static void
must(sqlite3 *db, const char *sql)
{
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int
reopen(struct error *err)
{
	int applied;

	sqlite_session_close(&session);
	return sqlite_migrate_open(&session, true, &applied, err);
}

/* SQLite calls it for each try to get a lock. */
static void
heartbeat(void *context)
{
	if (++beats == reader_ends_at)
		must(reader, "COMMIT");
}

static const struct sink_env env = {.heartbeat = heartbeat};

/* A database, a reader of its first state, and a commit in the log that the reader does not see. */
static int
set_up(void **state)
{
	struct error err;

	log_syncs_fail = false;
	beats = reader_ends_at = 0;
	assert_non_null(mkdtemp(strcpy(directory, "/tmp/hooks-session-XXXXXX")));
	(void)snprintf(path, sizeof path, "%s/events.db", directory);
	sqlite_session_init(&session, &sqlite_events, path, &env);
	session.wait_ms = 100;
	assert_int_equal(reopen(&err), 0);
	must(session.db, "CREATE TABLE mine (n)");
	assert_int_equal(sqlite3_open(path, &reader), SQLITE_OK);
	must(reader, "BEGIN; SELECT * FROM mine");
	/*
	 * The database gets all of the log that the reader lets go, so that no later checkpoint has a reason to sync.
	 */
	must(session.db, "PRAGMA wal_checkpoint(PASSIVE); INSERT INTO mine VALUES (1)");
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = {"events.db", "events.db-wal", "events.db-shm"};
	char name[160];

	log_syncs_fail = false;
	sqlite_session_close(&session);
	(void)sqlite3_close(reader);
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(name, sizeof name, "%s/%s", directory, names[i]);
		(void)unlink(name);
	}
	return rmdir(directory);
}

/* A killed writer may not have synced the log that its successor finds. The successor acknowledges without writing. */
static void
test_an_opening_syncs_a_log_that_a_reader_keeps(void **state)
{
	struct error err;

	log_syncs = 0;
	assert_int_equal(reopen(&err), 0);
	assert_true(log_syncs > 0);
}

/* The kernel forgets which pages it could not write, so that a second sync proves nothing. */
static void
test_an_opening_after_a_failed_sync_waits_for_the_reader(void **state)
{
	struct error err = {""};

	log_syncs_fail = true;
	assert_int_equal(sqlite3_exec(session.db, "INSERT INTO mine VALUES (2)", NULL, NULL, NULL), SQLITE_IOERR_FSYNC);
	(void)sqlite_session_failed(&session, SQLITE_IOERR_FSYNC, &err);
	log_syncs_fail = false;
	assert_true(reopen(&err) < 0);
	assert_non_null(strstr(err.text, "a sync has failed"));
	assert_true(reopen(&err) < 0);
	must(reader, "COMMIT");
	assert_int_equal(reopen(&err), 0);
}

/* Otherwise overlapping readers would let the log grow for ever. */
static void
test_a_checkpoint_of_a_large_log_waits_for_readers(void **state)
{
	struct error err;
	uint64_t left;

	must(session.db, "INSERT INTO mine VALUES (zeroblob(70000000))");
	reader_ends_at = 60;
	assert_int_equal(sqlite_session_checkpoint(&session, &left, &err), 0);
	assert_int_equal(left, 0);
	assert_true(beats >= 60);
}

static void
test_a_checkpoint_of_a_small_log_delays_events_for_a_moment_only(void **state)
{
	struct error err;
	uint64_t left;

	reader_ends_at = 60;
	assert_int_equal(sqlite_session_checkpoint(&session, &left, &err), 0);
	assert_true(left > 0);
	assert_true(beats < 60);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_an_opening_syncs_a_log_that_a_reader_keeps),
	    TEST(test_an_opening_after_a_failed_sync_waits_for_the_reader),
	    TEST(test_a_checkpoint_of_a_large_log_waits_for_readers),
	    TEST(test_a_checkpoint_of_a_small_log_delays_events_for_a_moment_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
