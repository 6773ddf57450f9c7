/* Keeping a second user out of DATA_DIR. */
#include "base/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

int
data_dir_lock(const char *data_dir, struct error *err)
{
	char path[PATH_MAX], pid[16];
	int fd, len;

	if (snprintf(path, sizeof path, "%s/" DATA_DIR_LOCK, data_dir) >= (int)sizeof path)
		return error_set(err, "DATA_DIR=%s is too long", data_dir);
	fd = files_open(path, O_RDWR | O_NOFOLLOW, 0600, "DATA_DIR", err);
	if (fd < 0)
		return -1;
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
		pid_t holder;

		if (errno != EWOULDBLOCK) {
			(void)error_errno(err, "cannot lock %s (DATA_DIR)", path);
			close(fd);
			return -1;
		}
		holder = read_holder(fd);
		if (tries == WAIT_TRIES || lives(holder)) {
			close(fd);
			return error_set(err,
			    "DATA_DIR=%s is in use by pid %d (another hooksd, or hooksctl spool replay): stop it "
			    "first, or use another DATA_DIR",
			    data_dir, (int)holder);
		}
		(void)nanosleep(&(struct timespec){.tv_nsec = WAIT_MS * 1000 * 1000}, NULL);
	}
	len = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
	/* The lock holds without it, and a full disk is no reason not to serve: the spool and the store get over it. */
	if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)len, 0) != len)
		log_warning("cannot write the master's pid into the lock file of DATA_DIR", LOG_STR("file", path),
		    LOG_STR("error", strerror(errno)));
	return fd;
}
