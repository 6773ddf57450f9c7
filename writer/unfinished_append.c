/* Finds the file by its inode, because logrotate or a person may have renamed it. */
#include "writer/unfinished_append.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"

/*
 * Opens the entry, or its link's target, if that is the wanted file; otherwise *fd is -1. Calls stat() for each name,
 * because the directory entry's inode is wrong for links and mounted files, and in some file systems for all files.
 * Returns 0, or <0 with errno.
 */
static int
open_if_same(int directory, const char *name, uint64_t device, uint64_t inode, int *fd)
{
	struct stat st;

	*fd = -1;
	if (fstatat(directory, name, &st, 0) != 0)
		return errno == ENOENT || errno == ELOOP || errno == EACCES ? 0 : -1;
	if (st.st_dev != device || st.st_ino != inode)
		return 0;
	*fd = openat(directory, name, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		return errno == ENOENT ? 0 : -1;

	int rc = fstat(*fd, &st), saved = errno;

	if (rc != 0 || st.st_dev != device || st.st_ino != inode) {
		close(*fd);
		*fd = -1;
	}
	errno = saved;
	return rc;
}

/* Sets *fd, to -1 if no entry is that file. Returns 0 or <0. */
static int
open_by_inode(const char *path, uint64_t device, uint64_t inode, int *fd, struct error *err)
{
	DIR *directory = opendir(path);
	struct dirent *entry = NULL;
	int rc = 0;

	*fd = -1;
	if (directory == NULL)
		return errno == ENOENT ? 0 : error_errno(err, "cannot read the directory %s", path);
	while (rc == 0 && *fd < 0 && (errno = 0, entry = readdir(directory)) != NULL)
		rc = open_if_same(dirfd(directory), entry->d_name, device, inode, fd);
	if (rc != 0)
		(void)error_errno(err, "cannot open %s/%s", path, entry->d_name);
	else if (entry == NULL && errno != 0)
		rc = error_errno(err, "cannot read the directory %s", path);
	closedir(directory);
	return rc;
}

/*
 * Sets *only: whether the bytes after the append's offset can only be the append. File systems reuse inode numbers, and
 * other programs may have appended. Returns 0, or <0 with errno.
 */
static int
is_only_the_append(int fd, const struct unfinished_append *append, enum append_file file, uint64_t size, bool *only)
{
	char before = '\n';

	if (file == APPEND_JSONL && append->offset > 0 && files_read_at(fd, &before, 1, (off_t)append->offset - 1) != 0)
		return -1;
	*only = before == '\n' && size - append->offset <= append->bytes;
	return 0;
}

static int
truncate_to_begin(
    int fd, const struct unfinished_append *append, enum append_file file, const char *directory, struct error *err)
{
	uint64_t offset = append->offset;
	struct stat st;
	bool only;

	if (fstat(fd, &st) != 0)
		return error_errno(err, "cannot stat a file in %s", directory);
	if ((uint64_t)st.st_size <= offset)
		return 0;
	if (is_only_the_append(fd, append, file, (uint64_t)st.st_size, &only) != 0)
		return error_errno(err, "cannot read a file in %s", directory);
	if (!only) {
		log_warning(
		    "another program has changed the file of a dead writer's append: the append's events may be stored "
		    "twice",
		    LOG_STR("directory", directory));
		return 0;
	}
	log_info("cutting off an unfinished append", LOG_STR("directory", directory),
	    LOG_UINT("bytes", (uint64_t)st.st_size - offset));
	if (ftruncate(fd, (off_t)offset) != 0 || fdatasync(fd) != 0)
		return error_errno(err, "cannot cut off an unfinished append to a file in %s", directory);
	return 0;
}

int
unfinished_append_truncate(const struct unfinished_append *append, enum append_file file, const char *directory,
    const char *elsewhere, struct error *err)
{
	int fd, rc;

	rc = open_by_inode(directory, append->device, append->inode, &fd, err);
	if (rc == 0 && fd < 0 && elsewhere != NULL)
		rc = open_by_inode(elsewhere, append->device, append->inode, &fd, err);
	if (rc != 0)
		return -1;
	if (fd < 0) {
		log_warning("the file of a dead writer's append is gone: the append's events may be stored twice",
		    LOG_STR("directory", directory));
		return 0;
	}
	rc = truncate_to_begin(fd, append, file, directory, err);
	close(fd);
	return rc;
}

int
unfinished_append_cut_off(
    struct ledger *ledger, enum append_file file, const char *directory, const char *elsewhere, struct error *err)
{
	int rc;

	if (!ledger_append_open(ledger, file))
		return 0;
	rc = unfinished_append_truncate(&ledger->appends[file], file, directory, elsewhere, err);
	if (rc == 0)
		ledger_append_failed(ledger, file, true);
	return rc;
}
