/*
 * Many rows at once, checks with the commit, and heartbeats while a call waits are the same on both databases: on an
 * SQLite file and, if HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), on PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/db_refusal.h"
#include "tests/unit/db_fixture.h"

#define TEXT(literal) db_text((struct span){literal, sizeof(literal) - 1})

static int
fresh_table(void **state)
{
	struct db *db = must_open();

	must_begin(db);
	must_run(db, SAME("DROP TABLE IF EXISTS parts"), NULL, 0);
	must_run(db, SAME("DROP TABLE IF EXISTS things"), NULL, 0);
	must_run(db,
	    BOTH("CREATE TABLE things (id uuid PRIMARY KEY, name text, doc json, ids uuid[], small smallint, "
		 "middle int, large bigint, flag boolean, at timestamptz, CHECK (name <> 'refused'))",
		"CREATE TABLE things (id TEXT NOT NULL PRIMARY KEY, name TEXT, doc TEXT, ids TEXT, small INTEGER, "
		"middle INTEGER, large INTEGER, flag INTEGER, at INTEGER, CHECK (name <> 'refused')) STRICT"),
	    NULL, 0);
	must_run(db,
	    BOTH("CREATE TABLE parts (thing uuid REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED)",
		"CREATE TABLE parts (thing TEXT REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED) STRICT"),
	    NULL, 0);
	must_run(db,
	    BOTH("CREATE OR REPLACE FUNCTION must_be_same(text, text) RETURNS void LANGUAGE plpgsql AS 'BEGIN "
		 "IF $1 IS DISTINCT FROM $2 THEN RAISE EXCEPTION ''another'' USING ERRCODE = ''HL001''; END IF; END'",
		"SELECT 1"),
	    NULL, 0);
	must_commit(db);
	db_close(db);
	return 0;
}

static const enum db_type types[] = {DB_TYPE_UUID, DB_TYPE_TEXT, DB_TYPE_JSON, DB_TYPE_UUID_ARRAY, DB_TYPE_INT2,
    DB_TYPE_INT4, DB_TYPE_INT8, DB_TYPE_BOOL, DB_TYPE_TIME};
static const struct db_table things = {
    "things", "id, name, doc, ids, small, middle, large, flag, at", types, sizeof types / sizeof *types};

/* The first two columns of the same table. */
static const struct db_table names = {"things", "id, name", types, 2};

static const uint8_t id[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x7d, 0xef, 0x80, 1, 2, 3, 4, 5, 6, 7};
#define ID_TEXT "01234567-89ab-7def-8001-020304050607"

#define SELECT_ALL                                                                                                     \
	BOTH(                                                                                                          \
	    "SELECT id, name, doc, array_to_json(ids), small, middle, large, flag, hl_ms(at) FROM things ORDER BY id", \
	    "SELECT id, name, doc, ids, small, middle, large, flag, at FROM things ORDER BY id")

