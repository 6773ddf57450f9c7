/* The supervisor with a role of the test's own: what becomes of processes that do not live. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "segment_fixture.h"
#include "master/supervisor.h"
#include "base/signals.h"
#include "shm/heartbeat.h"

static int
fail_at_once(void *context, uint32_t index)
{
	return 1;
}

static int
stop_the_master_then_wait(void *context, uint32_t index)
{
	int fd = signals_open(false);

	kill(getppid(), SIGTERM);
	for (;;) {
		if (signals_next(fd) == SIGTERM)
			return 0;
		usleep(1000);
	}
}

/* The context is the segment. */
static int
hang_once(void *context, uint32_t index)
{
	const struct segment *segment = context;

	while (segment_counter_sum(segment, COUNTER_RESTARTS_ACCEPTOR_STUCK) == 0)
		;
	heartbeat(segment_slot(segment, ROLE_ACCEPTOR, index), 20);
	return stop_the_master_then_wait(context, index);
}

static void
look(void *context)
{
}

static int
supervise_one(int (*run)(void *, uint32_t), uint32_t stuck_after_seconds)
{
	struct config config = ring_config(1, 1, 1 << 20);
	static char host[] = "127.0.0.1";
	struct segment segment;
	int code;

	config.host = host;
	config.drain_timeout_seconds = 20;
	config.stuck_after_seconds = stuck_after_seconds;
	segment = ring_open(&config);

	const struct process_role roles[] = {
	    {.name = "acceptor", .count = 1, .first_slot = 0, .restarts = COUNTER_RESTARTS_ACCEPTOR, .run = run}};

	code = supervise(roles, 1, &segment, look, &config, &segment);
	ring_close(&segment);
	return code;
}

static void
test_a_process_that_never_lives_ends_the_service(void **state)
{
	assert_int_equal(supervise_one(fail_at_once, 0), EXIT_FAILED);
}

static void
test_term_drains(void **state)
{
	assert_int_equal(supervise_one(stop_the_master_then_wait, 0), EXIT_DRAINED);
}

static void
test_an_endless_loop_is_ended_and_its_process_replaced(void **state)
{
	assert_int_equal(supervise_one(hang_once, 1), EXIT_DRAINED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING_TEST(test_a_process_that_never_lives_ends_the_service),
	    RING_TEST(test_term_drains),
	    RING_TEST(test_an_endless_loop_is_ended_and_its_process_replaced),
	};

	return cmocka_run_group_tests(tests, ring_make_directory, ring_remove_directory);
}
