/*
 * A connection to a store whose tables are distributed over several nodes. A PostgreSQL is made to look as if they
 * were. An SQLite file, used if HOOKS_TEST_POSTGRES_URL names no database (tests/e2e/test_db.py), must behave the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/db_refusal.h"
#include "tests/unit/db_fixture.h"

#define TEXT(literal) db_text((struct span){literal, sizeof(literal) - 1})

static const uint8_t id[16] = {1}, other[16] = {2}, ids[2][16] = {{0xaa}, {0xbb}};
static const enum db_type types[] = {DB_TYPE_UUID, DB_TYPE_TEXT, DB_TYPE_JSON, DB_TYPE_UUID_ARRAY, DB_TYPE_INT2,
    DB_TYPE_INT4, DB_TYPE_INT8, DB_TYPE_BOOL, DB_TYPE_TIME};
static const struct db_table things = {
    "things", "id, name, doc, ids, small, middle, large, flag, at", types, sizeof types / sizeof *types};
static const struct db_table names = {"things", "id, name", types, 2};

static struct error err;

static bool
is_postgres(void)
{
	return db_config.hl_store == HL_STORE_POSTGRES;
}

/* Adds or removes what connections look for: the extension's name, and the row of the table jobs in its catalog. */
static void
look_distributed(struct db *db, bool distributed)
{
	must_begin(db);
	if (is_postgres()) {
		must_run(db, SAME("SET LOCAL allow_system_table_mods = on"), NULL, 0);
		must_run(db,
		    distributed ? SAME("UPDATE pg_extension SET extname = 'citus' WHERE extname = 'plpgsql'")
				: SAME("UPDATE pg_extension SET extname = 'plpgsql' WHERE extname = 'citus'"),
		    NULL, 0);
		must_run(db,
		    distributed ? SAME("CREATE VIEW pg_catalog.pg_dist_partition AS SELECT oid::regclass AS "
				       "logicalrelid FROM pg_class WHERE relname = 'jobs'")
				: SAME("DROP VIEW pg_catalog.pg_dist_partition"),
		    NULL, 0);
	}
	must_commit(db);
}

static int
set_up(void **state)
{
	struct db *db = must_open();

	must_begin(db);
	must_run(db, SAME("DROP TABLE IF EXISTS things"), NULL, 0);
	must_run(db,
	    BOTH("CREATE TABLE things (id uuid PRIMARY KEY, name text, doc json, ids uuid[], small smallint, "
		 "middle int, large bigint, flag boolean, at timestamptz)",
		"CREATE TABLE things (id TEXT NOT NULL PRIMARY KEY, name TEXT, doc TEXT, ids TEXT, small INTEGER, "
		"middle INTEGER, large INTEGER, flag INTEGER, at INTEGER) STRICT"),
	    NULL, 0);
	must_run(db,
	    BOTH("CREATE OR REPLACE FUNCTION refuse() RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE ''not over nodes'' "
		 "USING ERRCODE = ''0A000''; END'",
		"SELECT 1"),
	    NULL, 0);
	must_run(db,
	    BOTH("CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''a worker "
		 "failed'' "
		 "USING ERRCODE = ''XX000''; END'",
		"SELECT 1"),
	    NULL, 0);
	must_commit(db);
	look_distributed(db, true);
	db_close(db);
	return 0;
}

static int
tear_down(void **state)
{
	struct db *db = must_open();

	look_distributed(db, false);
	db_close(db);
	return 0;
}

static void
a_connection_finds_out_whether_tables_are_distributed(void **state)
{
	struct db *db = must_open();

	assert_int_equal(db_distributed(db), is_postgres());
	look_distributed(db, false);
	db_close(db);
	db = must_open();
	assert_false(db_distributed(db));
	look_distributed(db, true);
	db_close(db);
}

