/* The write turn: one process at a time, a small writer beside a busy one, and processes that are killed or stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "shm/write_turn.h"
#include "tests/unit/lane_fixture.h"
#include "tests/unit/segment_fixture.h"

#define SECOND 1000000
#define TURNS 2000

#define PROCESSES 4

/* The memory that the processes of a test share. */
struct shared {
	uint32_t inside; /* processes that have the turn */
	uint32_t turns;
	uint32_t ready; /* processes that are ready */
	uint32_t turns_of[PROCESSES];
	uint32_t late[PROCESSES]; /* how often each process has waited for more than a few turns */
};

static volatile struct shared *shared;

static struct segment segment;

static int
set_up(void **state)
{
	struct config config = ring_config(PROCESSES, 1, RING_OLD_BYTES);

	ring_remove(state);
	segment = ring_open(&config);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED;
}

static int
tear_down(void **state)
{
	ring_close(&segment);
	(void)munmap((void *)(uintptr_t)shared, sizeof *shared);
	return ring_remove(state);
}

static void
must_open(struct write_turn *turn, uint32_t acceptor)
{
	struct process_slot *slot = segment_slot(&segment, ROLE_ACCEPTOR, acceptor);
	struct error err;

	REQUIRE(write_turn_open(turn, &segment, slot, &err) == 0);
	slot_begin(slot, getpid(), clock_steady_us());
}

static int64_t
until(void *instant)
{
	return *(int64_t *)instant;
}

static void
must_take(struct write_turn *turn)
{
	int64_t end_us = clock_steady_us() + 20 * SECOND;
	struct error err;

	REQUIRE(write_turn_take(turn, &(struct turn_wait){until, &end_us}, &err) == 0);
}

static int
take_for(struct write_turn *turn, int64_t us)
{
	int64_t end_us = clock_steady_us() + us;
	struct error err = {""};
	int rc = write_turn_take(turn, &(struct turn_wait){until, &end_us}, &err);

	REQUIRE(rc == 0 || err.text[0] != '\0');
	return rc;
}

/* Runs the body in a child with the slot of that acceptor. */
static pid_t
start_as(uint32_t acceptor, void (*body)(struct write_turn *))
{
	struct write_turn turn;
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid > 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	must_open(&turn, acceptor);
	body(&turn);
	_exit(0);
}

static pid_t
start(void (*body)(struct write_turn *))
{
	return start_as(1, body);
}

