/* When a transaction of the embedded store is on the disk: before others may write, or, if asked for, after that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store/webhooks_store.h"

static char directory[] = "/tmp/hooks-db-sync-XXXXXX", path[64];
static struct config config;
static struct db *db;
static bool has_turn, disk_fails;
static int syncs_in_turn, syncs_without_turn;

/* SQLite and store/sqlite call this function instead of the C library's. It counts, and fails while the disk fails. */
int
fdatasync(int fd)
{
	if (has_turn)
		syncs_in_turn++;
	else
		syncs_without_turn++;
	if (disk_fails) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static int
take(void *context, int64_t (*until_us)(void *), void *until_context, struct error *err)
{
	(void)context, (void)until_us, (void)until_context, (void)err;
	assert_false(has_turn);
	has_turn = true;
	return 0;
}

static void
give(void *context)
{
	(void)context;
	assert_true(has_turn);
	has_turn = false;
}

static const struct db_env env = {.take_write_turn = take, .give_write_turn = give};

static int
set_up(void **state)
{
	struct error err;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof path, "%s/hookline.db", directory);
	config = (struct config){
	    .hl_store = HL_STORE_EMBEDDED, .hl_data_path = path, .auto_migrate = true, .store_timeout_ms = 20000};
	return db_open(&db, &config, &env, &err);
}

static int
tear_down(void **state)
{
	(void)state;
	db_close(db);
	return unlink(path) | rmdir(directory);
}

/* Returns the result of the commit. The counts of syncs are those of this transaction. */
static int
change(struct error *err)
{
	static const struct db_statement statement = {.postgres = "UPDATE changes SET version = version + 1"};

	assert_int_equal(db_begin(db, err), 0);
	assert_int_equal(db_query(db, &statement, NULL, 0, NULL, err), 0);
	syncs_in_turn = syncs_without_turn = 0;
	return db_commit(db, err);
}

static void
test_a_transaction_is_on_the_disk_before_another_process_writes(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(change(&err), 0); /* begins the log, which takes more syncs */
	assert_int_equal(change(&err), 0);
	assert_int_equal(syncs_in_turn, 1);
	assert_int_equal(syncs_without_turn, 0);
}

static void
test_a_transaction_that_is_synced_late_lets_others_write_and_is_on_the_disk_when_its_commit_returns(void **state)
{
	struct error err;

	(void)state;
	db_sync_late(db, true);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(change(&err), 0);
		assert_int_equal(syncs_in_turn, 0);
		assert_int_equal(syncs_without_turn, 1);
	}
	db_sync_late(db, false);
	assert_int_equal(change(&err), 0);
	assert_int_equal(syncs_in_turn, 1);
	assert_int_equal(syncs_without_turn, 0);
}

static void
test_a_late_sync_that_fails_leaves_the_commit_in_doubt_and_the_next_one_succeeds(void **state)
{
	struct error err;

	(void)state;
	db_sync_late(db, true);
	disk_fails = true;
	assert_true(change(&err) < 0);
	assert_non_null(strstr(err.text, "cannot sync the log of HL_DATA_PATH="));
	assert_non_null(strstr(err.text, strerror(EIO)));
	disk_fails = false;
	db_rollback(db);
	assert_int_equal(change(&err), 0); /* begins the log */
	assert_int_equal(change(&err), 0);
	assert_int_equal(syncs_in_turn, 0);
	assert_int_equal(syncs_without_turn, 1);
	db_sync_late(db, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_transaction_is_on_the_disk_before_another_process_writes),
	    cmocka_unit_test(
		test_a_transaction_that_is_synced_late_lets_others_write_and_is_on_the_disk_when_its_commit_returns),
	    cmocka_unit_test(test_a_late_sync_that_fails_leaves_the_commit_in_doubt_and_the_next_one_succeeds),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
