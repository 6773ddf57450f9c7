/* Repair of the end of a JSONL file. */
#include "writer/jsonl_repair.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

/* An append is a batch: some 8 MiB of events, their keys, and at most one request's body more. */
#define TAIL_BYTES ((off_t)64 << 20)
#define BLOCK_BYTES ((size_t)256 << 10)

static int
read_at(int fd, char *out, size_t len, off_t at)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(fd, out + done, len - done, at + (off_t)done);

		if (n == 0)
			errno = EIO; /* somebody else cuts it */
		if (n == 0 || (n < 0 && errno != EINTR))
			return -1;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

static int
write_at(int fd, const char *text, size_t len, off_t at)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, text + done, len - done, at + (off_t)done);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

/* The offset after the last newline in front of end, or 0; -1 with errno. */
static off_t
line_start(int fd, off_t end)
{
	char block[4096];

	while (end > 0) {
		size_t len = end < (off_t)sizeof block ? (size_t)end : sizeof block;
		off_t start = end - (off_t)len;

		if (read_at(fd, block, len, start) != 0)
			return -1;
		const char *newline = memrchr(block, '\n', len);
		if (newline != NULL)
			return start + (newline - block) + 1;
		end = start;
	}
	return 0;
}

/* The offset of the first zero byte in the tail of the file, or size; -1 with errno. */
static off_t
first_zero(int fd, off_t size)
{
	char *block = mem_new(BLOCK_BYTES, 1);
	off_t at = size > TAIL_BYTES ? size - TAIL_BYTES : 0;
	const char *zero = NULL;

	while (at >= 0 && at < size && zero == NULL) {
		size_t len = size - at < (off_t)BLOCK_BYTES ? (size_t)(size - at) : BLOCK_BYTES;

		if (read_at(fd, block, len, at) != 0) {
			at = -1;
		} else {
			zero = memchr(block, '\0', len);
			at += zero != NULL ? zero - block : (off_t)len;
		}
	}
	free(block);
	return at;
}

/* Moves the lines of text that hold no zeros to its front. Returns their length. */
static size_t
keep_whole_lines(char *text, size_t len)
{
	size_t kept = 0, line;

	for (size_t at = 0; at < len; at += line) {
		const char *newline = memchr(text + at, '\n', len - at);

		line = newline != NULL ? (size_t)(newline - text) + 1 - at : len - at;
		if (memchr(text + at, '\0', line) != NULL)
			continue;
		memmove(text + kept, text + at, line);
		kept += line;
	}
	return kept;
}

/* Puts text at the offset and ends the file behind it. Written first and cut then: a crash in between loses no line. */
static int
replace_end(int fd, const char *text, size_t len, off_t at)
{
	int flags = fcntl(fd, F_GETFL);

	/* With O_APPEND pwrite() appends. */
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_APPEND) != 0)
		return -1;
	int rc = write_at(fd, text, len, at);
	if (fcntl(fd, F_SETFL, flags) != 0 || rc != 0)
		return -1;
	return ftruncate(fd, at + (off_t)len) == 0 && fdatasync(fd) == 0 ? 0 : -1;
}

/* From the line with the first zero to the end. *size: the file's, then and now. */
static int
take_out_damage(int fd, const char *path, off_t *size, off_t zero, struct error *err)
{
	off_t start = line_start(fd, zero);

	if (start < 0)
		return error_errno(err, "cannot read JSONL_PATH=%s", path);
	size_t len = (size_t)(*size - start);
	char *text = mem_new(len, 1);
	int rc = read_at(fd, text, len, start);
	if (rc == 0) {
		size_t kept = keep_whole_lines(text, len);

		log_warning("taking torn lines out of the end of the file", LOG_STR("jsonl_path", path),
		    LOG_UINT("bytes", len - kept));
		*size = start + (off_t)kept;
		rc = replace_end(fd, text, kept, start);
	}
	free(text);
	return rc == 0 ? 0 : error_errno(err, "cannot take torn lines out of JSONL_PATH=%s", path);
}

/* A last line without its newline: a whole JSON object (another program left it so) gets one, a torn one is cut off. */
static int
end_last_line(int fd, const char *path, off_t size, struct error *err)
{
	off_t line = line_start(fd, size);

	if (line == size)
		return 0;
	size_t len = line < 0 ? 0 : (size_t)(size - line);
	char *text = mem_new(len + 1, 1);
	if (line < 0 || read_at(fd, text, len, line) != 0) {
		free(text);
		return error_errno(err, "cannot read JSONL_PATH=%s", path);
	}
	cJSON *tree = cJSON_ParseWithOpts(text, NULL, 1);
	bool whole = cJSON_IsObject(tree);
	cJSON_Delete(tree);
	free(text);
	if (whole)
		return write(fd, "\n", 1) == 1 ? 0 : error_errno(err, "cannot append to JSONL_PATH=%s", path);
	log_warning("cutting off a torn last line", LOG_STR("jsonl_path", path), LOG_UINT("bytes", len));
	if (ftruncate(fd, line) != 0 || fdatasync(fd) != 0)
		return error_errno(err, "cannot cut off a torn last line of JSONL_PATH=%s", path);
	return 0;
}

int
jsonl_repair(int fd, const char *path, struct error *err)
{
	struct stat st;
	off_t zero;

	if (fstat(fd, &st) != 0 || (zero = first_zero(fd, st.st_size)) < 0)
		return error_errno(err, "cannot read JSONL_PATH=%s", path);
	if (zero < st.st_size && take_out_damage(fd, path, &st.st_size, zero, err) != 0)
		return -1;
	return end_last_line(fd, path, st.st_size, err);
}
