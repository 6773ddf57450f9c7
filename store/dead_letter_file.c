/*
 * Appends dead letters. A line is one write(2). A line that did not fit on the disk is truncated, and a line torn by a
 * power cut is ended by a newline, so no line is ever glued to another.
 */
#include "store/dead_letter_file.h"

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
dead_letter_file_init(struct dead_letter_file *file, const char *data_dir)
{
	*file = (struct dead_letter_file){.data_dir = data_dir, .fd = -1};
}

/* Whether the file begins with neither a dead letter nor the zeros that a power cut leaves. */
static bool
is_foreign(int fd)
{
	char first;

	return pread(fd, &first, 1, 0) == 1 && first != '{' && first != '\0';
}

/* Renames the file of another program that uses the directory and this name. */
static int
set_foreign_aside(const char *path, struct error *err)
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
lock_file(struct dead_letter_file *file, struct error *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%s/" DEAD_LETTER_FILE_NAME, file->data_dir) >= (int)sizeof path)
		return error_set(err, "DATA_DIR=%s is too long", file->data_dir);
	for (;;) {
		if (file->fd < 0)
			file->fd = files_open(path, O_RDWR | O_APPEND, 0600, "DATA_DIR", err);
		if (file->fd < 0)
			return -1;
		if (flock(file->fd, LOCK_EX) != 0)
			return error_errno(err, "cannot lock %s", path);
		if (files_named(file->fd, path)) {
			if (!is_foreign(file->fd))
				return 0;
			if (set_foreign_aside(path, err) != 0)
				return -1;
		}
		/* The lines that were appended to the old file must be durable, whatever its name is now. */
		if (dead_letter_file_sync(file, err) < 0)
			return -1;
		dead_letter_file_close(file);
	}
}

/* Called with the lock held. */
static int
append_line(struct dead_letter_file *file, struct error *err)
{
	struct stat st;
	char last = '\n';

	if (fstat(file->fd, &st) != 0 || (st.st_size > 0 && pread(file->fd, &last, 1, st.st_size - 1) != 1))
		return error_errno(err, "cannot read the end of %s/" DEAD_LETTER_FILE_NAME, file->data_dir);
	if (last != '\n' && write(file->fd, "\n", 1) != 1)
		return error_errno(err, "cannot write to %s/" DEAD_LETTER_FILE_NAME, file->data_dir);

	ssize_t written = write(file->fd, file->line.base, file->line.len);
	if (written == (ssize_t)file->line.len)
		return 0;
	if (written >= 0)
		errno = ENOSPC;
	(void)error_errno(err, "cannot write to %s/" DEAD_LETTER_FILE_NAME, file->data_dir);
	/* If this fails too, the next line starts with the newline above. */
	(void)!ftruncate(file->fd, st.st_size);
	return -1;
}

int
dead_letter_file_append(
    struct dead_letter_file *file, const struct refused *refused, const struct record *record, struct error *err)
{
	file->line.len = 0;
	dead_letter_line(&file->line, refused, record);
	if (lock_file(file, err) < 0)
		return -1;
	int rc = append_line(file, err);
	(void)flock(file->fd, LOCK_UN);
	return rc;
}

int
dead_letter_file_sync(struct dead_letter_file *file, struct error *err)
{
	if (file->fd < 0 || fdatasync(file->fd) == 0)
		return 0;
	(void)error_errno(err, "cannot sync %s/" DEAD_LETTER_FILE_NAME, file->data_dir);
	/* After a failed sync the kernel may forget the pages: this descriptor would report success next time. */
	dead_letter_file_close(file);
	return -1;
}

void
dead_letter_file_close(struct dead_letter_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

void
dead_letter_file_free(struct dead_letter_file *file)
{
	dead_letter_file_close(file);
	bytes_free(&file->line);
}
