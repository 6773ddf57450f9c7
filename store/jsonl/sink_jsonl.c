/*
 * The JSONL sink: appends a batch in large writes and syncs it. The append is recorded in the journal, and is valid
 * once the batch is recorded as stored, so that a crash at any instruction neither loses a line nor doubles one.
 *
 * Writers share the file. A writer holds the journal's lock from before the append until the batch is settled. The
 * kernel releases a dead writer's lock, and the next writer that takes it cuts off the dead one's append.
 */
#include "store/jsonl/sink_jsonl.h"

#include <assert.h>
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
#include "base/log.h"
#include "base/mem.h"
#include "store/jsonl/jsonl_line.h"
#include "store/jsonl/jsonl_inspect.h"
#include "store/jsonl/jsonl_repair.h"
#include "store/jsonl/jsonl_rotate.h"

/*
 * Blocks are reserved ahead of the file's end, as much as the file has but at most RESERVE_MOST: an append that needs
 * no new blocks costs less, and a writer stores an eighth more events. Closing the file gives unused blocks back.
 * RESERVE_LEAVES bytes of the disk are never reserved.
 */
#define RESERVE_MOST ((off_t)64 << 20)
#define RESERVE_LEAVES ((uint64_t)128 << 20)

/* Lines are made and written in pieces of about this size, which fit into a cache: large batches take less CPU. */
#define PIECE_BYTES ((size_t)512 << 10)

#define ROTATE_RETRY_S 60