static void
rows_with_values_of_each_type_come_back(void **state)
{
	static const uint8_t last[16] = {0xff}, ids[2][16] = {{0xaa}, {0xbb}};
	struct db *db = must_open();
	struct error err = {""};
	const struct db_param values[] = {db_uuid(id), TEXT("na\xc3\xafve 'a\\b'"),
	    TEXT("{\"b\": 1.0,  \"a\":9007199254740993}"), db_uuids(ids, 2), db_int(-32768), db_int(2147483647),
	    db_int(INT64_MIN), db_bool(true), db_int(1795147200123999), db_uuid(last), TEXT(""), db_null(),
	    db_uuids(ids, 0), db_null(), db_null(), db_null(), db_bool(false), db_int(-1)};

	must_begin(db);
	must_be(0, db_load(db, &things, values, 2, &err), &err);
	must_commit(db);
	struct db_rows *rows = must_read(db, SELECT_ALL, NULL, 0);
	assert_int_equal(db_rows_count(rows), 2);
	must_equal(db_rows_text(rows, 0, 0), ID_TEXT);
	must_equal(db_rows_text(rows, 0, 1), "na\xc3\xafve 'a\\b'");
	must_equal(db_rows_text(rows, 0, 2), "{\"b\": 1.0,  \"a\":9007199254740993}");
	must_equal(db_rows_text(rows, 0, 3),
	    "[\"aa000000-0000-0000-0000-000000000000\",\"bb000000-0000-0000-0000-000000000000\"]");
	assert_int_equal(db_rows_int(rows, 0, 4), -32768);
	assert_int_equal(db_rows_int(rows, 0, 5), 2147483647);
	assert_true(db_rows_int(rows, 0, 6) == INT64_MIN);
	assert_true(db_rows_bool(rows, 0, 7));
	assert_true(db_rows_int(rows, 0, 8) == 1795147200123);
	must_equal(db_rows_text(rows, 1, 1), "");
	must_equal(db_rows_text(rows, 1, 3), "[]");
	for (uint32_t column = 4; column < 7; column++)
		assert_true(db_rows_null(rows, 1, column));
	assert_true(db_rows_null(rows, 1, 2));
	assert_false(db_rows_null(rows, 1, 7));
	assert_false(db_rows_bool(rows, 1, 7));
	assert_int_equal(db_rows_int(rows, 1, 8), -1);
	db_rows_free(rows);
	db_close(db);
}

/* Makes rows from number `from` on, with names of so many bytes. Release them with free_rows(). */
static struct db_param *
make_rows(uint32_t from, uint32_t count, size_t bytes)
{
	struct db_param *values = calloc(2 * (size_t)count, sizeof *values);
	uint8_t(*ids)[16] = calloc(count, sizeof *ids);
	char *name = malloc(bytes);

	memset(name, 'n', bytes);
	for (uint32_t i = 0; i < count; i++) {
		(void)snprintf((char *)ids[i], sizeof ids[i], "%u", from + i);
		values[2 * i] = db_uuid(ids[i]);
		values[2 * i + 1] = db_text((struct span){name, bytes});
	}
	return values;
}

static void
free_rows(struct db_param *values)
{
	free((void *)(uintptr_t)values[0].text.base);
	free((void *)(uintptr_t)values[1].text.base);
	free(values);
}

static void
rows_are_added_in_any_number_and_again_and_again(void **state)
{
	static const uint32_t counts[] = {1, 1000, 0, 999};
	struct db *db = must_open();
	struct error err = {""};
	uint32_t from = 0;

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct db_param *values = make_rows(from, counts[i] + 1, 1000);

		must_begin(db);
		must_be(0, db_load(db, &names, values, counts[i], &err), &err);
		must_commit(db);
		from += counts[i];
		free_rows(values);
	}
	assert_int_equal(must_count(db, "SELECT count(*) FROM things"), 2000);
	assert_int_equal(must_count(db, "SELECT sum(length(name)) FROM things"), 2000 * 1000);
	db_close(db);
}

/* The call with that second row must be refused, and the connection must work after it. */
static void
must_refuse(
    struct db *db, const struct db_table *table, const struct db_param *row, bool conflict, const char *sqlstate)
{
	struct db_param values[2 * DB_COLUMNS_MAX];
	struct error err = {""};

	for (uint32_t i = 0; i < table->count; i++)
		values[i] = db_null();
	values[0] = db_uuid(id);
	memcpy(values + table->count, row, table->count * sizeof *row);
	must_begin(db);
	must_be(DB_REFUSED, db_load(db, table, values, 2, &err), &err);
	assert_int_equal(db_conflict(db), conflict);
	assert_string_equal(db_sqlstate(db), db_config.hl_store == HL_STORE_POSTGRES ? sqlstate : "");
	assert_true(err.text[0] != '\0');
	db_rollback(db);
	assert_int_equal(must_count(db, "SELECT count(*) FROM things"), 0);
}

