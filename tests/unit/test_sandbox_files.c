/* Which files a process in a sandbox can use, and what it does when its directory is replaced by another one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exit_codes.h"
#include "base/files.h"
#include "tests/unit/sandbox_fixture.h"

static int
write_own(void)
{
	return result(open(in(scene.own, "file"), O_WRONLY | O_TRUNC));
}

static int
write_readable(void)
{
	return result(open(in(scene.readable, "file"), O_WRONLY));
}

static int
create_other(void)
{
	return result(open(in(scene.other, "new"), O_RDWR | O_CREAT | O_EXCL, 0600));
}

static int
rename_into_other(void)
{
	return result(rename(in(scene.own, "renamed"), in(scene.other, "renamed")));
}

static int
remove_own(void)
{
	return result(unlink(in(scene.own, "renamed")));
}

static int
remove_other(void)
{
	return result(unlink(in(scene.other, "file")));
}

static void
test_a_process_can_change_its_own_directory_only(void **state)
{
	assert_int_equal(errno_of(with_files, write_own), 0);
	assert_int_equal(errno_of(with_files, create_own), 0);
	assert_int_equal(errno_of(with_files, make_directory_in_own), 0);
	assert_int_equal(errno_of(with_files, rename_own), 0);
	assert_int_equal(errno_of(with_files, rename_into_other), EACCES);
	assert_int_equal(errno_of(with_files, remove_own), 0);
	assert_int_equal(errno_of(with_files, read_readable), 0);
	assert_int_equal(errno_of(with_files, write_readable), EACCES);
	assert_int_equal(errno_of(with_files, read_other), EACCES);
	assert_int_equal(errno_of(with_files, create_other), EACCES);
	assert_int_equal(errno_of(with_files, remove_other), EACCES);
}

static int shared_fd;

static int
open_shared_again(void)
{
	char path[32];

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", shared_fd);
	return result(open(path, O_RDWR));
}

static struct sandbox
with_shared_file(void)
{
	struct sandbox sandbox = with_files();

	sandbox_may_reopen(&sandbox, shared_fd);
	return sandbox;
}

static void
test_a_file_that_is_open_can_be_opened_again_if_allowed(void **state)
{
	shared_fd = open(in(scene.other, "file"), O_RDWR | O_CLOEXEC);
	assert_int_equal(errno_of(with_files, open_shared_again), EACCES);
	assert_int_equal(errno_of(with_shared_file, open_shared_again), 0);
	close(shared_fd);
}

static int
open_by_files_open(void)
{
	struct error err;

	if (files_open(in(scene.own, "appended"), O_RDWR, 0600, "DATA_DIR", &err) >= 0)
		return 0;

	int failure = errno;

	sandbox_end_if_stale();
	return failure;
}

static int
open_elsewhere(void)
{
	struct error err;

	return files_open(in(scene.other, "appended"), O_RDWR, 0600, "DATA_DIR", &err) < 0 ? errno : 0;
}

static int
replace_and_open(void)
{
	char command[256];
	struct stat st;
	int replaced = open(in(scene.own, "replace"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	/* The parent replaces the directory, because this process may not. */
	(void)snprintf(command, sizeof command, "%s/own/replace", scene.top);
	close(replaced);
	while (stat(command, &st) == 0)
		(void)usleep(1000);
	return open_by_files_open();
}

/* Replaces the directory. Returns 0, or the errno of a failure. */
static int
replace_own(void)
{
	char aside[96];
	struct stat st;

	(void)snprintf(aside, sizeof aside, "%s/moved-%d", scene.top, (int)getpid());
	while (stat(in(scene.own, "replace"), &st) != 0)
		(void)usleep(1000);
	if (rename(scene.own, aside) != 0)
		return errno;
	return result(mkdir(scene.own, 0700));
}

