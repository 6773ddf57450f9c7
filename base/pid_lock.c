/* flock() on a file that holds a pid. */
#include "base/pid_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_lock.h"
#include "base/files.h"
#include "base/log.h"

/* The file's content, a number and a newline, is at most this long. */
#define PID_BYTES 16

/* The pid in the file; 0: the file is not exactly a pid and a newline. */
static pid_t
read_holder(int fd)
{
	char text[PID_BYTES + 1] = "", *end;
	ssize_t len = pread(fd, text, sizeof text - 1, 0);
	long pid = strtol(text, &end, 10);

	return len > 1 && *end == '\n' && end + 1 == text + len && pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

/* Without a pid in the file the holder counts as gone: it is about to write its pid, or could not. */
static bool
holder_gone(int fd)
{
	pid_t holder = read_holder(fd);

	return holder == 0 || file_lock_pid_gone(holder);
}

/* Returns 0, or <0 with errno. */
static int
take(int fd, const char *what, struct error *err)
{
	if (file_lock(fd, holder_gone) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return error_errno(err, "cannot lock %s", what);
	(void)error_set(err,
	    "%s is in use by pid %d (another hooksd, or hooksctl spool replay): stop it first, or use another one",
	    what, (int)read_holder(fd));
	errno = EWOULDBLOCK;
	return -1;
}

/* The directory may have other programs' files, and one of them may have this ordinary name. */
static bool
not_a_lock(int fd, const char *path, const char *what, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_size <= PID_BYTES)
		return false;
	(void)error_set(
	    err, "%s is another program's file and is left alone, but %s needs that name: use another one", path, what);
	return true;
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
	if (not_a_lock(fd, path, what, err)) {
		close(fd);
		errno = EEXIST;
		return -1;
	}
	/* The lock holds without the pid; a full disk must not prevent the start. */
	int len = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)len, 0) != len)
		log_warning("cannot write the master's pid into its lock file", LOG_STR("file", path),
		    LOG_STR("error", strerror(errno)));
	return fd;
}

pid_t
pid_lock_holder(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	pid_t holder = 0;

	if (fd < 0)
		return 0;
	/* This shared lock may block a hooksd that starts at this moment; file_lock() tries again there. */
	if (flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		holder = read_holder(fd);
	close(fd);
	return holder;
}
