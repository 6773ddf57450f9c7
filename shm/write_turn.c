/*
 * F_OFD_SETLKW has no timeout, and this service does not interrupt it by signals, so waiters nap. Naps are short for
 * about one transaction's time, then longer, and short again for the process that has become first in line.
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

/* The longest wait for an older process to take the free lock. A longer one means that it is stopped or dead. */
#define STAND_BACK_US 10000

/* How often a thread that waits for other threads calls until_us(). */
#define ASK_US 250000

static void
nap(int64_t us)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/* Returns 0, or <0 with errno. */
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

/* Whether another process holds the lock now. */
static bool
is_taken(const struct write_turn *turn)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = TURN_BYTE, .l_len = 1};

	return fcntl(turn->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* The value of waits_for_turn: the low bits of the time suffice to compare. */
static uint32_t
since_now(void)
{
	uint32_t since = (uint32_t)clock_steady_us();

	return since != 0 ? since : 1;
}

static bool
goes_first(const struct write_turn *turn, const struct process_slot *slot, uint32_t since)
{
	uint32_t other_since = ck_pr_load_32(&slot->waits_for_turn);

	if (slot == turn->slot || other_since == 0 || slot_pid(slot) == 0)
		return false;
	return (int32_t)(other_since - since) < 0 || (other_since == since && slot < turn->slot);
}

/* Whether another process has waited longer than this one. */
static bool
another_goes_first(const struct write_turn *turn, uint32_t since)
{
	uint32_t count = segment_slot_count(turn->segment);

	for (uint32_t i = 0; i < count; i++)
		if (goes_first(turn, segment_slot_at(turn->segment, i), since))
			return true;
	return false;
}

/* Returns 0 with the lock, or <0 with errno: EAGAIN: not in time. */
static int
wait_for_lock(struct write_turn *turn, const struct turn_wait *wait, uint32_t since)
{
	int64_t began_us = clock_steady_us(), spared_us = 0;
	bool first = false;

	for (;;) {
		int64_t now_us = clock_steady_us();

		if (!first && !another_goes_first(turn, since)) {
			first = true;
			began_us = now_us;
		}
		bool stands_back = !first && spared_us < STAND_BACK_US;
		if (!stands_back && set_lock(turn, F_WRLCK) == 0)
			return 0;
		if (!stands_back && errno != EAGAIN && errno != EACCES && errno != EINTR)
			return -1;
		if (now_us >= wait->until_us(wait->context)) {
			errno = EAGAIN;
			return -1;
		}
		bool spares = stands_back && !is_taken(turn);
		nap(now_us - began_us < SHORT_NAPS_US ? SHORT_NAP_US : LONG_NAP_US);
		spared_us += spares ? clock_steady_us() - now_us : 0;
	}
}

static int
late(struct error *err)
{
	return error_set(err, "another process of the service has the turn to write to the database, and keeps it");
}

/* Called with the mutex held. */
static int
take_from_processes(struct write_turn *turn, const struct turn_wait *wait, struct error *err)
{
	uint32_t since = since_now();

	ck_pr_store_32(&turn->slot->waits_for_turn, since);
	int rc = wait_for_lock(turn, wait, since);
	ck_pr_store_32(&turn->slot->waits_for_turn, 0);
	if (rc == 0)
		return 0;
	return errno == EAGAIN ? late(err) : error_errno(err, "cannot lock the ring file");
}

static int
take_from_threads(struct write_turn *turn, const struct turn_wait *wait, struct error *err)
{
	for (;;) {
		int64_t now_us = clock_steady_us(), until_us = wait->until_us(wait->context);
		int64_t next_us = until_us < now_us + ASK_US ? until_us : now_us + ASK_US;
		const struct timespec next = {.tv_sec = next_us / 1000000, .tv_nsec = next_us % 1000000 * 1000};

		if (pthread_mutex_clocklock(&turn->threads, CLOCK_MONOTONIC, &next) == 0)
			return 0;
		if (next_us == until_us)
			return late(err);
	}
}

int
write_turn_take(struct write_turn *turn, const struct turn_wait *wait, struct error *err)
{
	if (take_from_threads(turn, wait, err) != 0)
		return -1;
	int rc = take_from_processes(turn, wait, err);
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
