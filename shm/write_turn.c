/*
 * A wait for a lock by F_OFD_SETLKW would have no end in time, and signals to end it are not used here. Naps are short
 * as long as one transaction takes, and longer when it is more than that.
 */
#include "shm/write_turn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <ck_pr.h>

#include "base/clock.h"

/* Byte 0 is the lock of segment_lock.h. */
#define TURN_BYTE 1

#define SHORT_NAP_US 100
#define LONG_NAP_US 1000
#define SHORT_NAPS_US 20000

/* A process that waits takes the turn within a nap of it, or is stopped, or was killed a moment ago. */
#define STAND_BACK_US 10000

static void
nap(int64_t us)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/* 0, or <0 with errno. */
static int
set_lock(const struct write_turn *turn, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = TURN_BYTE, .l_len = 1};

	return fcntl(turn->fd, F_OFD_SETLK, &lock);
}

int
write_turn_open(struct write_turn *turn, const struct segment *segment, struct process_slot *slot, struct error *err)
{
	char path[32];

	*turn = (struct write_turn){.segment = segment, .slot = slot, .threads = PTHREAD_MUTEX_INITIALIZER};
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", segment->fd);
	turn->fd = open(path, O_RDWR | O_CLOEXEC);
	if (turn->fd < 0)
		return error_errno(err, "cannot open the ring file as %s", path);
	if (set_lock(turn, F_UNLCK) == 0)
		return 0;
	(void)error_errno(err, "cannot lock the ring file (RING_PATH)");
	close(turn->fd);
	return -1;
}

void
write_turn_close(struct write_turn *turn)
{
	close(turn->fd);
	(void)pthread_mutex_destroy(&turn->threads);
}

static void
set_waiting(struct write_turn *turn, uint32_t waiting)
{
	ck_pr_store_32(&turn->slot->waits_for_turn, waiting);
}

static bool
another_waits(const struct write_turn *turn)
{
	uint32_t count = segment_slot_count(turn->segment);

	for (uint32_t i = 0; i < count; i++) {
		const struct process_slot *slot = segment_slot_at(turn->segment, i);

		if (slot != turn->slot && ck_pr_load_32(&slot->waits_for_turn) != 0 && slot_pid(slot) != 0)
			return true;
	}
	return false;
}

/* 0 with the lock, <0 with errno: EAGAIN when it did not come in time. */
static int
wait_for_lock(struct write_turn *turn, int64_t until_us)
{
	int64_t began_us = clock_steady_us();

	while (set_lock(turn, F_WRLCK) != 0) {
		int64_t now_us = clock_steady_us();

		if ((errno != EAGAIN && errno != EACCES && errno != EINTR) || now_us >= until_us)
			return -1;
		nap(now_us - began_us < SHORT_NAPS_US ? SHORT_NAP_US : LONG_NAP_US);
	}
	return 0;
}

static int
late(struct error *err)
{
	return error_set(err, "another process of the service has the turn to write to the database, and keeps it");
}

/* With the mutex. */
static int
take_from_processes(struct write_turn *turn, int64_t until_us, struct error *err)
{
	for (int64_t end_us = clock_steady_us() + STAND_BACK_US; clock_steady_us() < end_us && another_waits(turn);)
		nap(SHORT_NAP_US);
	set_waiting(turn, 1);
	int rc = wait_for_lock(turn, until_us);
	set_waiting(turn, 0);
	if (rc == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? late(err) : error_errno(err, "cannot lock the ring file");
}

int
write_turn_take(struct write_turn *turn, int64_t until_us, struct error *err)
{
	const struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};

	if (pthread_mutex_clocklock(&turn->threads, CLOCK_MONOTONIC, &until) != 0)
		return late(err);
	int rc = take_from_processes(turn, until_us, err);
	if (rc != 0)
		(void)pthread_mutex_unlock(&turn->threads);
	return rc;
}

void
write_turn_give(struct write_turn *turn)
{
	int rc = set_lock(turn, F_UNLCK);

	assert(rc == 0);
	(void)pthread_mutex_unlock(&turn->threads);
}
