/* The embedded migrations: rules that every one of them, present and future, has to keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "store/postgres/migrate.h"

static void
test_numbered_without_gaps(void **state)
{
	assert_true(migrations_count >= 1);
	for (int i = 0; i < migrations_count; i++)
		assert_int_equal(migrations[i].version, i + 1);
	assert_int_equal(migrate_target(), migrations_count);
}

/* One transaction that locks first and records itself; psql's own commands are left out. */
static void
test_shape(void **state)
{
	for (int i = 0; i < migrations_count; i++) {
		const char *sql = migrations[i].sql;
		const char *begin = strstr(sql, "\nBEGIN;\n");
		const char *lock = strstr(sql, "\nSELECT pg_advisory_xact_lock(448546171763);\n");
		const char *commit = strstr(sql, "\nCOMMIT;\n");
		char record[128];

		(void)snprintf(record, sizeof record,
		    "\nINSERT INTO hooks_schema_migrations (version, name) VALUES (%d, '%s');\n", migrations[i].version,
		    migrations[i].name);
		const char *recorded = strstr(sql, record);
		assert_true(begin != NULL && lock != NULL && recorded != NULL && commit != NULL);
		assert_true(begin < lock && lock < recorded && recorded < commit);
		assert_int_equal(strlen(commit), strlen("\nCOMMIT;\n"));
		assert_null(strstr(sql, "\n\\"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbered_without_gaps),
	    cmocka_unit_test(test_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
