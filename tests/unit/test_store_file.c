/* Work that yields to hooksd on a slow disk rests between its pieces, and a signal ends the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/store_file.h"

#define SYNC_US 200000
#define REST_US (3 * SYNC_US)

static bool is_stopped; /* by a signal while the disk works */

/* Replaces the C library's. */
int
sync_file_range(int fd, off64_t from, off64_t count, unsigned flags)
{
	const struct timespec work = {.tv_nsec = SYNC_US * 1000};

	(void)fd, (void)from, (void)count, (void)flags;
	(void)nanosleep(&work, NULL);
	if (is_stopped)
		(void)raise(SIGTERM);
	return 0;
}

/* Returns the time that the disk's work and the rest after it took. */
static int64_t
write_one_piece(struct store_work *work)
{
	int64_t began_us = clock_steady_us();

	assert_int_equal(ftruncate(work->to, work->written + (1 << 20)), 0);
	assert_true(store_work_goes_on(work));
	return clock_steady_us() - began_us;
}

static void
test_a_rest_is_three_times_the_work_and_a_signal_ends_it(void **state)
{
	char path[] = "/tmp/hooks-store-file-XXXXXX";
	struct store_work work;

	(void)state;
	store_work_begin(&work, true);
	work.to = mkstemp(path);
	assert_true(work.to >= 0);
	assert_true(write_one_piece(&work) >= SYNC_US + REST_US);
	is_stopped = true;
	assert_true(write_one_piece(&work) < SYNC_US + REST_US);
	assert_false(store_work_goes_on(&work));
	assert_true(work.stopped);
	close(work.to);
	close(work.signals);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_rest_is_three_times_the_work_and_a_signal_ends_it)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
