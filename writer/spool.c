/* Opens the spool, appends to it, and enforces its limits. */
#include "writer/spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
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
#include "shm/counters.h"
#include "shm/heartbeat.h"
#include "writer/unfinished_append.h"
#include "writer/spool_scan.h"

/* Free disk space: below FREE_LOW no new request is accepted, below FREE_LEAST nothing is written. */
#define FREE_LOW ((uint64_t)64 << 20)
#define FREE_LEAST ((uint64_t)32 << 20)
/* The spool is low if less than 1/LOW_PART of max_bytes is free: events on the ring may need that. */
#define LOW_PART 16
/* A file of this size gets no more appends. */
#define FILE_BYTES ((uint64_t)64 << 20)
/* The unit of copying. */
#define BLOCK_BYTES ((size_t)1 << 20)

int
spool_open(struct spool *spool, const struct spool_options *options, struct error *err)
{
	size_t room = strlen(options->data_dir) + strlen(options->directory) + sizeof "/";

	*spool = (struct spool){.writer = options->writer,
	    .max_bytes = options->max_bytes,
	    .file_bytes = FILE_BYTES,
	    .slot = options->slot,
	    .next_sequence = 1,
	    .append_fd = -1,
	    .read_fd = -1};
	spool->directory = mem_new(room, 1);
	(void)snprintf(spool->directory, room, "%s/%s", options->data_dir, options->directory);
	if (unfinished_append_cut_off(&spool->slot->ledger, APPEND_SPOOL, spool->directory, NULL, err) != 0 ||
	    spool_scan(spool, options->writers, err) != 0)
		return -1;
	spool_update_levels(spool);
	return 0;
}

void
spool_close(struct spool *spool)
{
	spool_close_fd(&spool->append_fd);
	spool_close_fd(&spool->read_fd);
	spool_reader_free(&spool->reader);
	free(spool->parts);
	free(spool->batch);
	free(spool->directory);
}

static uint64_t
disk_free(const struct spool *spool)
{
	struct statvfs disk;

	/* The directory is made with the first file. Without it, or if statvfs() fails, let writing fail. */
	if (statvfs(spool->directory, &disk) != 0)
		return UINT64_MAX / 2;
	return (uint64_t)disk.f_bavail * disk.f_frsize;
}

bool
spool_low(const struct spool *spool)
{
	return spool->bytes + spool->max_bytes / LOW_PART >= spool->max_bytes || disk_free(spool) < FREE_LOW;
}

/* Converts a failed write's errno: SPOOL_FULL if there is no space, else <0. */
static int
failure_condition(int failure)
{
	return failure == ENOSPC || failure == EDQUOT || failure == EFBIG ? SPOOL_FULL : -1;
}

/* Makes a new file and appends it to the list. Returns 0, SPOOL_FULL or <0. */
static int
begin_file(struct spool *spool, struct error *err)
{
	struct spool_part part = {.id = {spool->writer, spool->next_sequence++},
	    .waits_since_us = clock_steady_us(),
	    .examined = true,
	    .size = sizeof(struct spool_header)};
	char path[PATH_MAX];

	spool_close_fd(&spool->append_fd);
	part.header = (struct spool_header){.writer = part.id.writer,
	    .sequence = part.id.sequence,
	    .created_us = clock_wall_us(),
	    .done = sizeof part.header,
	    .end = sizeof part.header};
	spool_part_path(spool, &part, path);
	int fd = files_open(path, O_RDWR | O_EXCL, 0600, "DATA_DIR", err);
	if (fd < 0)
		return failure_condition(errno);
	if (spool_header_write(fd, &part.header, err) != 0 || fdatasync(fd) != 0) {
		int failure = errno;

		(void)error_errno(err, "cannot begin the spool file %s", path);
		close(fd);
		(void)unlink(path);
		return failure_condition(failure);
	}
	spool->append_fd = fd;
	spool_add_part(spool, &part);
	return 0;
}

