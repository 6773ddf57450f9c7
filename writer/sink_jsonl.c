/*
 * The JSONL sink: appends a batch in large writes and syncs it. The append is noted in the writer's ledger, and holds
 * when the ledger says that the batch is stored, so that a crash at any instruction neither loses a line nor doubles one.
 *
 * Writers share the file. One of them holds the lock from before the note until the batch is settled; the kernel gives up
 * a dead writer's lock, and whoever takes it next cuts off what a dead one has left.
 */
#include "writer/sink_jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/format.h"
#include "base/log.h"
#include "base/mem.h"
#include "writer/append.h"
#include "writer/jsonl_line.h"
#include "writer/jsonl_repair.h"

/*
 * Blocks are reserved ahead of the file's end, as much again as it has and at most this much: an append that needs no new
 * ones costs less and lets an eighth more events through. What is reserved and not used is given back when the
 * file is closed.
 */
#define RESERVE_MOST ((off_t)64 << 20)
#define RESERVE_LEAVES ((uint64_t)128 << 20)

/* Lines are made and written in pieces of about this size, which a cache holds: a third of the CPU of large batches. */
#define PIECE_BYTES ((size_t)512 << 10)

struct sink_jsonl {
	struct sink super;
	const struct config *config;
	const struct segment *segment;
	struct process_slot *slot; /* the writer's own */
	int fd; /* -1: to be opened */
	off_t reserved; /* up to here, in the open file */
	off_t seen_bytes; /* its size at the last append */
	bool reopen;
	bool distrusted; /* a sync of the file has failed */
	char *buffer;
	size_t buffer_bytes;
};