/* Returns the exit code of a process that cannot open a file because its directory has been replaced. */
static int
end_after_replacement(void)
{
	pid_t pid = fork();
	int status, end;

	if (pid == 0)
		_exit(replace_own());
	end = errno_of(with_files, replace_and_open);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(errno_of(with_files, open_by_files_open), 0);
	return end;
}

static void
test_a_process_whose_directory_was_replaced_ends(void **state)
{
	assert_int_equal(errno_of(with_files, open_by_files_open), 0);
	assert_int_equal(errno_of(with_files, open_elsewhere), EACCES);
	assert_int_equal(end_after_replacement(), EXIT_FAILED);
}

static struct sandbox
with_one_file(void)
{
	struct sandbox sandbox = with_files();

	sandbox_may_read(&sandbox, in(scene.own, "one"));
	return sandbox;
}

/* Replaces the file as a tool that renews ~/.pgpass does. */
static int
renew_the_file(void)
{
	int fd = open(in(scene.own, "one.new"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || rename(in(scene.own, "one.new"), in(scene.own, "one")) != 0)
		return errno;
	close(fd);
	sandbox_end_if_stale();
	return 0;
}

static void
test_a_process_whose_file_was_replaced_or_added_ends(void **state)
{
	assert_int_equal(errno_of(with_files, renew_the_file), 0); /* it has the directory, and with it the new file */
	assert_int_equal(errno_of(with_one_file, renew_the_file), EXIT_FAILED);
	assert_int_equal(unlink(in(scene.own, "one")), 0);
	assert_int_equal(errno_of(with_one_file, renew_the_file), EXIT_FAILED);
}

static bool on_9p; /* the process sees every file on 9p */

int
fstatfs(int fd, struct statfs *fs)
{
	int rc = (int)syscall(SYS_fstatfs, fd, fs);

	if (on_9p)
		fs->f_type = V9FS_MAGIC;
	return rc;
}

/*
 * Landlock does not enforce the sandbox's places, and the process does not end when they change. The filter of system
 * calls is in force.
 */
static int
use_9p(void)
{
	struct sandbox sandbox = with_one_file();
	struct error err;

	on_9p = true;
	if (sandbox_enter(&sandbox, &err) != SANDBOX_REFUSED || strstr(err.text, "9p") == NULL)
		return NOT_CONFINED;
	if (read_other() != 0 || renew_the_file() != 0)
		return NOT_CONFINED;
	return make_socket();
}

static void
test_a_process_on_a_9p_file_system_has_no_landlock(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(use_9p());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EPERM);
}

static struct sandbox
with_a_directory_to_come(void)
{
	struct sandbox sandbox = {.connects = false};

	sandbox_may_write(&sandbox, in(scene.own, "later/deeper"));
	return sandbox;
}

static int
make_what_is_missing(void)
{
	struct error err;

	return files_open(in(scene.own, "later/deeper/file"), O_RDWR, 0600, "JSONL_PATH", &err) < 0 ? errno : 0;
}

static void
test_a_directory_that_is_missing_can_be_made(void **state)
{
	assert_int_equal(errno_of(with_a_directory_to_come, make_what_is_missing), 0);
	assert_int_equal(errno_of(with_a_directory_to_come, read_other), EACCES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_process_can_change_its_own_directory_only),
	    cmocka_unit_test(test_a_file_that_is_open_can_be_opened_again_if_allowed),
	    cmocka_unit_test(test_a_process_whose_directory_was_replaced_ends),
	    cmocka_unit_test(test_a_process_whose_file_was_replaced_or_added_ends),
	    cmocka_unit_test(test_a_process_on_a_9p_file_system_has_no_landlock),
	    cmocka_unit_test(test_a_directory_that_is_missing_can_be_made),
	};

	if (sandbox_missing() != NULL)
		return 77; /* skipped: the kernel or the container lacks a part of the sandbox */
	return cmocka_run_group_tests(tests, scene_set_up, scene_tear_down);
}
