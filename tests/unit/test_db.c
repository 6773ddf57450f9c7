/*
 * A connection to the webhooks' store does the same on both databases: on an SQLite file of its own, and, if
 * HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), on PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/db_refusal.h"
#include "tests/unit/db_fixture.h"

static int
run(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count)
{
	struct error err = {""};

	return db_query(db, statement, params, count, NULL, &err);
}

static int64_t
count(struct db *db)
{
	return must_count(db, "SELECT count(*) FROM things");
}

static int
fresh_table(void **state)
{
	struct db *db = must_open();

	must_begin(db);
	must_run(db, SAME("DROP TABLE IF EXISTS parts"), NULL, 0);
	must_run(db, SAME("DROP TABLE IF EXISTS things"), NULL, 0);
	must_run(db,
	    BOTH("CREATE TABLE things (id uuid PRIMARY KEY, name text UNIQUE, n bigint, flag boolean, "
		 "at timestamptz, doc json, CHECK (n < 100))",
		"CREATE TABLE things (id TEXT PRIMARY KEY, name TEXT UNIQUE, n INTEGER, flag INTEGER, at INTEGER, doc "
		"TEXT, CHECK (n < 100)) STRICT"),
	    NULL, 0);
	must_run(db,
	    BOTH("CREATE TABLE parts (thing uuid REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED)",
		"CREATE TABLE parts (thing TEXT REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED) STRICT"),
	    NULL, 0);
	must_commit(db);
	db_close(db);
	return 0;
}

static const uint8_t id[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x7d, 0xef, 0x80, 1, 2, 3, 4, 5, 6, 7};
#define ID_TEXT "01234567-89ab-7def-8001-020304050607"

static const struct db_statement insert = {
    .postgres = "INSERT INTO things (id, name, n, flag, at, doc) VALUES ($1, $2, $3, $4, hl_time($5), $6)"};

static void
values_of_each_type_come_back(void **state)
{
	struct db *db = must_open();

	must_begin(db);
	must_run(db, &insert,
	    PARAMS(db_uuid(id), db_string("na\xc3\xafve"), db_int(-9007199254740993), db_bool(true),
		db_int(1795147200123), db_string("{\"b\": 1.0,  \"a\":9007199254740993}")));
	must_commit(db);
	struct db_rows *rows =
	    must_read(db, SAME("SELECT id, name, n, flag, hl_ms(at), doc FROM things WHERE id = $1 AND flag"),
		PARAMS(db_string(ID_TEXT)));
	assert_int_equal(db_rows_count(rows), 1);
	must_equal(db_rows_text(rows, 0, 0), ID_TEXT);
	must_equal(db_rows_text(rows, 0, 1), "na\xc3\xafve");
	assert_true(db_rows_int(rows, 0, 2) == -9007199254740993);
	assert_true(db_rows_bool(rows, 0, 3));
	assert_true(db_rows_int(rows, 0, 4) == 1795147200123);
	must_equal(db_rows_text(rows, 0, 5), "{\"b\": 1.0,  \"a\":9007199254740993}");
	db_rows_free(rows);
	db_close(db);
}

static void
null_is_not_an_empty_text(void **state)
{
	struct db *db = must_open();

	must_begin(db);
	must_run(db, &insert, PARAMS(db_uuid(id), db_string(""), db_null(), db_null(), db_null(), db_string(NULL)));
	must_commit(db);
	struct db_rows *rows = must_read(db, SAME("SELECT name, n, flag, hl_ms(at), doc FROM things"), NULL, 0);
	assert_false(db_rows_null(rows, 0, 0));
	assert_int_equal(db_rows_text(rows, 0, 0).len, 0);
	for (uint32_t column = 1; column < 5; column++) {
		assert_true(db_rows_null(rows, 0, column));
		assert_null(db_rows_text(rows, 0, column).base);
	}
	assert_int_equal(db_rows_int(rows, 0, 1), 0);
	assert_false(db_rows_bool(rows, 0, 2));
	db_rows_free(rows);
	db_close(db);
}

static void
a_parameter_is_found_by_its_number(void **state)
{
	struct db *db = must_open();
	struct db_rows *rows = must_read(db,
	    BOTH("SELECT $2::text || $1::text || $2::text, $11::bigint, $10::bigint, $3::text, $4::text, $5::text, "
		 "$6::text, $7::text, $8::text, $9::text",
		"SELECT $2 || $1 || $2, $11, $10, $3, $4, $5, $6, $7, $8, $9"),
	    PARAMS(db_string("a"), db_string("b"), db_null(), db_null(), db_null(), db_null(), db_null(), db_null(),
		db_null(), db_int(10), db_int(11)));

	must_equal(db_rows_text(rows, 0, 0), "bab");
	assert_int_equal(db_rows_int(rows, 0, 1), 11);
	assert_int_equal(db_rows_int(rows, 0, 2), 10);
	db_rows_free(rows);
	db_close(db);
}

static void
a_text_of_64_kib_is_kept_whole(void **state)
{
	struct db *db = must_open();
	size_t len = 65536;
	char *text = malloc(len);

	memset(text, 'x', len);
	must_begin(db);
	must_run(db, &insert, PARAMS(db_uuid(id), db_null(), db_null(), db_null(), db_null(), db_string("{}")));
	struct db_rows *rows = must_read(
	    db, BOTH("SELECT $1::text", "SELECT $1"), PARAMS(db_text((struct span){.base = text, .len = len})));
	must_commit(db);
	assert_int_equal(db_rows_text(rows, 0, 0).len, len);
	assert_memory_equal(db_rows_text(rows, 0, 0).base, text, len);
	db_rows_free(rows);
	free(text);
	db_close(db);
}

static void
texts_that_either_store_could_not_keep_are_refused(void **state)
{
	struct db *db = must_open();
	const struct db_statement *statement = BOTH("SELECT $1::text", "SELECT $1");

	assert_int_equal(run(db, statement, PARAMS(db_text((struct span){.base = "a\0b", .len = 3}))), DB_REFUSED);
	assert_int_equal(run(db, statement, PARAMS(db_string("a\xff"))), DB_REFUSED);
	assert_int_equal(run(db, statement, PARAMS(db_string("\xed\xa0\x80"))), DB_REFUSED);
	assert_int_equal(run(db, statement, PARAMS(db_string("fine"))), 0);
	db_close(db);
}

static void
must_be_refused(struct db *db, bool conflict, const struct db_param *params, size_t params_count)
{
	struct error err = {""};

	must_begin(db);
	must_be(DB_REFUSED, db_query(db, &insert, params, params_count, NULL, &err), &err);
	assert_int_equal(db_conflict(db), conflict);
	assert_true(err.text[0] != '\0');
	db_rollback(db);
}

static void
a_duplicate_key_is_a_conflict_and_other_refusals_are_none(void **state)
{
	static const uint8_t other[16] = {9};
	struct db *db = must_open();

	must_begin(db);
	must_run(db, &insert, PARAMS(db_uuid(id), db_string("taken"), db_int(1), db_null(), db_null(), db_null()));
	must_commit(db);
	must_be_refused(db, true, PARAMS(db_uuid(id), db_string("free"), db_int(1), db_null(), db_null(), db_null()));
	must_be_refused(
	    db, true, PARAMS(db_uuid(other), db_string("taken"), db_int(1), db_null(), db_null(), db_null()));
	must_be_refused(
	    db, false, PARAMS(db_uuid(other), db_string("free"), db_int(100), db_null(), db_null(), db_null()));
	assert_int_equal(count(db), 1);
	db_close(db);
}

static void
rows_that_a_commit_refuses_are_not_stored(void **state)
{
	struct db *db = must_open();
	struct error err = {""};

	must_begin(db);
	must_run(db, &insert, PARAMS(db_uuid(id), db_null(), db_null(), db_null(), db_null(), db_null()));
	must_run(db, SAME("INSERT INTO parts (thing) VALUES ($1)"),
	    PARAMS(db_string("00000000-0000-0000-0000-000000000000")));
	must_be(DB_REFUSED, db_commit(db, &err), &err);
	assert_false(db_conflict(db));
	db_rollback(db);
	assert_int_equal(count(db), 0);
	db_close(db);
}

static void
rows_of_a_transaction_that_is_rolled_back_or_closed_are_not_stored(void **state)
{
	struct db *db = must_open();

	for (int times = 0; times < 2; times++) {
		must_begin(db);
		must_run(db, &insert, PARAMS(db_uuid(id), db_null(), db_null(), db_null(), db_null(), db_null()));
		assert_int_equal(count(db), 1);
		db_rollback(db);
		db_rollback(db);
		assert_int_equal(count(db), 0);
	}
	must_begin(db);
	must_run(db, &insert, PARAMS(db_uuid(id), db_null(), db_null(), db_null(), db_null(), db_null()));
	db_close(db);
	db = must_open();
	assert_int_equal(count(db), 0);
	db_close(db);
}

static void
rows_that_a_statement_returns_are_read(void **state)
{
	struct db *db = must_open();

	must_begin(db);
	must_run(db, &insert, PARAMS(db_uuid(id), db_null(), db_int(1), db_null(), db_null(), db_null()));
	struct db_rows *rows = must_read(
	    db, SAME("UPDATE things SET n = n + $1 WHERE id = $2 RETURNING n"), PARAMS(db_int(41), db_uuid(id)));
	assert_int_equal(db_rows_count(rows), 1);
	assert_int_equal(db_rows_int(rows, 0, 0), 42);
	db_rows_free(rows);
	rows = must_read(db, SAME("UPDATE things SET n = 1 WHERE n = $1 RETURNING n"), PARAMS(db_int(7)));
	assert_int_equal(db_rows_count(rows), 0);
	db_rows_free(rows);
	must_commit(db);
	db_close(db);
}

static void
now_is_the_same_throughout_a_transaction(void **state)
{
	struct db *db = must_open();
	int64_t times[2];

	must_begin(db);
	for (int i = 0; i < 2; i++) {
		struct db_rows *rows = must_read(db, SAME("SELECT hl_ms(hl_now())"), NULL, 0);
		times[i] = db_rows_int(rows, 0, 0);
		db_rows_free(rows);
		usleep(3000);
	}
	must_commit(db);
	assert_true(times[0] == times[1]);
	assert_true(llabs(times[0] - clock_wall_us() / 1000) < 60000);
	db_close(db);
}

static void
a_statement_that_takes_too_long_is_given_up_and_the_next_one_works(void **state)
{
	struct db *db = must_open();
	struct error err = {""};
	int64_t began_us = clock_steady_us();

	db_set_deadline(db, began_us + 200000);
	must_be(-1,
	    db_query(db,
		BOTH("SELECT pg_sleep(30)", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
					    "SELECT count(*) FROM n"),
		NULL, 0, NULL, &err),
	    &err);
	assert_in_range(clock_steady_us() - began_us, 200000, 2000000);
	db_set_deadline(db, INT64_MAX);
	assert_int_equal(count(db), 0);
	db_close(db);
}

static void
a_statement_waits_for_another_writer_until_the_deadline(void **state)
{
	struct db *one = must_open(), *other = must_open();
	struct error err = {""};

	must_begin(one);
	must_run(one, &insert, PARAMS(db_uuid(id), db_null(), db_null(), db_null(), db_null(), db_null()));
	db_set_deadline(other, clock_steady_us() + 200000);
	int rc = db_begin(other, &err);
	if (rc == 0)
		rc = db_query(other, &insert,
		    PARAMS(db_uuid(id), db_null(), db_null(), db_null(), db_null(), db_null()), NULL, &err);
	must_be(-1, rc, &err);
	db_rollback(other);
	must_commit(one);
	db_set_deadline(other, INT64_MAX);
	assert_int_equal(count(other), 1);
	db_close(one);
	db_close(other);
}

/* Whether the bytes that SQLite locks for readers are locked. An open database in WAL mode keeps them locked. */
static bool
file_is_locked(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510};
	int status;
	pid_t pid = fork(); /* a process does not see its own locks */

	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open(db_path, O_RDWR | O_CLOEXEC);

		_exit(fd < 0 || fcntl(fd, F_GETLK, &lock) != 0 ? 2 : lock.l_type != F_UNLCK);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 1;
}

