/*
 * The lock of DATA_DIR. One process takes it twice: the lock belongs to the descriptor, so this is the same as two
 * processes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/data_dir.h"

static char directory[] = "/tmp/test_data_dir.XXXXXX";
static char data_dir[64], lock_file[96];

static int
make_directory(void **state)
{
	if (mkdtemp(directory) == NULL)
		return -1;
	(void)snprintf(data_dir, sizeof data_dir, "%s/made", directory);
	(void)snprintf(lock_file, sizeof lock_file, "%s/lock", data_dir);
	return 0;
}

static int
remove_directory(void **state)
{
	(void)unlink(lock_file);
	(void)rmdir(data_dir);
	return rmdir(directory);
}

static void
test_the_directory_is_made_and_the_lock_file_has_the_pid(void **state)
{
	struct error err;
	char text[32] = "", expected[32];
	int fd = data_dir_lock(data_dir, &err);

	assert_true(fd >= 0);
	(void)snprintf(expected, sizeof expected, "%d\n", (int)getpid());
	assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
	assert_string_equal(text, expected);
	close(fd);
}

static void
test_a_second_process_is_refused_until_the_first_has_ended(void **state)
{
	struct error err;
	char pid[32];
	int first = data_dir_lock(data_dir, &err);

	assert_true(first >= 0);
	assert_true(data_dir_lock(data_dir, &err) < 0);
	(void)snprintf(pid, sizeof pid, "in use by pid %d ", (int)getpid());
	assert_non_null(strstr(err.text, pid));
	assert_non_null(strstr(err.text, "DATA_DIR"));
	close(first);
	first = data_dir_lock(data_dir, &err);
	assert_true(first >= 0);
	close(first);
}

static void
test_nothing_is_left_of_a_former_holders_longer_pid(void **state)
{
	struct error err;
	struct stat st;
	FILE *file = fopen(lock_file, "w");

	assert_non_null(file);
	fputs("123456789012\n", file);
	fclose(file);
	int fd = data_dir_lock(data_dir, &err);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, snprintf(NULL, 0, "%d\n", (int)getpid()));
	close(fd);
}

static void
test_a_directory_that_cannot_be_made_is_an_error_that_names_the_option(void **state)
{
	struct error err;

	assert_true(data_dir_lock("/proc/hooksd/data", &err) < 0);
	assert_non_null(strstr(err.text, "DATA_DIR"));
	assert_non_null(strstr(err.text, "/proc/hooksd"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_directory_is_made_and_the_lock_file_has_the_pid),
	    cmocka_unit_test(test_a_second_process_is_refused_until_the_first_has_ended),
	    cmocka_unit_test(test_nothing_is_left_of_a_former_holders_longer_pid),
	    cmocka_unit_test(test_a_directory_that_cannot_be_made_is_an_error_that_names_the_option),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
