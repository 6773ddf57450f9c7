/* The writer's spool: appending, new files, limits. */
#include "writer/spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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
#include "shm/heartbeat.h"
#include "writer/spool_parts.h"

/* Of the disk, left to others: below the first nothing new is let in, below the second nothing is written. */
#define FREE_LOW ((uint64_t)64 << 20)
#define FREE_LEAST ((uint64_t)32 << 20)
/* Copied at a time. */
#define BLOCK_BYTES ((size_t)1 << 20)
/* Of max_bytes, kept for what waits on the ring when the spool is called low: one part of so many. */
#define LOW_PART 16

void
spool_part_path(const struct spool *spool, const struct spool_part *part, char out[PATH_MAX])
{
	char name[SPOOL_NAME_MAX];

	spool_file_name(part->writer, part->sequence, name);
	(void)snprintf(out, PATH_MAX, "%s/%s", spool->directory, name);
}

void
spool_tell_levels(const struct spool *spool)
{
	int64_t oldest_us = 0;

	level_set(&spool->slot->process, LEVEL_SPOOL_BYTES, spool->bytes);
	level_set(&spool->slot->process, LEVEL_SPOOL_FILES, spool->count);
	for (uint32_t i = 0; i < spool->count; i++)
		if (oldest_us == 0 || spool->parts[i].waits_since_us < oldest_us)
			oldest_us = spool->parts[i].waits_since_us;
	writer_set_spool_oldest_us(spool->slot, oldest_us);
}

void
spool_add_part(struct spool *spool, const struct spool_part *part)
{
	if (spool->count == spool->capacity) {
		spool->capacity = spool->capacity == 0 ? 16 : spool->capacity * 2;
		spool->parts = mem_resize(spool->parts, spool->capacity, sizeof *spool->parts);
	}
	spool->parts[spool->count++] = *part;
	spool->bytes += part->size;
}

void
spool_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
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

	/* Not there yet: it will be made, and writing will tell. */
	if (statvfs(spool->directory, &disk) != 0)
		return UINT64_MAX / 2;
	return (uint64_t)disk.f_bavail * disk.f_frsize;
}

bool
spool_low(const struct spool *spool)
{
	return spool->bytes + spool->max_bytes / LOW_PART >= spool->max_bytes || disk_free(spool) < FREE_LOW;
}

/* What a failed write means: no space is a matter of waiting. Keeps *err. */
static int
condition_of(int failure)
{
	return failure == ENOSPC || failure == EDQUOT || failure == EFBIG ? SPOOL_FULL : -1;
}

static int
begin_file(struct spool *spool, struct error *err)
{
	struct spool_part part = {.writer = spool->writer,
	    .sequence = spool->next_sequence++,
	    .waits_since_us = clock_steady_us(),
	    .examined = true,
	    .size = sizeof(struct spool_header)};
	char path[PATH_MAX];

	spool_close_fd(&spool->append_fd);
	part.header = (struct spool_header){.writer = part.writer,
	    .sequence = part.sequence,
	    .created_us = clock_wall_us(),
	    .done = sizeof part.header,
	    .end = sizeof part.header};
	spool_part_path(spool, &part, path);
	int fd = files_open(path, O_RDWR | O_EXCL, 0600, "DATA_DIR", err);
	if (fd < 0)
		return condition_of(errno);
	if (spool_header_write(fd, &part.header, err) != 0 || fdatasync(fd) != 0) {
		int failure = errno;

		(void)error_errno(err, "cannot begin the spool file %s", path);
		close(fd);
		(void)unlink(path);
		return condition_of(failure);
	}
	spool->append_fd = fd;
	spool_add_part(spool, &part);
	return 0;
}

static void
drop_empty_last(struct spool *spool)
{
	char path[PATH_MAX];

	spool_part_path(spool, &spool->parts[--spool->count], path);
	spool->bytes -= spool->parts[spool->count].size;
	if (spool->count == 0)
		spool_close_fd(&spool->read_fd);
	(void)unlink(path);
}

/* ---- a file that somebody has removed ---- */

/* All of the file but its header. 0, or <0 with errno. */
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

