/* Opening files durably, reading and writing ranges. */
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

/*
 * A new name survives a power cut only if its directory was synced. EINVAL: this file system cannot sync a directory.
 */
static int
sync_directory(const char *directory, const char *option, struct error *err)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
		rc = error_errno(err, "cannot sync the directory %s for %s", directory, option);
	if (fd >= 0)
		close(fd);
	return rc;
}

/*
 * Makes the parent directories of path. Syncs the name of each new directory, and always that of the last, because
 * another process may be making it at the same time. An existing directory inside an unreadable one needs no sync.
 */
static int
make_parents(char *path, const char *option, struct error *err)
{
	for (char *slash = strchr(path + 1, '/'), *next; slash != NULL; slash = next) {
		next = strchr(slash + 1, '/');
		*slash = '\0';
		bool made = mkdir(path, 0777) == 0;
		if (!made && errno != EEXIST)
			return error_errno(err, "cannot make the directory %s for %s", path, option);
		if (made || next == NULL) {
			char *above = mem_strdup(path);
			int rc = sync_directory(dirname(above), option, err);

			free(above);
			if (rc != 0 && (made || errno != EACCES))
				return -1;
		}
		*slash = '/';
	}
	return 0;
}

int
files_make_parents(const char *path, const char *option, struct error *err)
{
	char *copy = mem_strdup(path);
	int rc = make_parents(copy, option, err);

	free(copy);
	return rc;
}

int
files_open(const char *path, int flags, mode_t mode, const char *option, struct error *err)
{
	char *copy = mem_strdup(path);
	int fd = -1;

	if (make_parents(copy, option, err) == 0) {
		fd = open(path, flags | O_CREAT | O_CLOEXEC, mode);
		if (fd < 0)
			(void)error_errno(err, "cannot open %s (%s)", path, option);
	}
	if (fd >= 0 && sync_directory(dirname(copy), option, err) != 0) {
		int failure = errno;

		close(fd);
		fd = -1;
		if ((flags & O_EXCL) != 0)
			(void)unlink(path); /* so that the caller can try again */
		errno = failure;
	}
	free(copy);
	return fd;
}

int
files_rename(const char *from, const char *to, struct error *err)
{
	char *copy = mem_strdup(to);
	int rc = rename(from, to);

	if (rc != 0)
		(void)error_errno(err, "cannot rename %s to %s", from, to);
	else
		rc = sync_directory(dirname(copy), to, err);
	free(copy);
	return rc;
}

enum identity { IDENTITY_SAME, IDENTITY_OTHER, IDENTITY_UNKNOWN };

static enum identity
identity(int fd, const char *path)
{
	struct stat ours, named;

	if (fstat(fd, &ours) != 0)
		return IDENTITY_UNKNOWN;
	if (stat(path, &named) != 0)
		return errno == ENOENT || errno == ENOTDIR ? IDENTITY_OTHER : IDENTITY_UNKNOWN;
	return ours.st_dev == named.st_dev && ours.st_ino == named.st_ino ? IDENTITY_SAME : IDENTITY_OTHER;
}

bool
files_in_place(int fd, const char *path)
{
	return identity(fd, path) != IDENTITY_OTHER;
}

bool
files_named(int fd, const char *path)
{
	return identity(fd, path) == IDENTITY_SAME;
}

int
files_set_aside(const char *path, char aside[PATH_MAX], struct error *err)
{
	if (snprintf(aside, PATH_MAX, "%s.set-aside.%lld", path, (long long)clock_wall_us()) < PATH_MAX)
		return files_rename(path, aside, err);
	errno = ENAMETOOLONG;
	return error_errno(err, "cannot set %s aside", path);
}

int
files_read_at(int fd, void *out, size_t len, off_t at)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(fd, (char *)out + done, len - done, at + (off_t)done);

		if (n == 0)
			errno = EIO;
		if (n == 0 || (n < 0 && errno != EINTR))
			return -1;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int
files_write_at(int fd, const void *bytes, size_t len, off_t at)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, (const char *)bytes + done, len - done, at + (off_t)done);

		if (n == 0)
			errno = ENOSPC;
		if (n == 0 || (n < 0 && errno != EINTR))
			return -1;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int
files_write(int fd, const void *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, (const char *)bytes + done, len - done);

		if (n == 0)
			errno = ENOSPC;
		if (n == 0 || (n < 0 && errno != EINTR))
			return -1;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}
