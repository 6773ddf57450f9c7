/*
 * The JSONL sink: appends a batch in one large write, syncs it, and makes that and the ring's release one step, so that
 * a crash at any instruction neither loses a line nor doubles one.
 *
 * The journal in the segment is what makes it one step. Under the journal's lock, which one writer holds at a time:
 *
 *   WRITING   where the append begins, and how far the ring will be released, are noted; then write, fdatasync
 *   COMMITTED then the ring is released
 *   CLEAN     the lock is given up
 *
 * The kernel gives up a dead writer's lock. Whoever takes it next and finds WRITING cuts the file back to where the
 * append began: those events are still on the ring. Who finds COMMITTED releases the ring as noted: those events are
 * in the file.
 */
#include "writer/sink_jsonl.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/format.h"
#include "base/log.h"
#include "base/mem.h"
#include "writer/jsonl_line.h"

struct sink_jsonl {
	struct sink super;
	const struct config *config;
	struct intake *intake;
	int fd; /* -1: to be opened */
	bool reopen;
	char *buffer;
	size_t buffer_bytes;
};

static int
open_file(struct sink_jsonl *s, struct error *err)
{
	struct stat st;

	if (s->fd >= 0)
		close(s->fd);
	s->reopen = false;
	s->fd = files_open(s->config->jsonl_path, O_RDWR | O_APPEND, 0666, "JSONL_PATH", err);
	if (s->fd < 0)
		return -1;
	/* A FIFO that nobody reads would hold up the writer for ever, and no device can be synced. */
	if (fstat(s->fd, &st) != 0)
		return error_errno(err, "cannot stat JSONL_PATH=%s", s->config->jsonl_path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, "JSONL_PATH=%s is not a regular file", s->config->jsonl_path);
	return 0;
}

/* Whether the open file still is the one at JSONL_PATH: not moved, removed or rotated by somebody else. */
static bool
file_in_place(const struct sink_jsonl *s)
{
	struct stat opened, standing;

	return s->fd >= 0 && fstat(s->fd, &opened) == 0 && stat(s->config->jsonl_path, &standing) == 0 &&
	       opened.st_dev == standing.st_dev && opened.st_ino == standing.st_ino;
}

/* Opens the file with that inode in the directory of JSONL_PATH, wherever logrotate or a person has moved it there, or -1. */
static int
open_moved_file(const struct sink_jsonl *s, uint64_t device, uint64_t inode)
{
	char *copy = mem_strdup(s->config->jsonl_path);
	DIR *directory = opendir(dirname(copy));
	struct dirent *entry;
	int fd = -1;

	free(copy);
	if (directory == NULL)
		return -1;
	while (fd < 0 && (entry = readdir(directory)) != NULL) {
		struct stat st;

		if (entry->d_ino != inode)
			continue;
		fd = openat(dirfd(directory), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && (fstat(fd, &st) != 0 || st.st_dev != device || st.st_ino != inode)) {
			close(fd);
			fd = -1;
		}
	}
	closedir(directory);
	return fd;
}

/* Cuts off what a writer has appended and not committed before it died: those events are still on the ring. */
static int
undo_append(const struct sink_jsonl *s, const struct journal *j, struct error *err)
{
	int fd = open_moved_file(s, j->device, j->inode);
	struct stat st;
	int rc = 0;

	if (fd < 0) {
		log_warning(
		    "a writer died while it appended to a file that is gone: its last lines may stand there, too",
		    LOG_STR("jsonl_path", s->config->jsonl_path));
		return 0;
	}
	if (fstat(fd, &st) != 0)
		rc = error_errno(err, "cannot stat JSONL_PATH=%s", s->config->jsonl_path);
	else if ((uint64_t)st.st_size > j->offset) {
		log_info("cutting off an unfinished append", LOG_UINT("bytes", (uint64_t)st.st_size - j->offset));
		if (ftruncate(fd, (off_t)j->offset) != 0)
			rc = error_errno(
			    err, "cannot cut off an unfinished append to JSONL_PATH=%s", s->config->jsonl_path);
	}
	close(fd);
	return rc;
}

