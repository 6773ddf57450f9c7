/* The supervisor with fake roles: processes that die, hang, drain and are replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "shm/heartbeat.h"
#include "tests/unit/segment_fixture.h"
#include "tests/unit/supervisor_fixture.h"
#include "shm/counters.h"

#define FAILED 1

static struct stage stage;
static bool no_fork; /* fork(2) fails */
static uint32_t forks_failed;

pid_t __real_fork(void);
pid_t __wrap_fork(void);

pid_t
__wrap_fork(void)
{
	if (!no_fork)
		return __real_fork();
	forks_failed++;
	errno = EAGAIN;
	return -1;
}

static int
open_stage(void **state)
{
	no_fork = false;
	forks_failed = 0;
	(void)ring_remove(state);
	stage_open(&stage, 2, 1);
	return 0;
}

static int
close_stage(void **state)
{
	stage_close(&stage);
	return ring_remove(state);
}

#define STAGE_TEST(test) cmocka_unit_test_setup_teardown(test, open_stage, close_stage)

static void
drain_now(const struct stage *s)
{
	stage_signal_master(SIGTERM);
}

static int
live_and_stop(const struct stage *s, enum role role, uint32_t index)
{
	stage_live(s, role, index, NULL, NULL);
	usleep(10000); /* so that a process of a later phase that is stopped too early is recorded first */
	stage_record(s, STOPPED, role, index);
	return 0;
}

static int
fail_at_once(const struct stage *s, enum role role, uint32_t index)
{
	return FAILED;
}

static void
test_a_process_that_always_fails_at_its_start_ends_the_service(void **state)
{
	stage.play = fail_at_once;
	assert_int_equal(stage_supervise(&stage), EXIT_FAILED);
}

static int
fail_as_courier(const struct stage *s, enum role role, uint32_t index)
{
	if (role != ROLE_COURIER)
		return live_and_stop(s, role, index);
	stage_record(s, STARTED, role, index);
	return FAILED;
}

static void
drain_after_many_deaths(const struct stage *s)
{
	if (stage_count(s, STARTED, ROLE_COURIER, 0) > 10)
		stage_signal_master(SIGTERM);
}

static void
test_a_role_that_may_keep_dying_does_not_end_the_service(void **state)
{
	for (int r = 0; r < ROLES; r++)
		stage.rules[r].may_keep_dying = stage.rules[r].role == ROLE_COURIER;
	stage.play = fail_as_courier;
	stage.on_turn = drain_after_many_deaths;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_int_equal(stage_count(&stage, STOPPED, ROLE_ACCEPTOR, ANY), 2);
}

static void
test_term_stops_every_process(void **state)
{
	stage.play = live_and_stop;
	stage.on_ready = drain_now;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_int_equal(stage_count(&stage, STOPPED, ROLE_ACCEPTOR, ANY), 2);
	assert_int_equal(stage_count(&stage, STOPPED, ROLE_WRITER, ANY), 1);
	assert_int_equal(stage_count(&stage, STOPPED, ROLE_COURIER, ANY), 2);
}

/* The table of the fixture has another order. */
static void
test_a_phase_drains_when_all_processes_of_the_one_before_have_ended(void **state)
{
	stage.play = live_and_stop;
	stage.on_ready = drain_now;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_true(stage_when(&stage, STOPPED, ROLE_ACCEPTOR, ANY, 2) <
		    stage_when(&stage, TOLD_TO_STOP, ROLE_COURIER, ANY, 1));
	assert_true(
	    stage_when(&stage, STOPPED, ROLE_COURIER, ANY, 2) < stage_when(&stage, TOLD_TO_STOP, ROLE_WRITER, ANY, 1));
}

/* Acceptors and couriers end when all of them have been told to stop. */
static int
wait_for_the_others(const struct stage *s, enum role role, uint32_t index)
{
	stage_live(s, role, index, NULL, NULL);
	while (role != ROLE_WRITER && (stage_count(s, TOLD_TO_STOP, ROLE_ACCEPTOR, ANY) < 2 ||
					  stage_count(s, TOLD_TO_STOP, ROLE_COURIER, ANY) < 2))
		usleep(1000);
	return 0;
}

static void
test_roles_of_one_phase_drain_together(void **state)
{
	for (uint32_t r = 0; r < ROLES; r++)
		if (stage.rules[r].role != ROLE_WRITER)
			stage.rules[r].drain_phase = 1;
	stage.play = wait_for_the_others;
	stage.on_ready = drain_now;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
}

#define PIECES 3