struct sink_jsonl {
	struct sink super;
	const struct config *config;
	const struct sink_env *env;
	int fd; /* -1: not open */
	off_t reserved; /* the end of the reserved blocks, in the open file */
	off_t seen_bytes; /* the file's size at the last append */
	bool reopen;
	bool distrusted; /* a sync of the file has failed: rotate before the next append */
	int64_t rotate_at_us; /* steady clock: rotating failed, and is not tried again before; 0: it has not failed */
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
		s->reserved = 0; /* another program has cut the file, and the reserved blocks with it */
	s->seen_bytes = size;
	if (size + batch_bytes <= s->reserved)
		return;
	if (limit > 0 && ahead > limit - size)
		ahead = limit > size ? limit - size : 0;
	/* The last blocks of a disk are left to other users. Not every file system can reserve blocks. */
	if (fstatvfs(s->fd, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize > (uint64_t)ahead + RESERVE_LEAVES)
		(void)fallocate(s->fd, FALLOC_FL_KEEP_SIZE, size, batch_bytes + ahead);
	s->reserved = size + batch_bytes + ahead;
}

/* Called with the lock held, so that no writer appends. A writer that was killed may have reserved the blocks. */
static void
close_file(struct sink_jsonl *s)
{
	struct stat st;

	if (s->fd < 0)
		return;
	if (fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (off_t)st.st_blocks * 512 > st.st_size + 2 * (off_t)st.st_blksize)
		(void)!ftruncate(s->fd, st.st_size); /* to its own size: frees the reserved blocks only */
	close(s->fd);
	s->fd = -1;
	s->reserved = s->seen_bytes = 0;
}

/* Called with the lock held. */
static int
open_file(struct sink_jsonl *s, struct error *err)
{
	close_file(s);
	s->reopen = false;
	s->fd = files_open(s->config->jsonl_path, O_RDWR | O_APPEND, 0666, "JSONL_PATH", err);
	return s->fd < 0 ? -1 : 0;
}

/* Whether the open file is still the one at JSONL_PATH: no other process has moved, removed or rotated it. */
static bool
file_in_place(const struct sink_jsonl *s)
{
	return s->fd >= 0 && files_named(s->fd, s->config->jsonl_path);
}

/* Cuts off what writers have appended and not committed. Called with the lock held. */
static int
cut_off_appends(struct sink_jsonl *s, struct error *err)
{
	char copy[PATH_MAX];

	(void)snprintf(copy, sizeof copy, "%s", s->config->jsonl_path);
	return s->env->journal->cut_off(s->env->context, dirname(copy), err);
}

/*
 * Opens the file at JSONL_PATH, which must be one of events, and makes it end with a whole line. Called with the lock
 * held.
 */
static int
open_and_repair(struct sink_jsonl *s, struct error *err)
{
	const char *path = s->config->jsonl_path;

	if (open_file(s, err) != 0)
		return -1;
	if (cut_off_appends(s, err) == 0 && jsonl_repair(s->fd, path, err) == 0)
		return 0;
	close(s->fd); /* and no more: it may be another program's file */
	s->fd = -1;
	return -1;
}

/* The same for the open file, to which another process may have written. */
static int
check_again(struct sink_jsonl *s, struct error *err)
{
	struct stat st;

	if (cut_off_appends(s, err) != 0)
		return -1;
	if (fstat(s->fd, &st) == 0 && jsonl_is_sound(s->fd, st.st_size))
		return 0;
	return jsonl_repair(s->fd, s->config->jsonl_path, err);
}

/* Rotating is not vital: without it events go on into the same file. Logs that once. */
static void
cannot_rotate(struct sink_jsonl *s, const struct error *err)
{
	if (s->rotate_at_us == 0)
		log_warning("the JSONL file cannot be rotated: events go on into the same one",
		    LOG_STR("error", err->text), LOG_UINT("retry_in_s", ROTATE_RETRY_S));
	s->rotate_at_us = clock_steady_us() + ROTATE_RETRY_S * 1000000;
}

static int
jsonl_open(struct sink *sink, struct error *err)
{
	struct sink_jsonl *s = (struct sink_jsonl *)sink;
	struct error reason;
	int rc;

	assert(s->env->journal != NULL);
	s->env->journal->lock(s->env->context);
	rc = open_and_repair(s, err);
	s->env->journal->unlock(s->env->context);
	if (rc == 0 && s->config->jsonl_rotate_bytes > 0 && jsonl_rotate_check(s->config->jsonl_path, &reason) != 0)
		cannot_rotate(s, &reason);
	return rc;
}

/*
 * Called with the lock held. Begins a new file after a failed sync, or returns <0. Also begins one when the batch would
 * exceed JSONL_ROTATE_BYTES, but goes on with the same file if that fails. *st is the open file's.
 */
static int
rotate_if_due(struct sink_jsonl *s, size_t batch_bytes, struct stat *st, struct error *err)
{
	uint64_t limit = s->config->jsonl_rotate_bytes;
	const char *path = s->config->jsonl_path;

	if (fstat(s->fd, st) != 0)
		return error_errno(err, "cannot stat JSONL_PATH=%s", path);
	if (!s->distrusted && (limit == 0 || st->st_size == 0 || (uint64_t)st->st_size + batch_bytes <= limit ||
				  clock_steady_us() < s->rotate_at_us))
		return 0;
	if (jsonl_rotate(path, err) != 0) {
		sink_env_count(s->env, COUNTER_ROTATION_FAILURES, 1);
		if (s->distrusted)
			return -1;
		cannot_rotate(s, err);
		return 0;
	}
	s->rotate_at_us = 0;
	s->distrusted = false;
	if (open_and_repair(s, err) != 0)
		return -1;
	return fstat(s->fd, st) == 0 ? 0 : error_errno(err, "cannot stat JSONL_PATH=%s", path);
}

static int
write_piece(struct sink_jsonl *s, size_t len, struct error *err)
{
	if (files_write(s->fd, s->buffer, len) != 0)
		return error_errno(err, "cannot append to JSONL_PATH=%s", s->config->jsonl_path);
	return 0;
}

static int
write_lines(struct sink_jsonl *s, const struct batch *batch, struct error *err)
{
	size_t used = 0;

	for (uint32_t i = 0; i < batch->count; i++) {
		size_t most = jsonl_line_max(batch->records[i]);

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
		used = (size_t)(jsonl_line(s->buffer + used, batch->records[i]) - s->buffer);
	}
	return write_piece(s, used, err);
}

static int
append(struct sink_jsonl *s, const struct batch *batch, struct error *err)
{
	if (write_lines(s, batch, err) != 0)
		return -1;
	if (fdatasync(s->fd) != 0) {
		s->distrusted = true;
		sink_env_sync_failed(s->env);
		return error_errno(err, "cannot sync JSONL_PATH=%s", s->config->jsonl_path);
	}
	return 0;
}

/* Called with the lock held. */
static int
store_locked(struct sink_jsonl *s, const struct batch *batch, struct error *err)
{
	const struct append_journal *journal = s->env->journal;
	size_t len = 0; /* upper bound */
	struct stat st;
	int rc;

	for (uint32_t i = 0; i < batch->count; i++)
		len += jsonl_line_max(batch->records[i]);
	if (s->reopen || !file_in_place(s))
		rc = open_and_repair(s, err);
	else
		rc = check_again(s, err);
	if (rc == 0)
		rc = rotate_if_due(s, len, &st, err);
	if (rc != 0)
		return rc;
	reserve(s, st.st_size, (off_t)len);
	journal->begin(s->env->context, &st, len);
	rc = append(s, batch, err);
	/* A part may have been written. If it cannot be cut off now, the next cut_off() does that. */
	if (rc != 0) {
		journal->failed(s->env->context, ftruncate(s->fd, st.st_size) == 0 && fdatasync(s->fd) == 0);
		s->reserved = 0;
	}
	return rc;
}

static int
jsonl_store(struct sink *sink, const struct batch *batch, struct sink_result *result, struct error *err)
{
	struct sink_jsonl *s = (struct sink_jsonl *)sink;
	int rc;

	s->env->journal->lock(s->env->context);
	rc = store_locked(s, batch, err);
	if (rc != 0) {
		result->in_doubt = s->env->journal->unfinished(s->env->context);
		s->env->journal->unlock(s->env->context);
		return rc;
	}
	*result = (struct sink_result){.stored = batch->count};
	return 0; /* with the lock, which jsonl_settled() releases */
}

static void
jsonl_settled(struct sink *sink)
{
	const struct sink_jsonl *s = (const struct sink_jsonl *)sink;

	s->env->journal->unlock(s->env->context);
}

static void
jsonl_reopen(struct sink *sink)
{
	struct sink_jsonl *s = (struct sink_jsonl *)sink;

	s->reopen = true;
	s->rotate_at_us = 0;
}

static void
jsonl_close(struct sink *sink)
{
	struct sink_jsonl *s = (struct sink_jsonl *)sink;

	/*
	 * If another writer has the lock, that writer gives the reserved blocks back later. Waiting for the lock might
	 * take for ever.
	 */
	if (s->fd >= 0 && s->env->journal->try_lock(s->env->context)) {
		close_file(s);
		s->env->journal->unlock(s->env->context);
	} else if (s->fd >= 0) {
		close(s->fd);
	}
	free(s->buffer);
	free(s);
}

struct sink *
sink_jsonl_new(const struct config *config, const struct sink_env *env)
{
	static const struct sink_ops ops = {
	    .name = "jsonl",
	    .journaled = true,
	    .open = jsonl_open,
	    .store = jsonl_store,
	    .settled = jsonl_settled,
	    .reopen = jsonl_reopen,
	    .close = jsonl_close,
	};
	struct sink_jsonl *s = mem_new(1, sizeof *s);

	s->super.ops = &ops;
	s->config = config;
	s->env = env;
	s->fd = -1;
	return &s->super;
}
