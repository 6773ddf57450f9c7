/* Durable opening of files: a new file that cannot be made durable is removed, and an older one is not touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>

#include "base/files.h"

static char directory[] = "/tmp/hooks-test-files-XXXXXX";
static char path[64];

static int
make_directory(void **state)
{
	if (mkdtemp(directory) == NULL)
		return -1;
	(void)snprintf(path, sizeof path, "%s/file", directory);
	return 0;
}

static int
remove_directory(void **state)
{
	(void)unlink(path);
	return rmdir(directory);
}

/* Opens the file with one descriptor left, so that its directory cannot be synced. Returns errno. */
static int
open_with_one_descriptor(int flags)
{
	struct rlimit usual, one;
	struct error err;
	int next = dup(0);

	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	one = (struct rlimit){.rlim_cur = (rlim_t)next + 1, .rlim_max = usual.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &one), 0);
	int fd = files_open(path, flags, 0600, "DATA_DIR", &err), failure = errno;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
	assert_int_equal(fd, -1);
	return failure;
}

static void
test_a_new_file_that_cannot_be_made_durable_is_removed(void **state)
{
	assert_int_equal(open_with_one_descriptor(O_RDWR | O_EXCL), EMFILE);
	assert_int_equal(access(path, F_OK), -1);
}

static void
test_an_older_file_that_cannot_be_made_durable_stays(void **state)
{
	struct error err;
	int fd = files_open(path, O_RDWR | O_EXCL, 0600, "DATA_DIR", &err);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(open_with_one_descriptor(O_RDWR), EMFILE);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(files_open(path, O_RDWR | O_EXCL, 0600, "DATA_DIR", &err), -1);
	assert_int_equal(access(path, F_OK), 0);
}

static void
test_an_open_file_is_known_by_its_name(void **state)
{
	char moved[sizeof path + 8];
	struct error err;
	int fd = files_open(path, O_RDWR, 0600, "DATA_DIR", &err);

	assert_true(fd >= 0);
	assert_true(files_named(fd, path) && files_in_place(fd, path));
	(void)snprintf(moved, sizeof moved, "%s.moved", path);
	assert_int_equal(rename(path, moved), 0);
	assert_false(files_named(fd, path) || files_in_place(fd, path)); /* no file has the name now */
	int other = files_open(path, O_RDWR, 0600, "DATA_DIR", &err);
	assert_true(other >= 0);
	assert_false(files_named(fd, path) || files_in_place(fd, path)); /* another file has the name now */
	close(other);
	assert_int_equal(unlink(moved), 0);
	close(fd);
	/* stat(2) fails, here because the descriptor is closed. */
	assert_true(files_in_place(fd, path));
	assert_false(files_named(fd, path));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_new_file_that_cannot_be_made_durable_is_removed),
	    cmocka_unit_test(test_an_older_file_that_cannot_be_made_durable_stays),
	    cmocka_unit_test(test_an_open_file_is_known_by_its_name),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
