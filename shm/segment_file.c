/* Finds, removes and copies the segment's file. */
#include "shm/segment_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/mem.h"

#define BLOCK_BYTES ((uint64_t)1 << 20)

bool
segment_in_place(const struct segment *segment, const char *path)
{
	return files_in_place(segment->fd, path);
}

void
segment_unlink(const struct segment *segment, const char *path)
{
	if (segment_in_place(segment, path))
		(void)unlink(path);
}

/* Returns 0, or -1 with errno. */
static int
copy_to(const struct segment *segment, int fd)
{
	uint64_t bytes = segment->header->file_bytes, len;
	char *block = mem_new(BLOCK_BYTES, 1);
	int rc = 0;

	/* Reserve all space first, so that a full disk fails here. */
	errno = posix_fallocate(fd, 0, (off_t)bytes);
	if (errno != 0)
		rc = -1;
	for (uint64_t at = 0; rc == 0 && at < bytes; at += len) {
		len = bytes - at < BLOCK_BYTES ? bytes - at : BLOCK_BYTES;
		rc = files_read_at(segment->fd, block, len, (off_t)at);
		if (rc == 0)
			rc = files_write_at(fd, block, len, (off_t)at);
	}
	free(block);
	return rc == 0 ? fsync(fd) : rc;
}

int
segment_copy(const struct segment *segment, const char *path, struct error *err)
{
	char fresh[PATH_MAX];
	struct stat st;
	int rc;

	if (lstat(path, &st) == 0)
		return error_set(err, "another file is at %s", path);
	(void)snprintf(fresh, sizeof fresh, "%s.new.%d", path, (int)getpid());
	int fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, "cannot make the ring file %s", fresh);
	rc = copy_to(segment, fd);
	if (rc != 0)
		(void)error_errno(err, "cannot copy the ring to %s", fresh);
	else
		rc = files_rename(fresh, path, err);
	close(fd);
	if (rc != 0)
		(void)unlink(fresh);
	return rc;
}