static void
finish(pid_t pid, int signal)
{
	int status;

	if (signal != 0)
		assert_int_equal(kill(pid, signal), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(signal != 0 ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
wait_until_ready(void)
{
	while (!shared->ready)
		(void)usleep(100);
}

static void
one_turn(struct write_turn *turn, uint32_t who)
{
	must_take(turn);
	REQUIRE(shared->inside == 0);
	shared->inside = who;
	if (shared->turns % 16 == 0)
		(void)sched_yield();
	REQUIRE(shared->inside == who);
	shared->turns++;
	shared->inside = 0;
	write_turn_give(turn);
}

static void
many_turns(struct write_turn *turn)
{
	for (int i = 0; i < TURNS; i++)
		one_turn(turn, 2);
}

static void
test_one_process_at_a_time_has_the_turn(void **state)
{
	struct write_turn turn;
	pid_t pid;

	must_open(&turn, 0);
	pid = start(many_turns);
	for (int i = 0; i < TURNS; i++)
		one_turn(&turn, 1);
	finish(pid, 0);
	assert_int_equal(shared->turns, 2 * TURNS);
	write_turn_close(&turn);
}

static void *
thread_turns(void *turn)
{
	for (int i = 0; i < TURNS; i++)
		one_turn(turn, 3);
	return NULL;
}

static void
test_one_thread_at_a_time_has_the_turn(void **state)
{
	struct write_turn turn;
	pthread_t thread;

	must_open(&turn, 0);
	assert_int_equal(pthread_create(&thread, NULL, thread_turns, &turn), 0);
	for (int i = 0; i < TURNS; i++)
		one_turn(&turn, 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(shared->turns, 2 * TURNS);
	write_turn_close(&turn);
}

/* Writes without pause, 1 ms each time. */
static void
be_busy(struct write_turn *turn)
{
	for (;;) {
		must_take(turn);
		shared->turns++;
		shared->ready = 1;
		(void)usleep(1000);
		write_turn_give(turn);
	}
}

static void
test_a_small_writer_waits_for_one_transaction_of_a_busy_one(void **state)
{
	struct write_turn turn;
	pid_t pid;
	uint32_t late = 0;

	must_open(&turn, 0);
	pid = start(be_busy);
	wait_until_ready();
	for (int i = 0; i < 200; i++) {
		uint32_t before = shared->turns;

		must_take(&turn);
		late += shared->turns - before > 2; /* the one under way, and one that began before this one waited */
		write_turn_give(&turn);
		(void)usleep(2000);
	}
	assert_in_range(late, 0, 50); /* the machine may have kept this process from running */
	finish(pid, SIGKILL);
	write_turn_close(&turn);
}

static void
test_two_busy_writers_take_turns(void **state)
{
	struct write_turn turn;
	pid_t pid;
	int mine = 200;

	must_open(&turn, 0);
	pid = start(be_busy);
	wait_until_ready();
	uint32_t before = shared->turns;
	for (int i = 0; i < mine; i++) {
		must_take(&turn);
		(void)usleep(1000);
		write_turn_give(&turn);
	}
	assert_in_range(shared->turns - before, mine / 2, mine * 3 / 2);
	finish(pid, SIGKILL);
	write_turn_close(&turn);
}

/* Takes the turn and counts it. The caller gives it back. */
static void
take_counted(struct write_turn *turn, uint32_t who)
{
	uint32_t before = shared->turns;

	must_take(turn);
	shared->late[who] += shared->turns - before > PROCESSES; /* one of each other process, and the one under way */
	shared->turns++;
	shared->turns_of[who]++;
}

/* Writes without pause. Each process has transactions of another length. */
static void
be_one_of_three(struct write_turn *turn)
{
	uint32_t who = shared->ready++ + 1; /* processes are started one after the other */

	for (;;) {
		take_counted(turn, who);
		(void)usleep(who * 1000);
		write_turn_give(turn);
	}
}

static void
test_none_of_three_busy_writers_and_a_small_one_waits_for_more_than_a_few_turns(void **state)
{
	struct write_turn turn;
	pid_t pids[PROCESSES];

	must_open(&turn, 0);
	for (uint32_t who = 1; who < PROCESSES; who++) {
		pids[who] = start_as(who, be_one_of_three);
		while (shared->ready < who)
			(void)usleep(100);
	}
	for (int i = 0; i < 100; i++) {
		take_counted(&turn, 0);
		write_turn_give(&turn);
		(void)usleep(3000);
	}
	for (uint32_t who = 1; who < PROCESSES; who++)
		finish(pids[who], SIGKILL);

	uint32_t busy = (shared->turns - shared->turns_of[0]) / (PROCESSES - 1);
	for (uint32_t who = 0; who < PROCESSES; who++) {
		/* A process that does not run loses its turn. Without an order, one takes 100 times its share. */
		assert_in_range(shared->late[who], 0, shared->turns_of[who] / 3);
		assert_in_range(shared->turns_of[who], busy / 3, busy * 3);
	}
	write_turn_close(&turn);
}

static void
keep_it(struct write_turn *turn)
{
	must_take(turn);
	shared->ready = 1;
	for (;;)
		(void)pause();
}

static void
test_the_turn_of_a_killed_process_is_free(void **state)
{
	struct write_turn turn;
	pid_t pid;

	must_open(&turn, 0);
	pid = start(keep_it);
	wait_until_ready();
	assert_true(take_for(&turn, SECOND / 10) < 0);
	finish(pid, SIGKILL);
	assert_int_equal(take_for(&turn, SECOND), 0);
	write_turn_give(&turn);
	write_turn_close(&turn);
}

static void
want_it(struct write_turn *turn)
{
	shared->ready = 1;
	must_take(turn);
	REQUIRE(false); /* the parent has the turn, and kills this process */
}

static void
test_a_waiting_process_that_is_killed_or_stopped_delays_no_other(void **state)
{
	struct process_slot *other = segment_slot(&segment, ROLE_ACCEPTOR, 1);
	struct write_turn turn;

	must_open(&turn, 0);
	must_take(&turn);
	pid_t pid = start(want_it);
	wait_until_ready();
	for (int i = 0; i < 200 && other->waits_for_turn == 0; i++)
		(void)usleep(1000);
	assert_int_not_equal(other->waits_for_turn, 0);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	write_turn_give(&turn);
	assert_int_equal(take_for(&turn, SECOND), 0); /* this process stands back for 10 ms */
	finish(pid, SIGKILL);
	write_turn_give(&turn);
	assert_int_equal(take_for(&turn, SECOND), 0);
	write_turn_give(&turn);

	slot_reset(other); /* as the master does before it forks the next process */
	assert_int_equal(other->waits_for_turn, 0);
	write_turn_close(&turn);
}

static void
test_a_turn_that_does_not_come_in_time_can_be_taken_later(void **state)
{
	struct write_turn one, other;
	int64_t began_us = clock_steady_us();

	must_open(&one, 0);
	must_open(&other, 1);
	must_take(&one);
	assert_true(take_for(&other, SECOND / 5) < 0);
	assert_in_range(clock_steady_us() - began_us, SECOND / 5, 5 * SECOND);
	write_turn_give(&one);
	assert_int_equal(take_for(&other, 0), 0);
	write_turn_give(&other);
	write_turn_close(&one);
	write_turn_close(&other);
}

static void *
thread_waits(void *turn)
{
	return (void *)(intptr_t)take_for(turn, SECOND / 5);
}

static void
test_a_thread_stops_waiting_at_its_deadline(void **state)
{
	struct write_turn turn;
	pthread_t thread;
	void *rc;

	must_open(&turn, 0);
	must_take(&turn);
	assert_int_equal(pthread_create(&thread, NULL, thread_waits, &turn), 0);
	assert_int_equal(pthread_join(thread, &rc), 0);
	assert_true((intptr_t)rc < 0);
	write_turn_give(&turn);
	write_turn_close(&turn);
}

static void
test_a_segment_whose_name_was_removed_has_the_same_turn(void **state)
{
	struct write_turn one, other;

	must_open(&one, 0);
	assert_int_equal(unlink(ring_path), 0);
	must_open(&other, 1);
	must_take(&one);
	assert_true(take_for(&other, 0) < 0);
	write_turn_give(&one);
	assert_int_equal(take_for(&other, SECOND), 0);
	write_turn_give(&other);
	write_turn_close(&one);
	write_turn_close(&other);
}

int
main(void)
{
#define TURN_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TURN_TEST(test_one_process_at_a_time_has_the_turn),
	    TURN_TEST(test_one_thread_at_a_time_has_the_turn),
	    TURN_TEST(test_a_small_writer_waits_for_one_transaction_of_a_busy_one),
	    TURN_TEST(test_two_busy_writers_take_turns),
	    TURN_TEST(test_none_of_three_busy_writers_and_a_small_one_waits_for_more_than_a_few_turns),
	    TURN_TEST(test_the_turn_of_a_killed_process_is_free),
	    TURN_TEST(test_a_waiting_process_that_is_killed_or_stopped_delays_no_other),
	    TURN_TEST(test_a_turn_that_does_not_come_in_time_can_be_taken_later),
	    TURN_TEST(test_a_thread_stops_waiting_at_its_deadline),
	    TURN_TEST(test_a_segment_whose_name_was_removed_has_the_same_turn),
	};

	return cmocka_run_group_tests(tests, ring_make_directory, ring_remove_directory);
}
