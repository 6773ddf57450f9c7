/*
 * Sleeping and waking across processes: no wake-up is lost, whichever process is killed and when, and system calls are
 * few. Includes the source, with its write(2) counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <ck_pr.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static ssize_t counted_write(int fd, const void *bytes, size_t len);
#define write counted_write
#include "shm/wake.c"
#undef write

#include "tests/unit/lane_fixture.h"
#include "tests/unit/single_step.h"

#define SIDES 2
#define LOST_MS 20000 /* a process that sleeps that long has missed a wake-up */

/* Each word on cache lines of its own, as in the segment. */
struct shared {
	_Alignas(128) uint32_t sleeping[SIDES][32];
	_Alignas(128) uint64_t work[SIDES][16];
	_Alignas(128) uint64_t here[SIDES][16];
	_Alignas(128) uint64_t moment;
	_Alignas(128) uint64_t writes;
	_Alignas(128) uint64_t sleeps;
};

static struct shared *shared;
static struct wake wakes[SIDES];

static ssize_t
counted_write(int fd, const void *bytes, size_t len)
{
	ck_pr_inc_64(&shared->writes);
	return write(fd, bytes, len);
}

static int
start_afresh(void **state)
{
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(shared != MAP_FAILED);
	for (int i = 0; i < SIDES; i++) {
		wakes[i] = (struct wake){.sleeping = shared->sleeping[i], .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
		REQUIRE(wakes[i].fd >= 0);
	}
	return 0;
}

static int
clean_up(void **state)
{
	for (int i = 0; i < SIDES; i++)
		close(wakes[i].fd);
	return munmap(shared, sizeof *shared);
}

static bool
readable(const struct wake *wake)
{
	struct pollfd fd = {.fd = wake->fd, .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

/* Sleeps as writers do while work[side] is still `seen`. Returns the new amount. */
static uint64_t
wait_for_work(int side, uint64_t seen)
{
	uint64_t now;

	while ((now = ck_pr_load_64(&shared->work[side][0])) == seen) {
		wake_arm(&wakes[side]);
		if (ck_pr_load_64(&shared->work[side][0]) == seen) {
			struct pollfd fd = {.fd = wakes[side].fd, .events = POLLIN};

			ck_pr_inc_64(&shared->sleeps);
			REQUIRE(poll(&fd, 1, LOST_MS) == 1);
			wake_drain(&wakes[side]);
		}
		wake_disarm(&wakes[side]);
	}
	return now;
}

static void
add_work(int side)
{
	ck_pr_inc_64(&shared->work[side][0]);
	wake_up(&wakes[side]);
}

static pid_t
in_child(void (*run)(int), int argument)
{
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(argument);
		_exit(0);
	}
	return pid;
}

static void
assert_all_exit_0(int children)
{
	while (children-- > 0) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
}

static void
test_without_a_sleeper_there_are_no_writes(void **state)
{
	for (int i = 0; i < 1000; i++)
		wake_up(&wakes[0]);
	wake_arm(&wakes[0]);
	wake_disarm(&wakes[0]);
	for (int i = 0; i < 1000; i++)
		wake_up(&wakes[0]);
	assert_int_equal(shared->writes, 0);
	assert_false(readable(&wakes[0]));
}

static void
test_each_sleep_costs_one_write(void **state)
{
	for (uint64_t sleep = 1; sleep <= 1000; sleep++) {
		wake_arm(&wakes[0]);
		assert_false(readable(&wakes[0]));
		for (int i = 0; i < 3; i++)
			wake_up(&wakes[0]);
		assert_int_equal(shared->writes, sleep);
		assert_true(readable(&wakes[0]));
		wake_disarm(&wakes[0]);
		wake_drain(&wakes[0]);
		assert_false(readable(&wakes[0]));
	}
	assert_false(readable(&wakes[1]));
}

/*
 * The process found work after it had armed, so it neither polled nor drained. Its next sleep may end early. The one
 * after that works as usual.
 */
static void
test_a_wake_up_that_was_not_used_ends_one_sleep_early_at_most(void **state)
{
	wake_arm(&wakes[0]);
	wake_up(&wakes[0]);
	wake_disarm(&wakes[0]);

	wake_arm(&wakes[0]);
	assert_true(readable(&wakes[0]));
	wake_drain(&wakes[0]);
	wake_disarm(&wakes[0]);

	wake_arm(&wakes[0]);
	assert_false(readable(&wakes[0]));
	wake_up(&wakes[0]);
	assert_true(readable(&wakes[0]));
}

/* A process that dies asleep leaves its word set. Its successor sleeps and wakes as usual. */
static void
test_the_successor_of_a_dead_sleeper_is_woken(void **state)
{
	for (int drained = 0; drained < 2; drained++) {
		wake_arm(&wakes[0]); /* dies here */
		if (drained == 1) {
			wake_up(&wakes[0]);
			wake_drain(&wakes[0]); /* or here */
		}
		wake_arm(&wakes[0]);
		wake_up(&wakes[0]);
		assert_true(readable(&wakes[0]));
		wake_disarm(&wakes[0]);
		wake_drain(&wakes[0]);
	}
}

/*
 * One process says that it sleeps and then looks for work. The other one makes work and then looks for a sleeper. When
 * both do so at the same moment, at least one of them sees the other. The fences ensure this.
 */
enum { MOMENTS = 150000 };

static void
meet(int side, uint64_t moment)
{
	ck_pr_store_64(&shared->here[side][0], moment);
	for (int spins = 0; ck_pr_load_64(&shared->here[1 - side][0]) < moment; spins++)
		if (spins > 500)
			(void)sched_yield();
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
fall_asleep_or_wake(int side)
{
	for (uint64_t i = 1; i <= MOMENTS; i++) {
		bool seen = true;

		/* With both words in both caches, loads overtake stores as often as they can. */
		meet(side, 3 * i - 2);
		(void)ck_pr_load_32(&shared->sleeping[0][0]);
		(void)ck_pr_load_64(&shared->work[0][0]);
		if (side == 0)
			ck_pr_store_64(&shared->moment, now_ns() + 1000);
		meet(side, 3 * i - 1);
		/* The moment, within the time that caches need to pass a line to each other. */
		while (now_ns() < ck_pr_load_64(&shared->moment) + (side == 0 ? i % 128 : 64))
			;
		if (side == 0) {
			wake_arm(&wakes[0]);
			seen = ck_pr_load_64(&shared->work[0][0]) == i;
		} else {
			ck_pr_store_64(&shared->work[0][0], i); /* without a fence, as lane_publish() has none */
			wake_up(&wakes[0]);
		}
		meet(side, 3 * i);
		if (side == 0) {
			REQUIRE(seen || readable(&wakes[0]));
			wake_disarm(&wakes[0]);
			wake_drain(&wakes[0]);
		}
	}
}

static void
test_of_a_sleeper_and_a_waker_at_least_one_sees_the_other(void **state)
{
	(void)in_child(fall_asleep_or_wake, 0);
	(void)in_child(fall_asleep_or_wake, 1);
	assert_all_exit_0(2);
}

/* A ball between two processes: each throw finds the other side asleep or falling asleep. */
enum { THROWS = 100000 };

static void
play(int side)
{
	for (uint64_t i = 0; i < THROWS / 2; i++) {
		if (side == 0)
			add_work(1);
		REQUIRE(wait_for_work(side, i) == i + 1);
		if (side == 1)
			add_work(0);
	}
}

static void
test_no_wake_up_is_lost_between_two_processes(void **state)
{
	(void)in_child(play, 0);
	(void)in_child(play, 1);
	assert_all_exit_0(2);
	assert_int_equal(shared->work[0][0] + shared->work[1][0], THROWS);
	assert_in_range(
	    shared->writes, 0, shared->sleeps + THROWS / 100); /* one a sleep; a few find the other side awake */
}

/* Several wakers and one sleeper. */
enum { WAKERS = 3, ITEMS = 60000 };

static void
hand_in(int waker)
{
	for (int i = 0; i < ITEMS; i++) {
		add_work(0);
		if (i % 64 == waker)
			(void)sched_yield();
	}
}

static void
take_all(int pause_us)
{
	for (uint64_t seen = 0; seen < (uint64_t)WAKERS * ITEMS;) {
		seen = wait_for_work(0, seen);
		if (pause_us > 0)
			(void)nanosleep(&(struct timespec){.tv_nsec = pause_us * 1000L}, NULL);
	}
}

static void
hand_over(int pause_us)
{
	(void)in_child(take_all, pause_us);
	for (int i = 0; i < WAKERS; i++)
		(void)in_child(hand_in, i);
	assert_all_exit_0(WAKERS + 1);
}

static void
test_no_wake_up_of_several_wakers_is_lost(void **state)
{
	hand_over(0);
}

/* A sleeper that is busy, for example with a commit, finds work afterwards without a wake-up: there are few writes. */
static void
test_there_are_few_writes_under_load(void **state)
{
	hand_over(300);
	assert_in_range(shared->writes, 0, WAKERS * ITEMS / 10);
}

/*
 * A waker is killed at any instruction. Either it has woken the sleeper, or the sleeper's word is still set and the
 * next waker wakes it.
 */
static void
wake_thrice(void *context)
{
	for (int i = 0; i < 3; i++)
		add_work(0);
}

static void
look_at_sleeper(void *context)
{
	static struct shared killed_here;
	static struct wake next_waker;
	uint64_t writes = shared->writes;

	if (readable(&wakes[0]))
		return;
	/* The next waker, after the death of the other one. */
	killed_here = *shared;
	next_waker = (struct wake){.sleeping = killed_here.sleeping[0], .fd = wakes[1].fd};
	wake_up(&next_waker);
	REQUIRE(readable(&next_waker));
	wake_drain(&next_waker);
	shared->writes = writes;
}

static void
test_no_wake_up_is_lost_when_a_waker_is_killed(void **state)
{
	unsigned long steps;

	for (int round = 0; round < 3; round++) {
		wake_arm(&wakes[0]);
		steps = single_step(wake_thrice, look_at_sleeper, NULL);
		if (steps == 0)
			skip();
		assert_in_range(steps, 20, 1000000);
		assert_true(readable(&wakes[0]));
		wake_disarm(&wakes[0]);
		wake_drain(&wakes[0]);
	}
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, start_afresh, clean_up)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    FRESH(test_without_a_sleeper_there_are_no_writes),
	    FRESH(test_each_sleep_costs_one_write),
	    FRESH(test_a_wake_up_that_was_not_used_ends_one_sleep_early_at_most),
	    FRESH(test_the_successor_of_a_dead_sleeper_is_woken),
	    FRESH(test_of_a_sleeper_and_a_waker_at_least_one_sees_the_other),
	    FRESH(test_no_wake_up_is_lost_between_two_processes),
	    FRESH(test_no_wake_up_of_several_wakers_is_lost),
	    FRESH(test_there_are_few_writes_under_load),
	    FRESH(test_no_wake_up_is_lost_when_a_waker_is_killed),
	};

	return cmocka_run_group_tests_name("wake", tests, NULL, NULL);
}
