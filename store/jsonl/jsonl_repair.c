/* Torn lines are written to a file of their own before they are removed. */
#include "store/jsonl/jsonl_repair.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/jsonl/jsonl_inspect.h"

/* The end of the file, taken apart. */
struct pieces {
	char *whole, *torn;
	size_t whole_bytes, torn_bytes;
};

/* unended: the last line is whole although it has no newline. */
static void
take_apart(struct pieces *pieces, const char *text, size_t len, bool unended)
{
	size_t line;

	pieces->whole = mem_new(len, 1);
	pieces->torn = mem_new(len, 1);
	for (size_t at = 0; at < len; at += line) {
		const char *newline = memchr(text + at, '\n', len - at);

		line = newline != NULL ? (size_t)(newline - text) + 1 - at : len - at;
		bool torn = memchr(text + at, '\0', line) != NULL || (newline == NULL && !unended);
		size_t *used = torn ? &pieces->torn_bytes : &pieces->whole_bytes;

		memcpy((torn ? pieces->torn : pieces->whole) + *used, text + at, line);
		*used += line;
	}
}

/* Writes the torn lines to a file of their own. Returns 0, or <0 and leaves no such file. */
static int
keep(const struct pieces *pieces, const char *path, struct error *err)
{
	char beside[PATH_MAX];

	(void)snprintf(beside, sizeof beside, "%s.torn.%lld", path, (long long)clock_wall_us());
	int fd = files_open(beside, O_WRONLY | O_EXCL, 0666, "JSONL_PATH", err);
	if (fd < 0)
		return -1;
	int rc = files_write_at(fd, pieces->torn, pieces->torn_bytes, 0) == 0 && fdatasync(fd) == 0 ? 0 : -1;
	if (rc != 0)
		(void)error_errno(err, "cannot keep torn lines of JSONL_PATH=%s as %s", path, beside);
	close(fd);
	if (rc != 0)
		(void)unlink(beside);
	else
		log_warning("torn lines are taken out of the end of the JSONL file", LOG_STR("jsonl_path", path),
		    LOG_UINT("bytes", pieces->torn_bytes), LOG_STR("kept_as", beside));
	return rc;
}

/* Replaces everything from the offset on by text. Writes first and cuts then, so a crash in between loses no line. */
static int
replace_end(int fd, const char *text, size_t len, off_t at)
{
	int flags = fcntl(fd, F_GETFL);

	/* With O_APPEND pwrite() would append. */
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_APPEND) != 0)
		return -1;
	int rc = files_write_at(fd, text, len, at);
	if (fcntl(fd, F_SETFL, flags) != 0 || rc != 0)
		return -1;
	return ftruncate(fd, at + (off_t)len) == 0 && fdatasync(fd) == 0 ? 0 : -1;
}

static int
take_out(int fd, const char *path, const struct jsonl_end *found, struct error *err)
{
	size_t len = (size_t)(found->size - found->torn);
	char *text = mem_new(len, 1);
	struct pieces pieces = {0};
	int rc = files_read_at(fd, text, len, found->torn);

	if (rc != 0) {
		(void)error_errno(err, "cannot read JSONL_PATH=%s", path);
	} else {
		take_apart(&pieces, text, len, found->unended);
		rc = keep(&pieces, path, err);
	}
	if (rc == 0 && replace_end(fd, pieces.whole, pieces.whole_bytes, found->torn) != 0)
		rc = error_errno(err, "cannot take torn lines out of JSONL_PATH=%s", path);
	free(text);
	free(pieces.whole);
	free(pieces.torn);
	return rc;
}

int
jsonl_repair(int fd, const char *path, struct error *err)
{
	struct jsonl_end found;

	if (jsonl_inspect(fd, path, &found, err) != 0)
		return -1;
	if (found.torn < found.size && take_out(fd, path, &found, err) != 0)
		return -1;
	if (found.unended && write(fd, "\n", 1) != 1)
		return error_errno(err, "cannot append to JSONL_PATH=%s", path);
	return 0;
}