/* Finishes or undoes what a writer that died under the lock has left. Called with the lock held. */
static int
recover_journal(struct sink_jsonl *s, struct error *err)
{
	const struct segment *segment = s->intake->segment;
	struct journal *j = &segment->header->journal;

	if (j->state == JOURNAL_COMMITTED) {
		for (uint32_t a = 0; a < segment->acceptors; a++) {
			struct lane lane = segment_lane(segment, a, j->writer);
			struct wake acceptor = segment_wake_acceptor(segment, a);

			lane_release(&lane, j->release[a]);
			wake_up(&acceptor);
		}
	} else if (j->state == JOURNAL_WRITING && undo_append(s, j, err) != 0) {
		return -1;
	}
	j->state = JOURNAL_CLEAN;
	return 0;
}

/* The offset after the file's last newline, or -1 with errno. */
static off_t
end_of_last_line(int fd, off_t size)
{
	char block[4096];

	for (off_t end = size; end > 0;) {
		off_t start = end > (off_t)sizeof block ? end - (off_t)sizeof block : 0;
		ssize_t n = pread(fd, block, (size_t)(end - start), start);

		if (n != end - start)
			return -1;
		for (ssize_t i = n; i > 0; i--)
			if (block[i - 1] == '\n')
				return start + i;
		end = start;
	}
	return 0;
}

/*
 * A last line without its newline: a whole JSON object (another program left it so) gets one, a torn line (the machine
 * died) is cut off. Nothing torn was ever acknowledged.
 */
static int
repair_last_line(struct sink_jsonl *s, struct error *err)
{
	const char *path = s->config->jsonl_path;
	struct stat st;
	off_t line;

	if (fstat(s->fd, &st) != 0 || (line = end_of_last_line(s->fd, st.st_size)) < 0)
		return error_errno(err, "cannot read JSONL_PATH=%s", path);
	if (line == st.st_size)
		return 0;

	size_t len = (size_t)(st.st_size - line);
	char *text = mem_new(len + 1, 1);
	cJSON *tree = NULL;

	if (pread(s->fd, text, len, line) != (ssize_t)len) {
		free(text);
		return error_errno(err, "cannot read JSONL_PATH=%s", path);
	}
	/* A power cut can leave zeros where the end of the line was: that is torn, too. */
	if (strlen(text) == len)
		tree = cJSON_ParseWithOpts(text, NULL, 1);
	free(text);
	if (cJSON_IsObject(tree)) {
		cJSON_Delete(tree);
		return write(s->fd, "\n", 1) == 1 ? 0 : error_errno(err, "cannot append to JSONL_PATH=%s", path);
	}
	cJSON_Delete(tree);
	log_warning("cutting off a torn last line", LOG_STR("jsonl_path", path), LOG_UINT("bytes", len));
	if (ftruncate(s->fd, line) != 0)
		return error_errno(err, "cannot cut off a torn last line of JSONL_PATH=%s", path);
	return 0;
}

/* Whatever stands at JSONL_PATH now ends with a whole line afterwards. Called with the lock held. */
static int
open_and_repair(struct sink_jsonl *s, struct error *err)
{
	if (open_file(s, err) != 0 || recover_journal(s, err) != 0)
		return -1;
	return repair_last_line(s, err);
}

static int
jsonl_open(struct sink *sink, struct error *err)
{
	struct sink_jsonl *s = (struct sink_jsonl *)sink;
	int rc;

	segment_journal_lock(s->intake->segment);
	rc = open_and_repair(s, err);
	segment_journal_unlock(s->intake->segment);
	return rc;
}

static size_t
encode(struct sink_jsonl *s, const struct record *const *records, uint32_t count)
{
	size_t most = 0;
	char *out;

	for (uint32_t i = 0; i < count; i++)
		most += jsonl_line_max(records[i]);
	if (most > s->buffer_bytes) {
		free(s->buffer);
		s->buffer = mem_new(most, 1);
		s->buffer_bytes = most;
	}
	out = s->buffer;
	for (uint32_t i = 0; i < count; i++)
		out = jsonl_line(out, records[i]);
	return (size_t)(out - s->buffer);
}