/* Each life of the writer ends badly, and does one piece of the work. */
static uint64_t
pieces_left(const struct stage *s)
{
	uint32_t done = stage_count(s, TOLD_TO_STOP, ROLE_WRITER, ANY);

	return done < PIECES ? PIECES - done : 0;
}

static int
live_and_fail(const struct stage *s, enum role role, uint32_t index)
{
	stage_live(s, role, index, NULL, NULL);
	return FAILED;
}

static void
test_in_a_drain_only_processes_with_work_left_are_restarted(void **state)
{
	stage.play = live_and_fail;
	stage.on_ready = drain_now;
	stage.work_left = pieces_left;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_int_equal(stage_count(&stage, STARTED, ROLE_ACCEPTOR, ANY), 2);
	assert_int_equal(stage_count(&stage, STARTED, ROLE_COURIER, ANY), 2);
	assert_int_equal(stage_count(&stage, STARTED, ROLE_WRITER, ANY), PIECES);
}

static int
acceptor_0_fails_first(const struct stage *s, enum role role, uint32_t index)
{
	if (role == ROLE_ACCEPTOR && index == 0 && stage_count(s, STARTED, role, index) == 1)
		return FAILED;
	return live_and_stop(s, role, index);
}

static void
drain_while_acceptor_0_is_down(const struct stage *s)
{
	if (stage_count(s, STARTED, ROLE_ACCEPTOR, 0) == 1 &&
	    segment_counter_sum(&s->segment, COUNTER_RESTARTS_ACCEPTOR_EXIT) == 1)
		stage_signal_master(SIGTERM);
}

static void
test_a_dead_process_is_started_once_more_when_a_drain_begins(void **state)
{
	stage.play = acceptor_0_fails_first;
	stage.on_turn = drain_while_acceptor_0_is_down;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_int_equal(stage_count(&stage, STARTED, ROLE_ACCEPTOR, 0), 2);
	assert_int_equal(stage_count(&stage, STOPPED, ROLE_ACCEPTOR, 0), 1);
}

static int
the_courier_never_stops(const struct stage *s, enum role role, uint32_t index)
{
	stage_live(s, role, index, NULL, NULL);
	while (role == ROLE_COURIER)
		usleep(1000);
	stage_record(s, STOPPED, role, index);
	return 0;
}

static void
test_the_drain_time_out_kills_the_remaining_processes(void **state)
{
	stage.play = the_courier_never_stops;
	stage.on_ready = drain_now;
	stage.config.drain_timeout_seconds = 1;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_int_equal(stage_count(&stage, STOPPED, ROLE_ACCEPTOR, ANY), 2);
	assert_int_equal(stage_count(&stage, TOLD_TO_STOP, ROLE_WRITER, ANY), 0);
	assert_int_equal(segment_counter_sum(&stage.segment, COUNTER_RESTARTS_COURIER_SIGKILL), 0);
}

static int
hang_once(const struct stage *s, enum role role, uint32_t index)
{
	while (role == ROLE_COURIER && index == 0 && stage_count(s, STARTED, role, index) == 1)
		;
	return live_and_stop(s, role, index);
}

static void
test_a_process_in_an_endless_loop_is_killed_and_replaced(void **state)
{
	stage.play = hang_once;
	stage.on_ready = drain_now;
	stage.config.stuck_after_seconds = 1;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_int_equal(segment_counter_sum(&stage.segment, COUNTER_RESTARTS_COURIER_STUCK), 1);
	assert_int_equal(stage_count(&stage, STARTED, ROLE_COURIER, 0), 2);
}

/* The courier that hangs in its first life is killed in this turn: TERM comes before the master has reaped it. */
static void
drain_when_the_courier_is_due_to_be_killed(const struct stage *s)
{
	if (stage_count(s, STARTED, ROLE_COURIER, 0) == 1 &&
	    heartbeat_missed(segment_slot(&s->segment, ROLE_COURIER, 0), 1, 0, clock_steady_us()))
		stage_signal_master(SIGTERM);
}

static void
test_a_stuck_process_that_is_not_reaped_yet_does_not_delay_a_drain(void **state)
{
	stage.play = hang_once;
	stage.on_turn = drain_when_the_courier_is_due_to_be_killed;
	stage.config.stuck_after_seconds = 1;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_int_equal(segment_counter_sum(&stage.segment, COUNTER_RESTARTS_COURIER_STUCK), 1);
	assert_int_equal(stage_count(&stage, STARTED, ROLE_COURIER, 0), 1);
}

static int
acceptor_0_hangs_when_told_to_stop(const struct stage *s, enum role role, uint32_t index)
{
	stage_live(s, role, index, NULL, NULL);
	while (role == ROLE_ACCEPTOR && index == 0)
		;
	stage_record(s, STOPPED, role, index);
	return 0;
}

