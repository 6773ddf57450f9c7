/* The embedded migrations: rules that every one of them, present or future, must keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "store/migration.h"

static const struct migration_set *const sets[] = {
    &postgres_migrations, &webhooks_postgres_migrations, &sqlite_migrations, &webhooks_sqlite_migrations};

static void
test_migrations_are_numbered_without_gaps(void **state)
{
	for (int i = 0; i < 4; i++) {
		assert_true(sets[i]->target >= 1);
		for (int k = 0; k < sets[i]->target; k++)
			assert_int_equal(sets[i]->migrations[k].version, k + 1);
	}
}

/* Checks that a migration is one transaction, begins with begin_sql, records itself, and has no command of psql. */
static const char *
check_shape(const struct migration_set *set, const struct migration *migration, const char *begin_sql)
{
	const char *sql = migration->sql;
	const char *begin = strstr(sql, begin_sql);
	const char *commit = strstr(sql, "\nCOMMIT;\n");
	char record[128];

	(void)snprintf(record, sizeof record, "\nINSERT INTO %s (version, name) VALUES (%d, '%s');\n", set->table,
	    migration->version, migration->name);
	const char *recorded = strstr(sql, record);
	assert_true(begin != NULL && recorded != NULL && commit != NULL);
	assert_true(begin < recorded && recorded < commit);
	assert_int_equal(strlen(commit), strlen("\nCOMMIT;\n"));
	assert_null(strstr(sql, "\n\\"));
	return recorded;
}

/* The lock ends with the transaction, so that neither PgBouncer nor a killed process can leave it locked. */
static void
test_each_postgres_migration_is_one_locked_transaction(void **state)
{
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < sets[i]->target; k++) {
			const char *sql = sets[i]->migrations[k].sql;
			const char *lock = strstr(sql, "\nSELECT pg_advisory_xact_lock(448546171763);\n");
			const char *recorded = check_shape(sets[i], &sets[i]->migrations[k], "\nBEGIN;\n");

			assert_true(lock > strstr(sql, "\nBEGIN;\n") && lock < recorded);
		}
}

static void
test_each_sqlite_migration_is_one_transaction(void **state)
{
	for (int i = 2; i < 4; i++)
		for (int k = 0; k < sets[i]->target; k++)
			(void)check_shape(sets[i], &sets[i]->migrations[k], "\nBEGIN IMMEDIATE;\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_migrations_are_numbered_without_gaps),
	    cmocka_unit_test(test_each_postgres_migration_is_one_locked_transaction),
	    cmocka_unit_test(test_each_sqlite_migration_is_one_transaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