/* Called with the lock held, before an append of at most that many bytes. */
static void
reserve(struct sink_jsonl *s, off_t size, off_t batch_bytes)
{
	off_t limit = (off_t)s->config->jsonl_rotate_bytes;
	off_t ahead = size < RESERVE_MOST ? size : RESERVE_MOST;
	struct statvfs disk;

	if (size < s->seen_bytes)
		s->reserved = 0; /* somebody has cut the file, and what was reserved with it */
	s->seen_bytes = size;
	if (size + batch_bytes <= s->reserved)
		return;
	if (limit > 0 && ahead > limit - size)
		ahead = limit > size ? limit - size : 0;
	/* What is left of a disk that is almost full is for all. File systems that cannot reserve do without. */
	if (fstatvfs(s->fd, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize > (uint64_t)ahead + RESERVE_LEAVES)
		(void)fallocate(s->fd, FALLOC_FL_KEEP_SIZE, size, batch_bytes + ahead);
	s->reserved = size + batch_bytes + ahead;
}

/* Called with the lock held: nobody appends meanwhile. Blocks may also be those of a writer that was killed. */
static void
close_file(struct sink_jsonl *s)
{
	struct stat st;

	if (s->fd < 0)
		return;
	if (fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (off_t)st.st_blocks * 512 > st.st_size + 2 * (off_t)st.st_blksize)
		(void)!ftruncate(s->fd, st.st_size); /* at its size: only the reserved blocks go */
	close(s->fd);
	s->fd = -1;
	s->reserved = s->seen_bytes = 0;
}

/* Called with the lock held. */
static int
open_file(struct sink_jsonl *s, struct error *err)
{
	struct stat st;

	close_file(s);
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

/* Cuts off what writers have appended and not committed. Called with the lock held. */
static int
cut_off_appends(const struct segment *segment, const char *path, struct error *err)
{
	char copy[PATH_MAX], earlier_copy[PATH_MAX];
	const char *directory, *earlier;
	int rc = 0;

	(void)snprintf(copy, sizeof copy, "%s", path);
	(void)snprintf(earlier_copy, sizeof earlier_copy, "%s", segment->header->jsonl_path);
	directory = dirname(copy);
	earlier = dirname(earlier_copy);
	for (uint32_t w = 0; rc == 0 && w < segment->writers; w++)
		rc = append_cut_off(&segment_writer(segment, w)->ledger, APPEND_JSONL, directory, earlier, err);
	return rc;
}

int
sink_jsonl_recover(const struct config *config, const struct segment *segment, struct error *err)
{
	int rc;

	segment_append_lock(segment);
	rc = cut_off_appends(segment, config->jsonl_path, err);
	segment_append_unlock(segment);
	return rc;
}

/* Whatever stands at JSONL_PATH now ends with a whole line afterwards. Called with the lock held. */
static int
open_and_repair(struct sink_jsonl *s, struct error *err)
{
	if (open_file(s, err) != 0 || cut_off_appends(s->segment, s->config->jsonl_path, err) != 0)
		return -1;
	return jsonl_repair(s->fd, s->config->jsonl_path, err);
}

static int
jsonl_open(struct sink *sink, struct error *err)
{
	struct sink_jsonl *s = (struct sink_jsonl *)sink;
	int rc;

	segment_append_lock(s->segment);
	rc = open_and_repair(s, err);
	segment_append_unlock(s->segment);
	return rc;
}

/* Called with the lock held. */
static int
rotate(struct sink_jsonl *s, struct error *err)
{
	const char *path = s->config->jsonl_path;
	char time[FORMAT_TIME_BYTES], aside[4096];
	size_t used;

	/* events.jsonl.20261122T035440.123456Z: sorts by time. */
	format_time(clock_wall_us(), time);
	used = (size_t)snprintf(aside, sizeof aside, "%s.", path);
	for (size_t i = 0; i < sizeof time && used + 1 < sizeof aside; i++)
		if (time[i] != '-' && time[i] != ':')
			aside[used++] = time[i];
	aside[used < sizeof aside ? used : sizeof aside - 1] = '\0';
	if (rename(path, aside) != 0)
		return error_errno(err, "cannot rotate JSONL_PATH=%s to %s", path, aside);
	log_info("rotated", LOG_STR("jsonl_path", path), LOG_STR("to", aside));
	s->distrusted = false;
	return open_file(s, err);
}

/* Begins a new file when the batch would take it over JSONL_ROTATE_BYTES, or after a failed sync. *size is the file's. */
static int
rotate_if_due(struct sink_jsonl *s, size_t batch_bytes, struct stat *st, struct error *err)
{
	uint64_t limit = s->config->jsonl_rotate_bytes;

	if (fstat(s->fd, st) != 0)
		return error_errno(err, "cannot stat JSONL_PATH=%s", s->config->jsonl_path);
	if (!s->distrusted && (limit == 0 || st->st_size == 0 || (uint64_t)st->st_size + batch_bytes <= limit))
		return 0;
	if (rotate(s, err) != 0)
		return -1;
	return fstat(s->fd, st) == 0 ? 0 : error_errno(err, "cannot stat JSONL_PATH=%s", s->config->jsonl_path);
}

static int
write_piece(struct sink_jsonl *s, size_t len, struct error *err)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(s->fd, s->buffer + done, len - done);

		if (n < 0 && errno != EINTR)
			return error_errno(err, "cannot append to JSONL_PATH=%s", s->config->jsonl_path);
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

static int
write_lines(struct sink_jsonl *s, const struct record *const *records, uint32_t count, struct error *err)
{
	size_t used = 0;

	for (uint32_t i = 0; i < count; i++) {
		size_t most = jsonl_line_max(records[i]);

		if (used + most > s->buffer_bytes) {
			if (write_piece(s, used, err) != 0)
				return -1;
			used = 0;
		}
		if (most > s->buffer_bytes) {
			s->buffer_bytes = most > PIECE_BYTES ? most : PIECE_BYTES;
			free(s->buffer);
			s->buffer = mem_new(s->buffer_bytes, 1);
		}
		used = (size_t)(jsonl_line(s->buffer + used, records[i]) - s->buffer);
	}
	return write_piece(s, used, err);
}

static int
append(struct sink_jsonl *s, const struct record *const *records, uint32_t count, struct error *err)
{
	if (write_lines(s, records, count, err) != 0)
		return -1;
	if (fdatasync(s->fd) != 0) {
		s->distrusted = true;
		counter_add(s->slot, COUNTER_SYNC_FAILURES, 1);
		s->slot->sync_failed_us = clock_wall_us();
		return error_errno(err, "cannot sync JSONL_PATH=%s", s->config->jsonl_path);
	}
	return 0;
}

/* With the lock held. */
static int
store_locked(struct sink_jsonl *s, const struct record *const *records, uint32_t count, struct error *err)
{
	struct ledger *ledger = &s->slot->ledger;
	size_t len = 0; /* at most */
	struct stat st;
	int rc;

	for (uint32_t i = 0; i < count; i++)
		len += jsonl_line_max(records[i]);
	if (s->reopen || !file_in_place(s))
		rc = open_and_repair(s, err);
	else
		rc = cut_off_appends(s->segment, s->config->jsonl_path, err);
	if (rc == 0)
		rc = rotate_if_due(s, len, &st, err);
	if (rc != 0)
		return rc;
	reserve(s, st.st_size, (off_t)len);
	append_begin(ledger, APPEND_JSONL, st.st_dev, st.st_ino, (uint64_t)st.st_size);
	rc = append(s, records, count, err);
	/* A part may have been written. If it cannot be cut off now, the ledger says so to whoever comes next. */
	if (rc != 0) {
		append_failed(ledger, APPEND_JSONL, ftruncate(s->fd, st.st_size) == 0 && fdatasync(s->fd) == 0);
		s->reserved = 0;
	}
	return rc;
}

static int
jsonl_store(struct sink *sink, const struct record *const *records, uint32_t count, struct sink_result *result,
    struct error *err)
{
	struct sink_jsonl *s = (struct sink_jsonl *)sink;
	int rc;

	segment_append_lock(s->segment);
	rc = store_locked(s, records, count, err);
	if (rc != 0) {
		segment_append_unlock(s->segment);
		return rc;
	}
	*result = (struct sink_result){.stored = count};
	return 0; /* with the lock: jsonl_settled() gives it up */
}

static void
jsonl_settled(struct sink *sink)
{
	segment_append_unlock(((struct sink_jsonl *)sink)->segment);
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

	/* Whoever holds the lock closes the file later; it may hang, and this writer has nothing to wait for. */
	if (segment_append_try_lock(s->segment)) {
		close_file(s);
		segment_append_unlock(s->segment);
	} else if (s->fd >= 0) {
		close(s->fd);
	}
	free(s->buffer);
	free(s);
}

struct sink *
sink_jsonl_new(const struct config *config, const struct segment *segment, struct process_slot *slot)
{
	static const struct sink_ops ops = {
	    .name = "jsonl",
	    .open = jsonl_open,
	    .store = jsonl_store,
	    .settled = jsonl_settled,
	    .reopen = jsonl_reopen,
	    .close = jsonl_close,
	};
	struct sink_jsonl *s = mem_new(1, sizeof *s);

	s->super.ops = &ops;
	s->config = config;
	s->segment = segment;
	s->slot = slot;
	s->fd = -1;
	return &s->super;
}