static void
a_row_that_is_refused_takes_the_others_with_it(void **state)
{
	static const uint8_t other[16] = {9};
	static const enum db_type small_types[] = {DB_TYPE_UUID, DB_TYPE_INT2},
				  middle_types[] = {DB_TYPE_UUID, DB_TYPE_INT4};
	static const struct db_table small = {"things", "id, small", small_types, 2};
	static const struct db_table middle = {"things", "id, middle", middle_types, 2};
	struct db *db = must_open();

	must_refuse(db, &names, (struct db_param[]){db_uuid(id), TEXT("twice")}, true, "23505");
	must_refuse(db, &names, (struct db_param[]){db_uuid(other), TEXT("refused")}, false, "23514");
	must_refuse(db, &names, (struct db_param[]){db_null(), TEXT("x")}, false, "23502");
	must_refuse(db, &names, (struct db_param[]){db_uuid(other), TEXT("12345678a\0b")}, false, "");
	must_refuse(db, &names, (struct db_param[]){db_uuid(other), TEXT("12345678\xed\xa0\x80")}, false, "");
	must_refuse(db, &small, (struct db_param[]){db_uuid(other), db_int(32768)}, false, "");
	must_refuse(db, &middle, (struct db_param[]){db_uuid(other), db_int(-2147483649)}, false, "");
	db_close(db);
}

static const enum db_type change_types[] = {DB_TYPE_UUID, DB_TYPE_TEXT, DB_TYPE_TIME, DB_TYPE_INT2, DB_TYPE_BOOL};
static const struct db_each change = {
    {"UPDATE things SET name = new.name, at = new.at, small = new.small, flag = new.flag FROM unnest($1::uuid[], "
     "$2::text[], $3::timestamptz[], $4::smallint[], $5::boolean[]) AS new (id, name, at, small, flag) "
     "WHERE things.id = new.id RETURNING things.id, hl_ms(things.at), things.name",
	"UPDATE things SET name = $2, at = $3, small = $4, flag = $5 WHERE id = $1 RETURNING id, at, name"},
    change_types, 5};

static void
a_statement_for_many_rows_returns_the_rows_of_all(void **state)
{
	struct db *db = must_open();
	struct db_param *added = make_rows(0, 500, 10), values[501 * 5];
	struct db_rows *rows = NULL;
	struct error err = {""};
	bool seen[501] = {false};

	must_begin(db);
	must_be(0, db_load(db, &names, added, 500, &err), &err);
	for (int i = 0; i < 501; i++) {
		values[5 * i] = i < 500 ? added[2 * i] : db_uuid(id); /* the last row does not exist */
		values[5 * i + 1] = i % 2 == 0 ? db_null() : TEXT("new");
		values[5 * i + 2] = db_int(i * 1000ll);
		values[5 * i + 3] = db_int(i);
		values[5 * i + 4] = db_bool(i % 3 == 0);
	}
	for (int times = 0; times < 2; times++) {
		db_rows_free(rows);
		must_be(0, db_each(db, &change, values, 501, &rows, &err), &err);
	}
	must_commit(db);
	assert_int_equal(db_rows_count(rows), 500);
	for (uint32_t i = 0; i < 500; i++) {
		int64_t number = db_rows_int(rows, i, 1);

		assert_in_range(number, 0, 499);
		assert_false(seen[number]);
		seen[number] = true;
		assert_int_equal(db_rows_null(rows, i, 2), number % 2 == 0);
	}
	db_rows_free(rows);
	assert_int_equal(must_count(db, "SELECT count(*) FROM things WHERE name = 'new'"), 250);
	assert_int_equal(must_count(db, "SELECT count(*) FROM things WHERE flag"), 167);
	assert_int_equal(must_count(db, "SELECT sum(small) FROM things"), 499 * 250);
	free_rows(added);
	db_close(db);
}

