/* Reads the last append, byte by byte, and the file's first line. */
#include "store/jsonl/jsonl_inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/mem.h"

#define BLOCK_BYTES ((size_t)256 << 10)
#define SECTOR 512

/* How much of a file's beginning is read: no event begins with that much white space. */
#define HEAD_BYTES 4096

static const char byte_order_mark[] = "\xEF\xBB\xBF"; /* an editor may have written it */
static const char ours[] = "{\"event_id\":\""; /* begins every line of hooksd */

/* A line, as far as it was read. */
struct line {
	off_t begin;
	off_t zeros; /* where the current run of zeros began; -1: there is none */
	bool damaged; /* contains zeros */
	bool foreign; /* contains something that no append of hooksd leaves */
	bool not_ours; /* does not begin like a line of hooksd, perhaps because of zeros */
	bool string, escaped; /* inside a string; behind a backslash in it */
	bool closed; /* the object is closed, and only white space came after it */
	uint32_t depth;
};

static void
begin_line(struct line *line, off_t at)
{
	*line = (struct line){.begin = at, .zeros = -1};
}

static void
end_zeros(struct line *line, off_t at)
{
	bool begins_well = line->zeros % SECTOR == 0 || line->zeros == line->begin;

	line->foreign |= !begins_well || at % SECTOR != 0;
	line->zeros = -1;
}

/* Follows strings and braces, to know whether the object of the line is complete. */
static void
follow(struct line *line, unsigned char c)
{
	if (line->string) {
		line->string = line->escaped || c != '"';
		line->escaped = !line->escaped && c == '\\';
		return;
	}
	line->closed = line->closed && (c == ' ' || c == '\t' || c == '\r');
	line->string = c == '"';
	line->depth += c == '{';
	if (c == '}' && line->depth > 0)
		line->closed = --line->depth == 0;
}

static void
add_byte(struct line *line, off_t at, unsigned char c)
{
	off_t column = at - line->begin;

	if (c == '\0') {
		line->zeros = line->zeros < 0 ? at : line->zeros;
		line->damaged = true;
		return;
	}
	if (line->zeros >= 0)
		end_zeros(line, at);
	line->foreign |= c < ' ' || (column == 0 && c != '{');
	if (column < (off_t)sizeof ours - 1)
		line->not_ours |= c != (unsigned char)ours[column];
	follow(line, c);
}

/* At the newline. *torn: where torn lines begin; -1: no line is torn, or lines of another program come after them. */
static void
end_line(struct line *line, off_t at, off_t *torn)
{
	if (line->zeros >= 0)
		end_zeros(line, at);
	if (line->foreign || (line->not_ours && !line->damaged))
		*torn = -1;
	else if (line->damaged && *torn < 0)
		*torn = line->begin;
}

/* The last line, which has no newline. */
static void
end_file(const struct line *line, struct jsonl_end *found)
{
	if (line->begin == found->size)
		return;
	if (!line->foreign && (line->damaged || !line->closed)) {
		found->torn = found->torn < 0 ? line->begin : found->torn;
		return;
	}
	found->unended = true;
	if (line->foreign || line->not_ours)
		found->torn = -1;
}

/* Reads the lines that begin within JSONL_APPEND_MOST of the end. -1 with errno. */
static int
read_tail(int fd, struct jsonl_end *found)
{
	off_t at = found->size > JSONL_APPEND_MOST ? found->size - JSONL_APPEND_MOST : 0;
	bool in_line = at == 0;
	char *block = mem_new(BLOCK_BYTES, 1);
	struct line line;
	int rc = 0;

	begin_line(&line, at);
	while (rc == 0 && at < found->size) {
		size_t len = found->size - at < (off_t)BLOCK_BYTES ? (size_t)(found->size - at) : BLOCK_BYTES;

		rc = files_read_at(fd, block, len, at);
		for (size_t i = 0; rc == 0 && i < len; i++, at++) {
			if (block[i] != '\n') {
				if (in_line)
					add_byte(&line, at, (unsigned char)block[i]);
				continue;
			}
			if (in_line)
				end_line(&line, at, &found->torn);
			in_line = true;
			begin_line(&line, at + 1);
		}
	}
	free(block);
	if (rc == 0 && in_line)
		end_file(&line, found);
	else if (rc == 0)
		found->unended = true; /* the last line is longer than any append */
	return rc;
}

/* What the file begins with. */
enum head { HEAD_EVENTS, HEAD_ZEROS, HEAD_FOREIGN };

/* A document over several lines also begins with a brace, but is another program's. -1 with errno. */
static int
inspect_head(int fd, off_t size)
{
	char head[HEAD_BYTES + 2];
	size_t len = size < HEAD_BYTES ? (size_t)size : HEAD_BYTES;
	const char *at = head;

	if (files_read_at(fd, head, len, 0) != 0)
		return -1;
	memcpy(head + len, "x", 2); /* ends the string, and keeps white space at its end */
	if (len == 0)
		return HEAD_EVENTS;
	if (head[0] == '\0')
		return HEAD_ZEROS;
	if (len >= sizeof byte_order_mark - 1 && memcmp(head, byte_order_mark, sizeof byte_order_mark - 1) == 0)
		at += sizeof byte_order_mark - 1;
	at += strspn(at, " \t\r\n");
	if (at == head + len && len < HEAD_BYTES)
		return HEAD_EVENTS;
	if (*at++ != '{')
		return HEAD_FOREIGN;
	at += strspn(at, " \t");
	return at == head + len || *at == '"' || *at == '}' ? HEAD_EVENTS : HEAD_FOREIGN;
}

bool
jsonl_is_sound(int fd, off_t size)
{
	char last;

	return size == 0 ||
	       (inspect_head(fd, size) == HEAD_EVENTS && files_read_at(fd, &last, 1, size - 1) == 0 && last == '\n');
}

int
jsonl_inspect(int fd, const char *path, struct jsonl_end *found, struct error *err)
{
	struct stat st;
	int head;

	*found = (struct jsonl_end){.torn = -1};
	if (fstat(fd, &st) != 0)
		return error_errno(err, "cannot stat JSONL_PATH=%s", path);
	/* A FIFO without a reader would block the writer for ever, and a device cannot be synced. */
	if (!S_ISREG(st.st_mode))
		return error_set(err, "JSONL_PATH=%s is not a regular file", path);
	found->size = st.st_size;
	head = inspect_head(fd, found->size);
	if (head < 0 || (head != HEAD_FOREIGN && read_tail(fd, found) != 0))
		return error_errno(err, "cannot read JSONL_PATH=%s", path);
	/* A file that begins with zeros is good if all of it is the first append, torn by a power cut. */
	if (head == HEAD_FOREIGN || (head == HEAD_ZEROS && found->torn != 0))
		return error_set(err,
		    "JSONL_PATH=%s does not begin like a file of events, one JSON object a line: it is left alone; "
		    "move it "
		    "away, or name another file",
		    path);
	if (found->torn < 0)
		found->torn = found->size;
	return 0;
}

int
jsonl_check(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct jsonl_end found;
	int rc;

	if (fd < 0)
		return 0;
	rc = jsonl_inspect(fd, path, &found, err);
	close(fd);
	return rc;
}