static void
test_a_process_that_hangs_while_it_stops_is_killed_and_the_drain_goes_on(void **state)
{
	stage.play = acceptor_0_hangs_when_told_to_stop;
	stage.on_ready = drain_now;
	stage.config.stuck_after_seconds = 1;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_int_equal(segment_counter_sum(&stage.segment, COUNTER_RESTARTS_ACCEPTOR_STUCK), 1);
	assert_int_equal(stage_count(&stage, STARTED, ROLE_ACCEPTOR, ANY), 2);
	assert_int_equal(stage_count(&stage, STOPPED, ROLE_WRITER, ANY), 1);
}

/* The second signal is INT, because the fixture sends each signal once. */
static void
interrupt_when_couriers_stop(const struct stage *s)
{
	if (stage_count(s, TOLD_TO_STOP, ROLE_COURIER, ANY) == 2)
		stage_signal_master(SIGINT);
}

static void
test_a_second_signal_kills_the_remaining_processes_at_once(void **state)
{
	int64_t begun_us = clock_steady_us();

	stage.play = the_courier_never_stops;
	stage.on_ready = drain_now;
	stage.on_turn = interrupt_when_couriers_stop;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_true(clock_steady_us() - begun_us < (int64_t)stage.config.drain_timeout_seconds * 1000000 / 2);
	assert_int_equal(stage_count(&stage, TOLD_TO_STOP, ROLE_WRITER, ANY), 0);
	assert_int_equal(segment_counter_sum(&stage.segment, COUNTER_RESTARTS_COURIER_SIGKILL), 0);
}

static void
fork_from_the_tenth_try_on(const struct stage *s)
{
	no_fork = forks_failed < 10;
}

static void
test_a_fork_that_fails_is_tried_again(void **state)
{
	no_fork = true;
	stage.play = live_and_stop;
	stage.on_turn = fork_from_the_tenth_try_on;
	stage.on_ready = drain_now;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_true(forks_failed >= 10);
	assert_int_equal(stage_count(&stage, STOPPED, ROLE_ACCEPTOR, ANY), 2);
}

static void
drain_without_forks_while_acceptor_0_is_down(const struct stage *s)
{
	drain_while_acceptor_0_is_down(s);
	no_fork = segment_counter_sum(&s->segment, COUNTER_RESTARTS_ACCEPTOR_EXIT) == 1;
}

static void
test_a_drain_goes_on_without_a_process_that_cannot_be_forked(void **state)
{
	stage.play = acceptor_0_fails_first;
	stage.on_turn = drain_without_forks_while_acceptor_0_is_down;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_true(forks_failed > 0);
	assert_int_equal(stage_count(&stage, STARTED, ROLE_ACCEPTOR, 0), 1);
	assert_int_equal(stage_count(&stage, STOPPED, ROLE_WRITER, ANY), 1);
}

static void
no_forks_from_now_on(const struct stage *s)
{
	no_fork = true;
	drain_now(s);
}

static uint64_t
always(const struct stage *s)
{
	return 1;
}

static void
test_the_drain_time_out_ends_the_wait_for_a_fork(void **state)
{
	stage.play = live_and_fail;
	stage.on_ready = no_forks_from_now_on;
	stage.work_left = always;
	stage.config.drain_timeout_seconds = 1;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_true(forks_failed > 1);
	assert_int_equal(stage_count(&stage, STARTED, ROLE_WRITER, ANY), 1);
}

static void
hang_up(const struct stage *s)
{
	stage_signal_master(SIGHUP);
}

static void
drain_when_all_acceptors_are_replaced(const struct stage *s)
{
	for (uint32_t i = 0; i < 2; i++)
		if (stage_count(s, STARTED, ROLE_ACCEPTOR, i) < 2 ||
		    slot_state(segment_slot(&s->segment, ROLE_ACCEPTOR, i)) != PROCESS_READY)
			return;
	stage_signal_master(SIGTERM);
}

static void
test_hup_replaces_acceptors_one_by_one_and_reaches_the_other_roles(void **state)
{
	stage.play = live_and_stop;
	stage.on_ready = hang_up;
	stage.on_turn = drain_when_all_acceptors_are_replaced;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_true(
	    stage_when(&stage, STOPPED, ROLE_ACCEPTOR, 0, 1) < stage_when(&stage, STARTED, ROLE_ACCEPTOR, 0, 2));
	assert_true(
	    stage_when(&stage, STARTED, ROLE_ACCEPTOR, 0, 2) < stage_when(&stage, TOLD_TO_STOP, ROLE_ACCEPTOR, 1, 1));
	assert_int_equal(stage_count(&stage, STARTED, ROLE_ACCEPTOR, ANY), 4);
	assert_int_equal(stage_count(&stage, STARTED, ROLE_WRITER, ANY), 1);
	assert_int_equal(stage_count(&stage, HUNG_UP, ROLE_WRITER, ANY), 1);
	assert_int_equal(stage_count(&stage, HUNG_UP, ROLE_COURIER, ANY), 2);
	assert_int_equal(stage_count(&stage, HUNG_UP, ROLE_ACCEPTOR, ANY), 0);
}

