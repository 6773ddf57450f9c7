/*
 * Masters use flock(2), because children inherit it. Writers use a record lock, because the kernel releases it when its
 * holder dies.
 */
#include "shm/segment_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_lock.h"
#include "base/files.h"
#include "base/log.h"
#include "shm/old_ring.h"

static bool
read_header(int fd, struct segment_header *h)
{
	return pread(fd, h, sizeof *h, 0) == (ssize_t)sizeof *h &&
	       memcmp(h->magic, SEGMENT_MAGIC, sizeof h->magic) == 0;
}

/* The pid of the master in the header, of this version or 0.1.0; 0: there is no header. */
static pid_t
master_of(int fd)
{
	struct segment_header h;

	return read_header(fd, &h) ? h.master_pid : old_ring_master_pid(fd);
}

static bool
master_gone(int fd)
{
	pid_t master = master_of(fd);

	return master > 0 && file_lock_pid_gone(master);
}

/* Whether the file system has record locks, which segment_append_lock() needs. Returns 0, or <0 with errno. */
static int
try_append_lock(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	if (fcntl(fd, F_SETLK, &lock) != 0)
		return -1;
	lock.l_type = F_UNLCK;
	return fcntl(fd, F_SETLK, &lock);
}

/* Sets the error for a lock that could not be taken. */
static int
cannot_lock(int fd, const char *path, struct error *err)
{
	if (errno != EWOULDBLOCK)
		return error_errno(
		    err, "cannot lock the ring file %s (RING_PATH): put it into /dev/shm, which has locks", path);
	return error_set(err,
	    "the ring file %s is in use by another hooksd (master pid %d): stop it first, or give this one its own "
	    "PORT or RING_PATH",
	    path, (int)master_of(fd));
}

int
segment_lock_file(const char *path, struct error *err)
{
	for (;;) {
		struct stat opened;
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			return error_errno(err, "cannot open the ring file %s (RING_PATH)", path);
		if (file_lock(fd, master_gone) != 0 || try_append_lock(fd) != 0) {
			(void)cannot_lock(fd, path, err);
			close(fd);
			return -1;
		}
		if (fstat(fd, &opened) == 0 && !S_ISREG(opened.st_mode)) {
			close(fd);
			return error_set(err, "RING_PATH=%s is not a regular file", path);
		}
		if (files_named(fd, path))
			return fd;
		close(fd); /* its owner removed the file between open and lock */
	}
}

static void
set_append_lock(const struct segment *segment, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	while (fcntl(segment->fd, F_SETLKW, &lock) != 0)
		if (errno != EINTR) {
			/* The kernel has no memory for a lock: end the process, as elsewhere without memory. */
			log_error("cannot lock the ring file", LOG_STR("error", strerror(errno)));
			abort();
		}
}

void
segment_append_lock(const struct segment *segment)
{
	set_append_lock(segment, F_WRLCK);
}

bool
segment_append_try_lock(const struct segment *segment)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	return fcntl(segment->fd, F_SETLK, &lock) == 0;
}

void
segment_append_unlock(const struct segment *segment)
{
	set_append_lock(segment, F_UNLCK);
}
