/* flock() on a file that holds a pid. */
#include "base/pid_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"

/* For the children of a killed master, which die with it but not in the same instant. */
#define WAIT_TRIES 500
#define WAIT_MS 10

/* The pid in the file; 0: none. */
static pid_t
read_holder(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof text - 1, 0) <= 0)
		return 0;
	return (pid_t)strtol(text, NULL, 10);
}

static bool
lives(pid_t pid)
{
	return pid > 0 && (kill(pid, 0) == 0 || errno != ESRCH);
}

/* 0, or <0 with errno. */
static int
take(int fd, const char *what, struct error *err)
{
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
		pid_t holder = read_holder(fd);

		if (errno != EWOULDBLOCK)
			return error_errno(err, "cannot lock %s", what);
		if (tries == WAIT_TRIES || lives(holder)) {
			(void)error_set(err,
			    "%s is in use by pid %d (another hooksd, or hooksctl spool replay): stop it first, or use "
			    "another one",
			    what, (int)holder);
			errno = EWOULDBLOCK;
			return -1;
		}
		(void)nanosleep(&(struct timespec){.tv_nsec = WAIT_MS * 1000 * 1000}, NULL);
	}
	return 0;
}

int
pid_lock(const char *path, const char *option, const char *what, struct error *err)
{
	char pid[16];
	int fd = files_open(path, O_RDWR | O_NOFOLLOW, 0600, option, err);

	if (fd < 0)
		return -1;
	if (take(fd, what, err) != 0) {
		int failure = errno;

		close(fd);
		errno = failure;
		return -1;
	}
	/* The lock holds without it, and a full disk is no reason not to serve: the spool and the store get over it. */
	int len = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)len, 0) != len)
		log_warning("cannot write the master's pid into its lock file", LOG_STR("file", path),
		    LOG_STR("error", strerror(errno)));
	return fd;
}
