/* Which files libpq may read for a URL. A confined process may read these. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/postgres/pg_files.h"

static char all[1024]; /* the files that were found, a line each */

static void
note(void *context, const char *path)
{
	(void)strcat(strcat(all, path), "\n");
}

static const char *
files_of(const char *url)
{
	all[0] = '\0';
	pg_files_each(url, note, NULL);
	return all;
}

static void
test_files_that_the_url_names_are_found(void **state)
{
	assert_string_equal(
	    files_of("postgresql://u:p%40@h/d?sslrootcert=/c/root%20ca.crt&sslkey=/c/key"), "/c/key\n/c/root ca.crt\n");
	assert_string_equal(files_of("host=h sslcert='/c/my cert' passfile=/p/w password=x"), "/c/my cert\n/p/w\n");
	assert_string_equal(files_of("postgresql://h/d?sslrootcert=system"), "");
	assert_string_equal(files_of("postgresql://"), "");
}

static void
test_files_that_the_environment_names_are_found(void **state)
{
	assert_int_equal(setenv("PGSSLROOTCERT", "/e/ca.crt", 1), 0);
	assert_int_equal(setenv("PGSERVICEFILE", "/e/services", 1), 0);
	assert_string_equal(files_of("postgresql://h/d"), "/e/ca.crt\n/e/ca.crt\n/e/services\n");
	assert_int_equal(unsetenv("PGSSLROOTCERT"), 0);
	assert_int_equal(unsetenv("PGSERVICEFILE"), 0);
}

static void
test_files_that_a_service_names_are_found(void **state)
{
	char path[] = "/tmp/test-pg-files-XXXXXX", expected[256];
	int fd = mkstemp(path);

	assert_true(dprintf(fd, "[one]\nhost=h\nsslkey=/s/key\n[two]\npassfile=/s/words\n") > 0);
	close(fd);
	assert_int_equal(setenv("PGSERVICEFILE", path, 1), 0);
	(void)snprintf(expected, sizeof expected, "/s/key\n%s\n", path);
	assert_string_equal(files_of("postgresql:///d?service=one"), expected);
	assert_null(getenv("PGSERVICE"));
	assert_int_equal(setenv("PGSERVICE", "one", 1), 0);
	(void)snprintf(expected, sizeof expected, "/s/words\n%s\n", path);
	assert_string_equal(files_of("service=two"), expected);
	assert_string_equal(getenv("PGSERVICE"), "one");
	(void)snprintf(expected, sizeof expected, "%s\n", path);
	assert_string_equal(files_of("service=three"), expected);
	assert_int_equal(unsetenv("PGSERVICE"), 0);
	assert_int_equal(unsetenv("PGSERVICEFILE"), 0);
	assert_int_equal(unlink(path), 0);
}

static void
test_files_of_the_home_directory_are_found(void **state)
{
	assert_int_equal(setenv("HOME", "/h", 1), 0);
	assert_string_equal(files_of("postgresql://h/d"), "/h/.postgresql\n/h/.pgpass\n/h/.pg_service.conf\n");
	assert_int_equal(unsetenv("HOME"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_files_that_the_url_names_are_found),
	    cmocka_unit_test(test_files_that_the_environment_names_are_found),
	    cmocka_unit_test(test_files_that_a_service_names_are_found),
	    cmocka_unit_test(test_files_of_the_home_directory_are_found),
	};

	(void)clearenv();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
