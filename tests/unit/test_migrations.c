/* The embedded migrations: rules that every one of them, present and future, has to keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "store/migration.h"
#include "store/postgres/migrate.h"
#include "store/sqlite/sqlite_migrate.h"

static void
test_numbered_without_gaps(void **state)
{
	assert_true(postgres_migrations_count >= 1 && sqlite_migrations_count >= 1);
	for (int i = 0; i < postgres_migrations_count; i++)
		assert_int_equal(postgres_migrations[i].version, i + 1);
	for (int i = 0; i < sqlite_migrations_count; i++)
		assert_int_equal(sqlite_migrations[i].version, i + 1);
	assert_int_equal(migrate_target(), postgres_migrations_count);
	assert_int_equal(sqlite_migrate_target(), sqlite_migrations_count);
}

/* One transaction that begins with `begin` and records itself; psql's own commands are left out. */
static void
check_shape(const struct migration *migration, const char *begin_sql)
{
	const char *sql = migration->sql;
	const char *begin = strstr(sql, begin_sql);
	const char *commit = strstr(sql, "\nCOMMIT;\n");
	char record[128];

	(void)snprintf(record, sizeof record,
	    "\nINSERT INTO hooks_schema_migrations (version, name) VALUES (%d, '%s');\n", migration->version,
	    migration->name);
	const char *recorded = strstr(sql, record);
	assert_true(begin != NULL && recorded != NULL && commit != NULL);
	assert_true(begin < recorded && recorded < commit);
	assert_int_equal(strlen(commit), strlen("\nCOMMIT;\n"));
	assert_null(strstr(sql, "\n\\"));
}

static void
test_postgres_shape(void **state)
{
	for (int i = 0; i < postgres_migrations_count; i++) {
		const char *sql = postgres_migrations[i].sql;
		const char *lock = strstr(sql, "\nSELECT pg_advisory_xact_lock(448546171763);\n");

		check_shape(&postgres_migrations[i], "\nBEGIN;\n");
		assert_true(
		    lock > strstr(sql, "\nBEGIN;\n") && lock < strstr(sql, "\nINSERT INTO hooks_schema_migrations"));
	}
}

static void
test_sqlite_shape(void **state)
{
	for (int i = 0; i < sqlite_migrations_count; i++)
		check_shape(&sqlite_migrations[i], "\nBEGIN IMMEDIATE;\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbered_without_gaps),
	    cmocka_unit_test(test_postgres_shape),
	    cmocka_unit_test(test_sqlite_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