/* Removes the last part, which has no record. */
static void
remove_empty_last(struct spool *spool)
{
	char path[PATH_MAX];

	spool_part_path(spool, &spool->parts[spool->count - 1], path);
	spool_drop_last_part(spool);
	if (spool->count == 0)
		spool_close_fd(&spool->read_fd);
	(void)unlink(path);
}

/* ---- restoring a removed file ---- */

/* Copies a file without its header. Returns 0, or <0 with errno. */
static int
copy_records(const struct spool *spool, int from, int to, uint64_t size)
{
	char *block = mem_new(BLOCK_BYTES, 1);
	size_t len;
	int rc = 0;

	for (uint64_t at = sizeof(struct spool_header); rc == 0 && at < size; at += len) {
		heartbeat(&spool->slot->process, 0);
		len = size - at < BLOCK_BYTES ? (size_t)(size - at) : BLOCK_BYTES;
		rc = files_read_at(from, block, len, (off_t)at);
		if (rc == 0)
			rc = files_write_at(to, block, len, (off_t)at);
	}
	free(block);
	return rc;
}

/* Writes the last part to a new file and renames it to the part's name. Returns 0, or <0 without such a file. */
static int
write_last_again(struct spool *spool, const char *path, struct error *err)
{
	struct spool_part *part = &spool->parts[spool->count - 1];
	char fresh[PATH_MAX + sizeof ".new"], aside[PATH_MAX];
	struct stat st;

	if (lstat(path, &st) == 0 && files_set_aside(path, aside, err) != 0)
		return -1;
	(void)snprintf(fresh, sizeof fresh, "%s.new", path);
	int fd = files_open(fresh, O_RDWR | O_TRUNC | O_NOFOLLOW, 0600, "DATA_DIR", err);
	if (fd < 0)
		return -1;
	int rc = -1;
	if (copy_records(spool, spool->append_fd, fd, part->size) != 0 ||
	    spool_header_write(fd, &part->header, err) != 0 || fdatasync(fd) != 0)
		(void)error_errno(err, "cannot write the spool file %s", fresh);
	else
		rc = files_rename(fresh, path, err);
	if (rc != 0) {
		close(fd);
		(void)unlink(fresh);
		return -1;
	}
	close(spool->append_fd);
	spool->append_fd = fd;
	if (spool->count == 1)
		spool_close_fd(&spool->read_fd);
	return 0;
}

int
spool_restore_file(struct spool *spool, struct error *err)
{
	char path[PATH_MAX];

	if (spool->append_fd < 0)
		return 0;
	spool_part_path(spool, &spool->parts[spool->count - 1], path);
	if (files_in_place(spool->append_fd, path))
		return 0;
	if (write_last_again(spool, path, err) != 0)
		return -1;
	log_warning("a spool file was removed: it is made again", LOG_STR("file", path),
	    LOG_UINT("events", spool->parts[spool->count - 1].header.events));
	return 0;
}

/* ---- appending ---- */

/* Ends appending to the last part because of err. */
static void
abandon_last(struct spool *spool, const struct error *err)
{
	uint64_t times = repeat_met(&spool->distrust, clock_steady_us());

	if (times > 0)
		log_error("a spool file is not trusted any more: beginning a new one", LOG_STR("error", err->text),
		    LOG_UINT("times", times));
	spool_close_fd(&spool->append_fd);
	if (spool->parts[spool->count - 1].header.events == 0)
		remove_empty_last(spool);
}

/* Cuts off a failed append. sync_failed: the write succeeded but the sync failed, so the file is no longer trusted. */
static void
undo_append(struct spool *spool, bool sync_failed, const struct error *err)
{
	off_t size = (off_t)spool->parts[spool->count - 1].size;
	bool cut_off = ftruncate(spool->append_fd, size) == 0 && fdatasync(spool->append_fd) == 0;

	ledger_append_failed(&spool->slot->ledger, APPEND_SPOOL, cut_off);
	if (sync_failed)
		counter_add_sync_failure(spool->slot);
	if (!cut_off || sync_failed)
		abandon_last(spool, err);
}