static void
a_statement_for_no_row_does_nothing(void **state)
{
	struct db *db = must_open();
	struct db_rows *rows;
	struct error err = {""};

	must_begin(db);
	must_be(0, db_each(db, &change, NULL, 0, &rows, &err), &err);
	assert_int_equal(db_rows_count(rows), 0);
	db_rows_free(rows);
	must_be(0, db_each(db, &change, NULL, 0, NULL, &err), &err);
	must_commit(db);
	db_close(db);
}

static void
a_statement_that_is_refused_for_one_row_has_changed_none(void **state)
{
	struct db *db = must_open();
	struct db_param *added = make_rows(0, 2, 10);
	struct error err = {""};

	must_begin(db);
	must_be(0, db_load(db, &names, added, 2, &err), &err);
	must_commit(db);
	const struct db_param values[] = {added[0], TEXT("new"), db_null(), db_null(), db_null(), added[2],
	    TEXT("refused"), db_null(), db_null(), db_null()};
	must_begin(db);
	must_be(DB_REFUSED, db_each(db, &change, values, 2, NULL, &err), &err);
	assert_false(db_conflict(db));
	db_rollback(db);
	assert_int_equal(must_count(db, "SELECT count(*) FROM things WHERE name = 'new'"), 0);
	must_begin(db);
	must_be(0, db_each(db, &change, values, 1, NULL, &err), &err);
	must_commit(db);
	assert_int_equal(must_count(db, "SELECT count(*) FROM things WHERE name = 'new'"), 1);
	free_rows(added);
	db_close(db);
}

static const struct db_statement same = {
    "SELECT must_be_same($1::text, $2::text)", "SELECT 'HL001' WHERE $1 IS NOT $2"};

static void
a_check_that_passes_commits(void **state)
{
	static const char *const texts[] = {
	    "", "it's", "\\", "a\\' OR ''='", "'; DROP TABLE things; --", "na\xc3\xafve", NULL};
	struct db *db = must_open();
	struct error err = {""};

	for (uint32_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct db_param *values = make_rows(i, 1, 1);

		must_begin(db);
		must_be(0, db_load(db, &names, values, 1, &err), &err);
		must_be(
		    0, db_check_and_commit(db, &same, PARAMS(db_string(texts[i]), db_string(texts[i])), &err), &err);
		free_rows(values);
	}
	struct db *other = must_open();
	assert_int_equal(must_count(other, "SELECT count(*) FROM things"), sizeof texts / sizeof *texts);
	db_close(other);
	db_close(db);
}

static void
a_check_that_fails_returns_the_reason_and_nothing_is_committed(void **state)
{
	struct db *db = must_open();
	struct db_param *values = make_rows(0, 1, 1);
	struct error err = {""};

	for (int times = 0; times < 2; times++) {
		must_begin(db);
		must_be(0, db_load(db, &names, values, 1, &err), &err);
		must_be(DB_REFUSED, db_check_and_commit(db, &same, PARAMS(db_string("a"), db_string("b")), &err), &err);
		assert_string_equal(db_sqlstate(db), "HL001");
		assert_false(db_conflict(db));
		db_rollback(db);
		assert_int_equal(must_count(db, "SELECT count(*) FROM things"), 0);
	}
	must_begin(db);
	must_be(DB_REFUSED, db_check_and_commit(db, &same, PARAMS(db_string("\xff"), db_null()), &err), &err);
	assert_string_equal(db_sqlstate(db), "");
	db_rollback(db);
	free_rows(values);
	db_close(db);
}

static void
a_commit_that_a_constraint_refuses_is_no_failed_check(void **state)
{
	struct db *db = must_open();
	struct error err = {""};

	must_begin(db);
	must_run(db, SAME("INSERT INTO parts (thing) VALUES ($1)"), PARAMS(db_uuid(id)));
	must_be(DB_REFUSED, db_check_and_commit(db, &same, PARAMS(db_null(), db_null()), &err), &err);
	assert_string_equal(db_sqlstate(db), db_config.hl_store == HL_STORE_POSTGRES ? "23503" : "");
	db_rollback(db);
	assert_int_equal(must_count(db, "SELECT count(*) FROM parts"), 0);
	db_close(db);
}

