/* Finding a file by its inode, because logrotate or a person may have renamed it, and cutting it. */
#include "store/unfinished_append.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"

/*
 * Opens the entry, or what it links to, if it is that file; otherwise *fd is -1. Asks each name: what the directory itself
 * says of it is not true of links, of a file that is mounted there, and in some file systems of none. 0, or <0 with errno.
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

/* 0 with *fd, -1 there: gone; or <0. */
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
 * Whether what stands in the file from the append's beginning on can be the append and nothing else. An inode's number
 * comes again, and other programs append, too.
 */
static bool
can_be_it(int fd, const struct unfinished_append *append, enum append_file file, uint64_t size)
{
	char before = '\n';

	if (file == APPEND_JSONL && append->offset > 0 && files_read_at(fd, &before, 1, (off_t)append->offset - 1) != 0)
		return false;
	return before == '\n' && size - append->offset <= append->bytes;
}

static int
cut(int fd, const struct unfinished_append *append, enum append_file file, const char *directory, struct error *err)
{
	uint64_t offset = append->offset;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return error_errno(err, "cannot stat a file in %s", directory);
	if ((uint64_t)st.st_size <= offset)
		return 0;
	if (!can_be_it(fd, append, file, (uint64_t)st.st_size)) {
		log_warning("a file to which a writer appended when it died was changed by somebody else: its last "
			    "events may stand "
			    "there, too",
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
unfinished_append_cut_off(
    struct ledger *ledger, enum append_file file, const char *directory, const char *elsewhere, struct error *err)
{
	const struct unfinished_append *append = &ledger->appends[file];
	int fd, rc;

	if (!ledger_append_open(ledger, file))
		return 0;
	rc = open_by_inode(directory, append->device, append->inode, &fd, err);
	if (rc == 0 && fd < 0 && elsewhere != NULL)
		rc = open_by_inode(elsewhere, append->device, append->inode, &fd, err);
	if (rc != 0)
		return -1;
	if (fd < 0) {
		log_warning(
		    "a writer died while it appended to a file that is gone: its last events may stand there, too",
		    LOG_STR("directory", directory));
		ledger_append_failed(ledger, file, true);
		return 0;
	}
	rc = cut(fd, append, file, directory, err);
	close(fd);
	if (rc == 0)
		ledger_append_failed(ledger, file, true);
	return rc;
}
