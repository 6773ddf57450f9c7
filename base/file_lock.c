/* flock(2), with retries while the lock's taker is dead. */
#include "base/file_lock.h"

#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <time.h>

#define WAIT_TRIES 500
#define WAIT_MS 10

int
file_lock(int fd, bool (*holder_gone)(int fd))
{
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
		if (errno != EWOULDBLOCK)
			return -1;
		if (tries == WAIT_TRIES || !holder_gone(fd)) {
			errno = EWOULDBLOCK;
			return -1;
		}
		(void)nanosleep(&(struct timespec){.tv_nsec = WAIT_MS * 1000 * 1000}, NULL);
	}
	return 0;
}

bool
file_lock_pid_gone(pid_t pid)
{
	return kill(pid, 0) != 0 && errno == ESRCH;
}