static void
inserted_rows_have_values_of_each_type(void **state)
{
	static const char all[] =
	    "SELECT name, doc, array_to_json(ids), small, large, flag, hl_ms(at) FROM things ORDER BY id";
	struct db *db = must_open();
	const struct db_param values[] = {db_uuid(id), TEXT("na\xc3\xafve 'a\\b'"), TEXT("{\"b\": 1.0}"),
	    db_uuids(ids, 2), db_int(-32768), db_int(2147483647), db_int(INT64_MIN), db_bool(true),
	    db_int(1795147200123999), db_uuid(other), TEXT(""), db_null(), db_uuids(ids, 0), db_null(), db_null(),
	    db_null(), db_bool(false), db_null()};

	must_begin(db);
	must_be(0, db_insert(db, &things, values, 2, &err), &err);
	must_be(0, db_insert(db, &things, values, 0, &err), &err);
	must_commit(db);
	struct db_rows *rows =
	    must_read(db, BOTH(all, "SELECT name, doc, ids, small, large, flag, at FROM things ORDER BY id"), NULL, 0);
	assert_int_equal(db_rows_count(rows), 2);
	must_equal(db_rows_text(rows, 0, 0), "na\xc3\xafve 'a\\b'");
	must_equal(db_rows_text(rows, 0, 1), "{\"b\": 1.0}");
	must_equal(db_rows_text(rows, 0, 2),
	    "[\"aa000000-0000-0000-0000-000000000000\",\"bb000000-0000-0000-0000-000000000000\"]");
	assert_int_equal(db_rows_int(rows, 0, 3), -32768);
	assert_true(db_rows_int(rows, 0, 4) == INT64_MIN);
	assert_true(db_rows_bool(rows, 0, 5));
	assert_true(db_rows_int(rows, 0, 6) == 1795147200123);
	must_equal(db_rows_text(rows, 1, 0), "");
	must_equal(db_rows_text(rows, 1, 2), "[]");
	assert_true(db_rows_null(rows, 1, 1) && db_rows_null(rows, 1, 3) && db_rows_null(rows, 1, 6));
	db_rows_free(rows);
	db_close(db);
}

static void
an_insert_that_is_refused_returns_the_reason(void **state)
{
	struct db *db = must_open();
	const struct db_param twice[] = {db_uuid(id), TEXT("one"), db_uuid(id), TEXT("two")};

	must_begin(db);
	must_be(DB_REFUSED, db_insert(db, &names, twice, 2, &err), &err);
	assert_true(db_conflict(db));
	assert_false(db_unexplained(db));
	assert_string_equal(db_sqlstate(db), is_postgres() ? "23505" : "");
	db_rollback(db);
	db_close(db);
}

static void
a_load_that_is_refused_without_a_reason_is_unexplained(void **state)
{
	const struct db_param one[] = {db_uuid(id), TEXT("one")};
	struct db *db;

	if (!is_postgres())
		skip();
	db = must_open();
	must_begin(db);
	must_run(
	    db, SAME("CREATE TRIGGER fails BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION fail()"), NULL, 0);
	must_commit(db);
	must_begin(db);
	must_be(DB_REFUSED, db_load(db, &names, one, 1, &err), &err);
	assert_true(db_unexplained(db));
	assert_false(db_conflict(db));
	db_rollback(db);
	/* The error of an INSERT is the trigger's own: the store has failed. */
	must_begin(db);
	must_be(-1, db_insert(db, &names, one, 1, &err), &err);
	db_rollback(db);
	/* The same holds for COPY when all tables are on one node. */
	look_distributed(db, false);
	db_close(db);
	db = must_open();
	must_begin(db);
	must_be(-1, db_load(db, &names, one, 1, &err), &err);
	assert_false(db_unexplained(db));
	db_rollback(db);
	look_distributed(db, true);
	db_close(db);
}

static void
an_open_connection_learns_of_distributed_tables_when_a_statement_is_refused(void **state)
{
	static const struct db_statement statement = {"SELECT refuse()", "SELECT 7", .citus = "SELECT 7"};
	struct db *db, *dba;
	struct db_rows *rows;

	if (!is_postgres())
		skip();
	dba = must_open();
	look_distributed(dba, false);
	db = must_open();
	must_begin(db);
	must_be(DB_REFUSED, db_query(db, &statement, NULL, 0, NULL, &err), &err);
	assert_string_equal(db_sqlstate(db), "0A000");
	db_rollback(db);
	look_distributed(dba, true);
	must_begin(db);
	must_be(-1, db_query(db, &statement, NULL, 0, NULL, &err), &err);
	db_rollback(db);
	must_begin(db);
	rows = must_read(db, &statement, NULL, 0);
	assert_int_equal(db_rows_int(rows, 0, 0), 7);
	db_rows_free(rows);
	must_commit(db);
	db_close(db);
	db_close(dba);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_connection_finds_out_whether_tables_are_distributed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(inserted_rows_have_values_of_each_type, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_insert_that_is_refused_returns_the_reason, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_load_that_is_refused_without_a_reason_is_unexplained, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		an_open_connection_learns_of_distributed_tables_when_a_statement_is_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, db_set_up, db_tear_down);
}