/* A process and what its connections may ask of it. */
struct process {
	int beats;
	int64_t until_us;
	int64_t patience_us; /* how long a call may go on after its first beat; 0: until_us stays */
};

static void
beat(void *context)
{
	struct process *process = context;

	if (process->beats++ == 0 && process->patience_us > 0)
		process->until_us = clock_steady_us() + process->patience_us;
}

static int64_t
until(void *context)
{
	return ((struct process *)context)->until_us;
}

static void
a_call_that_waits_sends_heartbeats_and_ends_when_its_process_has_to(void **state)
{
	struct process process = {.until_us = INT64_MAX};
	const struct db_env env = {.heartbeat_context = &process, .heartbeat = beat, .until_us = until};
	struct db *db = must_open_with(&env);
	struct error err = {""};
	const struct db_statement *endless = BOTH("SELECT pg_sleep(30)",
	    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
	int64_t began_us = clock_steady_us();

	process.beats = 0;
	db_set_deadline(db, began_us + 600000);
	must_be(-1, db_query(db, endless, NULL, 0, NULL, &err), &err);
	assert_in_range(process.beats, 2, INT32_MAX);

	began_us = clock_steady_us();
	db_set_deadline(db, INT64_MAX);
	process = (struct process){.until_us = INT64_MAX, .patience_us = 300000};
	must_be(-1, db_query(db, endless, NULL, 0, NULL, &err), &err);
	assert_in_range(clock_steady_us() - began_us, 300000, 2500000);
	process.until_us = INT64_MAX;
	assert_int_equal(must_count(db, "SELECT count(*) FROM things"), 0);
	db_close(db);
}

static void
a_wait_for_another_writer_sends_heartbeats_too(void **state)
{
	struct process process = {.until_us = INT64_MAX, .patience_us = 300000};
	const struct db_env env = {.heartbeat_context = &process, .heartbeat = beat, .until_us = until};
	struct db *one = must_open(), *other = must_open_with(&env);
	struct db_param *values = make_rows(0, 1, 1);
	struct error err = {""};

	must_begin(one);
	must_be(0, db_load(one, &names, values, 1, &err), &err);
	process = (struct process){.until_us = INT64_MAX, .patience_us = 300000};
	int64_t began_us = clock_steady_us();
	int rc = db_begin(other, &err);
	if (rc == 0)
		rc = db_load(other, &names, values, 1, &err);
	must_be(-1, rc, &err);
	assert_in_range(clock_steady_us() - began_us, 300000, 2500000);
	assert_in_range(process.beats, 2, INT32_MAX);
	db_rollback(other);
	must_commit(one);
	free_rows(values);
	db_close(one);
	db_close(other);
}

int
main(void)
{
#define DB_TEST(test) cmocka_unit_test_setup(test, fresh_table)
	const struct CMUnitTest tests[] = {
	    DB_TEST(rows_with_values_of_each_type_come_back),
	    DB_TEST(rows_are_added_in_any_number_and_again_and_again),
	    DB_TEST(a_row_that_is_refused_takes_the_others_with_it),
	    DB_TEST(a_statement_for_many_rows_returns_the_rows_of_all),
	    DB_TEST(a_statement_for_no_row_does_nothing),
	    DB_TEST(a_statement_that_is_refused_for_one_row_has_changed_none),
	    DB_TEST(a_check_that_passes_commits),
	    DB_TEST(a_check_that_fails_returns_the_reason_and_nothing_is_committed),
	    DB_TEST(a_commit_that_a_constraint_refuses_is_no_failed_check),
	    DB_TEST(a_call_that_waits_sends_heartbeats_and_ends_when_its_process_has_to),
	    DB_TEST(a_wait_for_another_writer_sends_heartbeats_too),
	};

	return cmocka_run_group_tests(tests, db_set_up, db_tear_down);
}