/*
 * Appends len bytes of spool->batch to the last part and syncs them. After a failure they are either cut off, or the
 * file gets no more appends. Returns 0, SPOOL_FULL or <0.
 */
static int
write_batch(struct spool *spool, size_t len, struct error *err)
{
	uint64_t offset = spool->parts[spool->count - 1].size;
	struct stat st;

	if (fstat(spool->append_fd, &st) != 0)
		return error_errno(err, "cannot stat a spool file in %s", spool->directory);
	ledger_append_begin(&spool->slot->ledger, APPEND_SPOOL, &st, offset, len);
	bool written = files_write_at(spool->append_fd, spool->batch, len, (off_t)offset) == 0;
	if (!written || fdatasync(spool->append_fd) != 0) {
		int failure = errno;

		(void)error_errno(err, "cannot %s a spool file in %s", written ? "sync" : "write", spool->directory);
		undo_append(spool, written, err);
		return failure_condition(failure);
	}
	uint64_t times = repeat_over(&spool->distrust, clock_steady_us());
	if (times > 0)
		log_info("spool files can be trusted again", LOG_UINT("times", times));
	return 0;
}

/* Copies the records into spool->batch. Returns their size. */
static size_t
gather(struct spool *spool, const struct record *const *records, uint32_t count)
{
	size_t len = 0, at = 0;

	for (uint32_t i = 0; i < count; i++)
		len += records[i]->length;
	if (len > spool->batch_bytes) {
		free(spool->batch);
		spool->batch = mem_new(len, 1);
		spool->batch_bytes = len;
	}
	for (uint32_t i = 0; i < count; at += records[i++]->length)
		memcpy(spool->batch + at, records[i], records[i]->length);
	return len;
}

/* Whether the append file accepts len more bytes. A file without records accepts any number. */
static bool
file_has_room(const struct spool *spool, size_t len)
{
	if (spool->append_fd < 0)
		return false;

	const struct spool_part *last = &spool->parts[spool->count - 1];

	return last->size == sizeof last->header || last->size + len <= spool->file_bytes;
}

/* Checks SPOOL_MAX_BYTES and the disk for len more bytes. Returns 0, or SPOOL_FULL with *err. */
static int
check_limits(const struct spool *spool, size_t len, struct error *err)
{
	if (spool->bytes + sizeof(struct spool_header) + len > spool->max_bytes)
		(void)error_set(err, "the spool is full (SPOOL_MAX_BYTES)");
	else if (disk_free(spool) < FREE_LEAST + len)
		(void)error_set(err, "the disk of %s is almost full", spool->directory);
	else
		return 0;
	return SPOOL_FULL;
}

int
spool_append(struct spool *spool, const struct record *const *records, uint32_t count, struct error *err)
{
	size_t len = gather(spool, records, count);
	int rc = -1;

	assert(count > 0);
	if (check_limits(spool, len, err) != 0)
		return SPOOL_FULL;
	if (spool_restore_file(spool, err) != 0)
		return -1;
	/* Replace a failing file once. */
	for (int tries = 0; tries < 2 && rc < 0; tries++) {
		rc = file_has_room(spool, len) ? 0 : begin_file(spool, err);
		if (rc == 0)
			rc = write_batch(spool, len, err);
		if (rc < 0)
			spool_close_fd(&spool->append_fd);
	}
	if (rc == 0) {
		spool->appending_bytes = len;
		spool->appending = count;
	}
	spool_update_levels(spool);
	return rc;
}

void
spool_append_committed(struct spool *spool)
{
	struct spool_part *part = &spool->parts[spool->count - 1];

	part->size += spool->appending_bytes;
	spool->bytes += spool->appending_bytes;
	part->header.end = part->size;
	part->header.events += spool->appending;
	/* A failure is harmless: the header may lag (spool_file.h). */
	(void)spool_header_write(spool->append_fd, &part->header, &(struct error){0});
	spool_update_levels(spool);
}
