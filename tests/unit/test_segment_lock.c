/* Which processes may have a segment: one master and its children, as long as one of them lives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/lane_fixture.h"
#include "tests/unit/segment_fixture.h"

static void
write_pid(int fd)
{
	pid_t pid = getpid();

	REQUIRE(write(fd, &pid, sizeof pid) == (ssize_t)sizeof pid);
}

static void
assert_refused(int pid)
{
	struct config config = ring_config(1, 1, RING_OLD_BYTES);
	struct segment segment;
	struct error err = {""};
	char expected[32];
	int64_t start = clock_steady_us();

	(void)snprintf(expected, sizeof expected, "(master pid %d)", pid);
	assert_int_equal(segment_open(&segment, &config, &err), -1);
	assert_in_range(clock_steady_us() - start, 0, 2000000); /* at once, because there is nothing to wait for */
	assert_non_null(strstr(err.text, expected));
	assert_non_null(strstr(err.text, ring_path));
	assert_non_null(strstr(err.text, "RING_PATH"));
}

static void
test_a_second_master_is_refused(void **state)
{
	struct config config = ring_config(1, 1, RING_OLD_BYTES);
	int tell[2], status;
	pid_t first;
	struct segment segment;

	assert_int_equal(pipe(tell), 0);
	first = fork();
	assert_true(first >= 0);
	if (first == 0) {
		struct error err;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		REQUIRE(segment_open(&segment, &config, &err) == 0);
		write_pid(tell[1]);
		for (;;)
			(void)pause();
	}

	pid_t told;

	assert_int_equal(read(tell[0], &told, sizeof told), sizeof told);
	assert_int_equal(told, first);
	assert_refused(first);
	assert_int_equal(kill(first, SIGKILL), 0);
	assert_int_equal(waitpid(first, &status, 0), first);
	segment = ring_open(&config);
	ring_close(&segment);
	close(tell[0]);
	close(tell[1]);
}

/*
 * The master closes its descriptor and its child goes on. No other master may have the ring as long as the child lives.
 */
static void
test_a_child_keeps_the_lock(void **state)
{
	struct config config = ring_config(1, 1, RING_OLD_BYTES);
	struct segment segment = ring_open(&config);
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	ring_close(&segment);
	assert_refused(getpid());
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	segment = ring_open(&config);
	ring_close(&segment);
}

/*
 * The master is gone and a child of it is still dying: the next master waits for the child. In the meantime the file
 * may be replaced.
 */
static void
wait_for_a_dead_masters_child(bool replaced)
{
	struct config config = ring_config(1, 1, RING_OLD_BYTES);
	int tell[2], hold[2], status;
	pid_t master, orphan, opener;
	struct segment segment;

	assert_int_equal(pipe(tell), 0);
	assert_int_equal(pipe(hold), 0);
	master = fork();
	assert_true(master >= 0);
	if (master == 0) {
		struct error err;

		REQUIRE(segment_open(&segment, &config, &err) == 0);
		orphan = fork();
		REQUIRE(orphan >= 0);
		if (orphan == 0) {
			char byte;

			close(hold[1]);
			write_pid(tell[1]);
			(void)!read(hold[0], &byte, 1); /* until the test closes its end, or dies */
		}
		_exit(0);
	}
	close(hold[0]);
	assert_int_equal(read(tell[0], &orphan, sizeof orphan), sizeof orphan);
	assert_int_equal(waitpid(master, &status, 0), master);

	opener = fork();
	assert_true(opener >= 0);
	if (opener == 0) {
		struct error err;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(hold[1]);
		write_pid(tell[1]);
		_exit(segment_open(&segment, &config, &err) == 0 ? 0 : 1);
	}
	assert_int_equal(read(tell[0], &opener, sizeof opener), sizeof opener);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(waitpid(opener, &status, WNOHANG), 0); /* it has neither given up nor succeeded */
		(void)poll(NULL, 0, 2);
	}
	if (replaced) {
		assert_int_equal(unlink(ring_path), 0);
		ring_write_file("", 0);
	}
	close(hold[1]);
	assert_int_equal(waitpid(opener, &status, 0), opener);
	assert_int_equal(status, 0);
	assert_int_equal(ring_header().master_pid, opener); /* in the file that is at ring_path now */
	close(tell[0]);
	close(tell[1]);
}

static void
test_a_master_waits_for_a_dead_masters_children(void **state)
{
	wait_for_a_dead_masters_child(false);
}

static void
test_a_master_opens_the_file_that_replaced_the_one_it_waited_for(void **state)
{
	wait_for_a_dead_masters_child(true);
}

static void
test_symbolic_links_are_not_followed(void **state)
{
	struct config config = ring_config(1, 1, RING_OLD_BYTES);
	struct segment segment;
	struct error err;
	char target[80];

	(void)snprintf(target, sizeof target, "%s/target", ring_directory);
	assert_int_equal(symlink(target, ring_path), 0);
	assert_int_equal(segment_open(&segment, &config, &err), -1);
	assert_non_null(strstr(err.text, "RING_PATH"));
	assert_int_not_equal(access(target, F_OK), 0);
}

static void
test_a_missing_directory_is_an_error(void **state)
{
	struct config config = ring_config(1, 1, RING_OLD_BYTES);
	struct segment segment;
	struct error err;
	char nowhere[] = "/nowhere/at/all";

	config.ring_path = nowhere;
	assert_int_equal(segment_open(&segment, &config, &err), -1);
	assert_non_null(strstr(err.text, nowhere));
	assert_non_null(strstr(err.text, "RING_PATH"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING_TEST(test_a_second_master_is_refused),
	    RING_TEST(test_a_child_keeps_the_lock),
	    RING_TEST(test_a_master_waits_for_a_dead_masters_children),
	    RING_TEST(test_a_master_opens_the_file_that_replaced_the_one_it_waited_for),
	    RING_TEST(test_symbolic_links_are_not_followed),
	    RING_TEST(test_a_missing_directory_is_an_error),
	};

	return cmocka_run_group_tests_name("segment_lock", tests, ring_make_directory, ring_remove_directory);
}