/* Moves the file aside when the batch would take it over JSONL_ROTATE_BYTES. Called with the lock held. */
static int
rotate_if_due(struct sink_jsonl *s, size_t batch_bytes, struct error *err)
{
	const char *path = s->config->jsonl_path;
	char time[FORMAT_TIME_BYTES], aside[4096];
	size_t used;
	struct stat st;

	if (s->config->jsonl_rotate_bytes == 0)
		return 0;
	if (fstat(s->fd, &st) != 0)
		return error_errno(err, "cannot stat JSONL_PATH=%s", path);
	if (st.st_size == 0 || (uint64_t)st.st_size + batch_bytes <= s->config->jsonl_rotate_bytes)
		return 0;

	/* events.jsonl.20261122T035440.123456Z: sorts by time. */
	format_time(clock_wall_us(), time);
	used = (size_t)snprintf(aside, sizeof aside, "%s.", path);
	for (size_t i = 0; i < sizeof time && used + 1 < sizeof aside; i++)
		if (time[i] != '-' && time[i] != ':')
			aside[used++] = time[i];
	aside[used < sizeof aside ? used : sizeof aside - 1] = '\0';
	if (rename(path, aside) != 0)
		return error_errno(err, "cannot rotate JSONL_PATH=%s to %s", path, aside);
	log_info("rotated", LOG_STR("jsonl_path", path), LOG_STR("to", aside), LOG_INT("bytes", st.st_size));
	return open_file(s, err);
}

static int
append(struct sink_jsonl *s, size_t len, struct error *err)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(s->fd, s->buffer + done, len - done);

		if (n < 0 && errno != EINTR)
			return error_errno(err, "cannot append to JSONL_PATH=%s", s->config->jsonl_path);
		if (n > 0)
			done += (size_t)n;
	}
	if (fdatasync(s->fd) != 0)
		return error_errno(err, "cannot sync JSONL_PATH=%s", s->config->jsonl_path);
	return 0;
}

/* Notes in the journal where the append begins and what it releases. Called with the lock held. */
static int
begin_append(struct sink_jsonl *s, struct error *err)
{
	struct journal *j = &s->intake->segment->header->journal;
	struct stat st;

	if (fstat(s->fd, &st) != 0)
		return error_errno(err, "cannot stat JSONL_PATH=%s", s->config->jsonl_path);
	j->writer = s->intake->writer;
	j->device = st.st_dev;
	j->inode = st.st_ino;
	j->offset = (uint64_t)st.st_size;
	memcpy(j->release, s->intake->taken, sizeof j->release);
	ck_pr_fence_store();
	ck_pr_store_32(&j->state, JOURNAL_WRITING);
	return 0;
}

static int
jsonl_store(struct sink *sink, const struct record *const *records, uint32_t count, struct sink_result *result,
    struct error *err)
{
	struct sink_jsonl *s = (struct sink_jsonl *)sink;
	struct journal *j = &s->intake->segment->header->journal;
	size_t len = encode(s, records, count);
	int rc = 0;

	segment_journal_lock(s->intake->segment);
	if (s->reopen || !file_in_place(s))
		rc = open_and_repair(s, err);
	else if (j->state != JOURNAL_CLEAN)
		rc = recover_journal(s, err);
	if (rc == 0)
		rc = rotate_if_due(s, len, err);
	if (rc == 0)
		rc = begin_append(s, err);
	if (rc == 0) {
		rc = append(s, len, err);
		/* A part may have been written. If it cannot be cut off now, the journal says so to whoever comes next. */
		if (rc == 0)
			ck_pr_store_32(&j->state, JOURNAL_COMMITTED);
		else if (ftruncate(s->fd, (off_t)j->offset) == 0)
			ck_pr_store_32(&j->state, JOURNAL_CLEAN);
	}
	if (rc != 0) {
		segment_journal_unlock(s->intake->segment);
		return rc;
	}
	*result = (struct sink_result){.stored = count};
	return 0; /* with the lock: jsonl_released() gives it up */
}

static void
jsonl_released(struct sink *sink)
{
	struct sink_jsonl *s = (struct sink_jsonl *)sink;

	ck_pr_fence_store();
	ck_pr_store_32(&s->intake->segment->header->journal.state, JOURNAL_CLEAN);
	segment_journal_unlock(s->intake->segment);
}

static void
jsonl_reopen(struct sink *sink)
{
	((struct sink_jsonl *)sink)->reopen = true;
}

static void
jsonl_close(struct sink *sink)
{
	struct sink_jsonl *s = (struct sink_jsonl *)sink;

	if (s->fd >= 0)
		close(s->fd);
	free(s->buffer);
	free(s);
}

struct sink *
sink_jsonl_new(const struct config *config, struct intake *intake)
{
	static const struct sink_ops ops = {
	    .name = "jsonl",
	    .open = jsonl_open,
	    .store = jsonl_store,
	    .released = jsonl_released,
	    .reopen = jsonl_reopen,
	    .close = jsonl_close,
	};
	struct sink_jsonl *s = mem_new(1, sizeof *s);

	s->super.ops = &ops;
	s->config = config;
	s->intake = intake;
	s->fd = -1;
	return &s->super;
}