static int
acceptor_0_is_killed_while_it_stops(const struct stage *s, enum role role, uint32_t index)
{
	stage_live(s, role, index, NULL, NULL);
	if (role == ROLE_ACCEPTOR && index == 0 && stage_count(s, STARTED, role, index) == 1)
		(void)raise(SIGKILL);
	stage_record(s, STOPPED, role, index);
	return 0;
}

static void
test_hup_goes_on_after_a_process_was_killed_while_it_stopped(void **state)
{
	stage.play = acceptor_0_is_killed_while_it_stops;
	stage.on_ready = hang_up;
	stage.on_turn = drain_when_all_acceptors_are_replaced;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_int_equal(segment_counter_sum(&stage.segment, COUNTER_RESTARTS_ACCEPTOR_SIGKILL), 1);
	assert_int_equal(stage_count(&stage, STARTED, ROLE_ACCEPTOR, ANY), 4);
}

/* At the second HUP acceptor 0 is replaced and acceptor 1 was told to stop. */
static void
hang_up_again_and_drain(const struct stage *s)
{
	static bool again;

	if (!again && stage_count(s, TOLD_TO_STOP, ROLE_ACCEPTOR, 1) == 1) {
		again = true;
		(void)kill(getpid(), SIGHUP);
	}
	if (stage_count(s, STARTED, ROLE_ACCEPTOR, 0) == 3 && stage_count(s, STARTED, ROLE_ACCEPTOR, 1) == 3)
		stage_signal_master(SIGTERM);
}

static void
test_a_second_hup_begins_again_with_the_first_process(void **state)
{
	stage.play = live_and_stop;
	stage.on_ready = hang_up;
	stage.on_turn = hang_up_again_and_drain;
	assert_int_equal(stage_supervise(&stage), EXIT_DRAINED);
	assert_true(
	    stage_when(&stage, STARTED, ROLE_ACCEPTOR, 0, 3) < stage_when(&stage, TOLD_TO_STOP, ROLE_ACCEPTOR, 1, 2));
	assert_int_equal(stage_count(&stage, HUNG_UP, ROLE_WRITER, ANY), 2);
	assert_int_equal(stage_count(&stage, STARTED, ROLE_WRITER, ANY), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    STAGE_TEST(test_a_process_that_always_fails_at_its_start_ends_the_service),
	    STAGE_TEST(test_a_role_that_may_keep_dying_does_not_end_the_service),
	    STAGE_TEST(test_term_stops_every_process),
	    STAGE_TEST(test_a_phase_drains_when_all_processes_of_the_one_before_have_ended),
	    STAGE_TEST(test_roles_of_one_phase_drain_together),
	    STAGE_TEST(test_in_a_drain_only_processes_with_work_left_are_restarted),
	    STAGE_TEST(test_a_dead_process_is_started_once_more_when_a_drain_begins),
	    STAGE_TEST(test_the_drain_time_out_kills_the_remaining_processes),
	    STAGE_TEST(test_a_process_in_an_endless_loop_is_killed_and_replaced),
	    STAGE_TEST(test_a_stuck_process_that_is_not_reaped_yet_does_not_delay_a_drain),
	    STAGE_TEST(test_a_process_that_hangs_while_it_stops_is_killed_and_the_drain_goes_on),
	    STAGE_TEST(test_a_second_signal_kills_the_remaining_processes_at_once),
	    STAGE_TEST(test_a_fork_that_fails_is_tried_again),
	    STAGE_TEST(test_a_drain_goes_on_without_a_process_that_cannot_be_forked),
	    STAGE_TEST(test_the_drain_time_out_ends_the_wait_for_a_fork),
	    STAGE_TEST(test_hup_replaces_acceptors_one_by_one_and_reaches_the_other_roles),
	    STAGE_TEST(test_hup_goes_on_after_a_process_was_killed_while_it_stopped),
	    STAGE_TEST(test_a_second_hup_begins_again_with_the_first_process),
	};

	return cmocka_run_group_tests(tests, ring_make_directory, ring_remove_directory);
}