/* Writes the last part again, into a file that then takes its name. Returns 0, or <0 and nothing new has the name. */
static int
make_last_again(struct spool *spool, const char *path, struct error *err)
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
spool_look(struct spool *spool, struct error *err)
{
	char path[PATH_MAX];

	if (spool->append_fd < 0)
		return 0;
	spool_part_path(spool, &spool->parts[spool->count - 1], path);
	if (files_in_place(spool->append_fd, path))
		return 0;
	if (make_last_again(spool, path, err) != 0)
		return -1;
	log_warning("a spool file was removed: it is made again", LOG_STR("file", path),
	    LOG_UINT("events", spool->parts[spool->count - 1].header.events));
	return 0;
}

/* ---- appending ---- */

/* Writes the gathered batch behind the last part. After a failure nothing of it is left there, or nobody appends to it. */
static int
write_batch(struct spool *spool, size_t len, struct error *err)
{
	struct spool_part *part = &spool->parts[spool->count - 1];
	struct stat st;
	int failure = 0;

	if (fstat(spool->append_fd, &st) != 0)
		return error_errno(err, "cannot stat a spool file in %s", spool->directory);
	ledger_append_begin(&spool->slot->ledger, APPEND_SPOOL, &st, part->size, len);
	bool written = files_write_at(spool->append_fd, spool->batch, len, (off_t)part->size) == 0;
	if (!written || fdatasync(spool->append_fd) != 0)
		failure = errno;
	if (failure == 0) {
		uint64_t times = repeat_over(&spool->distrust, clock_steady_us());

		if (times > 0)
			log_info("spool files can be trusted again", LOG_UINT("times", times));
		return 0;
	}

	errno = failure;
	(void)error_errno(err, "cannot %s a spool file in %s", written ? "sync" : "write", spool->directory);
	bool cut_off = ftruncate(spool->append_fd, (off_t)part->size) == 0 && fdatasync(spool->append_fd) == 0;
	ledger_append_failed(&spool->slot->ledger, APPEND_SPOOL, cut_off);
	if (written) {
		writer_sync_failed(spool->slot);
	}
	if (!cut_off || written) {
		uint64_t times = repeat_met(&spool->distrust, clock_steady_us());

		if (times > 0)
			log_error("a spool file is not trusted any more: beginning a new one",
			    LOG_STR("error", err->text), LOG_UINT("times", times));
		spool_close_fd(&spool->append_fd);
		if (part->header.events == 0)
			drop_empty_last(spool);
	}
	return condition_of(failure);
}

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

static bool
file_has_room(const struct spool *spool, size_t len)
{
	const struct spool_part *last = &spool->parts[spool->count - 1];

	return spool->append_fd >= 0 && (last->size == sizeof last->header || last->size + len <= spool->file_bytes);
}

int
spool_append(struct spool *spool, const struct record *const *records, uint32_t count, struct error *err)
{
	size_t len = gather(spool, records, count);
	int rc = -1;

	assert(count > 0);
	if (spool->bytes + sizeof(struct spool_header) + len > spool->max_bytes) {
		(void)error_set(err, "the spool is full (SPOOL_MAX_BYTES)");
		return SPOOL_FULL;
	}
	if (disk_free(spool) < FREE_LEAST + len) {
		(void)error_set(err, "the disk of %s is almost full", spool->directory);
		return SPOOL_FULL;
	}
	if (spool_look(spool, err) != 0)
		return -1;
	/* A file that fails is replaced once. */
	for (int tries = 0; tries < 2 && rc < 0; tries++) {
		rc = spool->append_fd >= 0 && file_has_room(spool, len) ? 0 : begin_file(spool, err);
		if (rc == 0)
			rc = write_batch(spool, len, err);
		if (rc < 0)
			spool_close_fd(&spool->append_fd);
	}
	if (rc == 0) {
		spool->appending_bytes = len;
		spool->appending = count;
	}
	spool_tell_levels(spool);
	return rc;
}

void
spool_appended(struct spool *spool)
{
	struct spool_part *part = &spool->parts[spool->count - 1];

	part->size += spool->appending_bytes;
	spool->bytes += spool->appending_bytes;
	part->header.end = part->size;
	part->header.events += spool->appending;
	/* It may lag: see spool_file.h. */
	(void)spool_header_write(spool->append_fd, &part->header, &(struct error){0});
	spool_tell_levels(spool);
}