static void
a_connection_that_opens_and_closes_leaves_the_locks_of_the_others(void **state)
{
	if (db_config.hl_store != HL_STORE_EMBEDDED)
		return;

	struct db *db = must_open();
	assert_int_equal(count(db), 0);
	assert_true(file_is_locked());
	db_close(must_open());
	assert_true(file_is_locked());
	db_close(db);
	assert_false(file_is_locked());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(values_of_each_type_come_back, fresh_table),
	    cmocka_unit_test_setup(null_is_not_an_empty_text, fresh_table),
	    cmocka_unit_test_setup(a_parameter_is_found_by_its_number, fresh_table),
	    cmocka_unit_test_setup(a_text_of_64_kib_is_kept_whole, fresh_table),
	    cmocka_unit_test_setup(texts_that_either_store_could_not_keep_are_refused, fresh_table),
	    cmocka_unit_test_setup(a_duplicate_key_is_a_conflict_and_other_refusals_are_none, fresh_table),
	    cmocka_unit_test_setup(rows_that_a_commit_refuses_are_not_stored, fresh_table),
	    cmocka_unit_test_setup(rows_of_a_transaction_that_is_rolled_back_or_closed_are_not_stored, fresh_table),
	    cmocka_unit_test_setup(rows_that_a_statement_returns_are_read, fresh_table),
	    cmocka_unit_test_setup(now_is_the_same_throughout_a_transaction, fresh_table),
	    cmocka_unit_test_setup(a_statement_that_takes_too_long_is_given_up_and_the_next_one_works, fresh_table),
	    cmocka_unit_test_setup(a_statement_waits_for_another_writer_until_the_deadline, fresh_table),
	    cmocka_unit_test_setup(a_connection_that_opens_and_closes_leaves_the_locks_of_the_others, fresh_table),
	};

	return cmocka_run_group_tests(tests, db_set_up, db_tear_down);
}
