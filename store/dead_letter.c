/*
 * Appending dead letters. A line is one write(2); a line that did not fit (a full disk) is cut off again, and one that
 * a power cut left torn is closed by a newline, so that no line is ever glued to another.
 */
#include "store/dead_letter.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"

void
dead_letters_init(struct dead_letters *letters, const char *data_dir)
{
	*letters = (struct dead_letters){.data_dir = data_dir, .fd = -1};
}

/* Whether it is known to begin otherwise than with a letter, or the zeros that a power cut leaves of one. */
static bool
is_foreign(int fd)
{
	char first;

	return pread(fd, &first, 1, 0) == 1 && first != '{' && first != '\0';
}

/* Another program's file has our name, in a directory that it uses, too. */
static int
make_way(const char *path, struct error *err)
{
	char aside[PATH_MAX];

	if (files_set_aside(path, aside, err) != 0)
		return -1;
	log_warning("another program's file has the name of the dead letters: set aside", LOG_STR("path", path),
	    LOG_STR("set_aside_as", aside));
	return 0;
}

/* Opens the file if need be and locks it. */
static int
lock_file(struct dead_letters *letters, struct error *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%s/" DEAD_LETTERS_NAME, letters->data_dir) >= (int)sizeof path)
		return error_set(err, "DATA_DIR=%s is too long", letters->data_dir);
	for (;;) {
		if (letters->fd < 0)
			letters->fd = files_open(path, O_RDWR | O_APPEND, 0600, "DATA_DIR", err);
		if (letters->fd < 0)
			return -1;
		if (flock(letters->fd, LOCK_EX) != 0)
			return error_errno(err, "cannot lock %s", path);
		if (files_named(letters->fd, path)) {
			if (!is_foreign(letters->fd))
				return 0;
			if (make_way(path, err) != 0)
				return -1;
		}
		/* What was appended counts, wherever the file is now. */
		if (dead_letters_sync(letters, err) < 0)
			return -1;
		dead_letters_close(letters);
	}
}

/* Called with the lock held. */
static int
append_line(struct dead_letters *letters, struct error *err)
{
	struct stat st;
	char last = '\n';

	if (fstat(letters->fd, &st) != 0 || (st.st_size > 0 && pread(letters->fd, &last, 1, st.st_size - 1) != 1))
		return error_errno(err, "cannot read the end of %s/" DEAD_LETTERS_NAME, letters->data_dir);
	if (last != '\n' && write(letters->fd, "\n", 1) != 1)
		return error_errno(err, "cannot write to %s/" DEAD_LETTERS_NAME, letters->data_dir);

	ssize_t written = write(letters->fd, letters->line.base, letters->line.len);
	if (written == (ssize_t)letters->line.len)
		return 0;
	if (written >= 0)
		errno = ENOSPC;
	(void)error_errno(err, "cannot write to %s/" DEAD_LETTERS_NAME, letters->data_dir);
	/* If this fails too, the next line starts with the newline above. */
	(void)!ftruncate(letters->fd, st.st_size);
	return -1;
}

int
dead_letters_append(
    struct dead_letters *letters, const struct refused *refused, const struct record *record, struct error *err)
{
	letters->line.len = 0;
	letter_line(&letters->line, refused, record);
	if (lock_file(letters, err) < 0)
		return -1;
	int rc = append_line(letters, err);
	(void)flock(letters->fd, LOCK_UN);
	return rc;
}

int
dead_letters_sync(struct dead_letters *letters, struct error *err)
{
	if (letters->fd < 0 || fdatasync(letters->fd) == 0)
		return 0;
	(void)error_errno(err, "cannot sync %s/" DEAD_LETTERS_NAME, letters->data_dir);
	/* After a failed sync the kernel may forget the pages: this descriptor would report success next time. */
	dead_letters_close(letters);
	return -1;
}

void
dead_letters_close(struct dead_letters *letters)
{
	if (letters->fd >= 0)
		close(letters->fd);
	letters->fd = -1;
}

void
dead_letters_free(struct dead_letters *letters)
{
	dead_letters_close(letters);
	bytes_free(&letters->line);
}
