/* The writer's spool: appending, new files, limits, replay, damage. */
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
/* Of max_bytes, kept for what waits on the ring when the spool is called low: one part of so many. */
#define LOW_PART 16

static void
path_of(const struct spool *spool, const char *name, char out[PATH_MAX])
{
	(void)snprintf(out, PATH_MAX, "%s/%s", spool->directory, name);
}

void
spool_part_path(const struct spool *spool, const struct spool_part *part, char out[PATH_MAX])
{
	char name[SPOOL_NAME_MAX];

	spool_file_name(part->writer, part->sequence, name);
	path_of(spool, name, out);
}

void
spool_tell_levels(const struct spool *spool)
{
	int64_t oldest_us = 0;

	level_set(spool->slot, LEVEL_SPOOL_BYTES, spool->bytes);
	level_set(spool->slot, LEVEL_SPOOL_FILES, spool->count);
	for (uint32_t i = 0; i < spool->count && oldest_us == 0; i++)
		oldest_us = spool->parts[i].header.created_us;
	ck_pr_store_64((uint64_t *)&spool->slot->spool_oldest_us, (uint64_t)oldest_us);
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

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
spool_close(struct spool *spool)
{
	close_fd(&spool->append_fd);
	close_fd(&spool->read_fd);
	spool_reader_free(&spool->reader);
	free(spool->parts);
	free(spool->batch);
	free(spool->directory);
}

/* ---- appending ---- */

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
	    .examined = true,
	    .size = sizeof(struct spool_header)};
	char path[PATH_MAX];

	close_fd(&spool->append_fd);
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
		close_fd(&spool->read_fd);
	(void)unlink(path);
}

/* Writes the gathered batch behind the last part. After a failure nothing of it is left there, or nobody appends to it. */
static int
write_batch(struct spool *spool, size_t len, struct error *err)
{
	struct spool_part *part = &spool->parts[spool->count - 1];
	struct stat st;
	int failure = 0;

	if (fstat(spool->append_fd, &st) != 0)
		return error_errno(err, "cannot stat a spool file in %s", spool->directory);
	append_begin(&spool->slot->ledger, APPEND_SPOOL, st.st_dev, st.st_ino, part->size, len);
	for (size_t done = 0; done < len && failure == 0;) {
		ssize_t n = pwrite(spool->append_fd, spool->batch + done, len - done, (off_t)(part->size + done));

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			failure = n == 0 ? ENOSPC : errno;
	}
	bool written = failure == 0;
	if (written && fdatasync(spool->append_fd) != 0)
		failure = errno;
	if (failure == 0) {
		uint64_t times = repeat_over(&spool->distrust, clock_steady_us());

		if (times > 0)
			log_info("spool files can be trusted again", LOG_UINT("times", times));
		return 0;
	}

	errno = failure;
	(void)error_errno(err, "cannot %s a spool file in %s", written ? "sync" : "write", spool->directory);
	bool cut_off = ftruncate(spool->append_fd, (off_t)part->size) == 0;
	append_failed(&spool->slot->ledger, APPEND_SPOOL, cut_off);
	if (written) {
		counter_add(spool->slot, COUNTER_SYNC_FAILURES, 1);
		spool->slot->sync_failed_us = clock_wall_us();
	}
	if (!cut_off || written) {
		uint64_t times = repeat_met(&spool->distrust, clock_steady_us());

		if (times > 0)
			log_error("a spool file is not trusted any more: beginning a new one",
			    LOG_STR("error", err->text), LOG_UINT("times", times));
		close_fd(&spool->append_fd);
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
	/* A file that fails is replaced once. */
	for (int tries = 0; tries < 2 && rc < 0; tries++) {
		rc = spool->append_fd >= 0 && file_has_room(spool, len) ? 0 : begin_file(spool, err);
		if (rc == 0)
			rc = write_batch(spool, len, err);
		if (rc < 0)
			close_fd(&spool->append_fd);
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

/* ---- replay ---- */

bool
spool_waiting(const struct spool *spool)
{
	return spool->count > 0;
}

static struct spool_progress
progress(const struct spool_part *part, uint64_t done, uint64_t done_events)
{
	return (struct spool_progress){.writer = part->writer,
	    .sequence = part->sequence,
	    .created_us = part->header.created_us,
	    .done = done,
	    .done_events = done_events};
}

/* So many events were in that part and are neither stored nor to be found there any more. */
static void
give_up(const struct spool *spool, const struct spool_part *part, uint64_t lost)
{
	struct ledger *ledger = &spool->slot->ledger;
	struct ledger_page *draft = ledger_draft(ledger);

	draft->counters[COUNTER_DAMAGED] += lost;
	draft->spool_events -= lost < draft->spool_events ? lost : draft->spool_events;
	draft->replayed = progress(part, part->size, part->header.events);
	ledger_commit(ledger);
}

/* Everything in the first part is stored or set aside. */
static void
finish_first(struct spool *spool)
{
	struct spool_part *part = &spool->parts[0];
	char path[PATH_MAX];

	if (part->header.events > part->header.done_events)
		give_up(spool, part, part->header.events - part->header.done_events);
	spool_part_path(spool, part, path);
	if (unlink(path) != 0 && errno != ENOENT) {
		log_error("cannot remove a spool file whose events are stored", LOG_STR("file", path),
		    LOG_STR("error", strerror(errno)));
		/* It says so itself to the next start, which removes it: the ledger only knows of one file. */
		(void)spool_header_write(spool->read_fd, &part->header, &(struct error){0});
	}
	close_fd(&spool->read_fd);
	if (spool->count == 1)
		close_fd(&spool->append_fd);
	spool->bytes -= part->size;
	memmove(&spool->parts[0], &spool->parts[1], --spool->count * sizeof *part);
}

/* Keeps the damage that the reader has come upon for whoever wants to look at it. Returns 0 or <0. */
static int
set_aside(struct spool *spool, struct error *err)
{
	const struct spool_reader *reader = &spool->reader;
	const struct spool_part *part = &spool->parts[0];
	size_t len = (size_t)(reader->to - reader->from);
	char name[SPOOL_NAME_MAX + 64], path[PATH_MAX];

	if (reader->from >= part->header.end) {
		log_info("an append to the spool was never completed: cut off", LOG_UINT("bytes", len));
		return 0;
	}
	/* Numbers of files come again when the spool was empty; the time does not. */
	(void)snprintf(name, sizeof name, "damaged-%02" PRIu32 "-%012" PRIu64 "-%" PRId64 "-%" PRIu64 ".bin",
	    part->writer, part->sequence, part->header.created_us, reader->from);
	path_of(spool, name, path);
	int fd = files_open(path, O_WRONLY | O_TRUNC, 0600, "DATA_DIR", err);
	if (fd < 0)
		return fd;
	errno = ENOSPC; /* of a short write */
	bool kept = write(fd, reader->buffer, len) == (ssize_t)len && fdatasync(fd) == 0;
	if (!kept)
		(void)error_errno(err, "cannot set damage in the spool aside as %s", path);
	close_fd(&fd);
	if (!kept)
		return -1;
	log_error("damage in the spool: skipped", LOG_UINT("bytes", len), LOG_STR("set_aside_as", path));
	return 0;
}

/* What the reader holds of the first part is dealt with. */
static void
advance(struct spool *spool)
{
	struct spool_part *part = &spool->parts[0];
	struct spool_header *h = &part->header;

	h->done = spool->reader.to;
	h->done_events += spool->reader.count;
	spool->reader.count = 0;
	if (h->events < h->done_events)
		h->events = (uint32_t)h->done_events;
	/* It may lag: then the ledger still knows. */
	if (spool_header_write(spool->read_fd, h, &(struct error){0}) == 0)
		ledger_noted(&spool->slot->ledger);
	if (h->done >= part->size)
		finish_first(spool);
	spool_tell_levels(spool);
}

/* It cannot be read now: the others must not wait for it. */
static void
postpone_first(struct spool *spool)
{
	struct spool_part part = spool->parts[0];
	uint32_t last = spool->append_fd >= 0 ? spool->count - 1 : spool->count;

	close_fd(&spool->read_fd);
	if (last < 2)
		return;
	memmove(&spool->parts[0], &spool->parts[1], (last - 1) * sizeof part);
	spool->parts[last - 1] = part;
}

/* Makes the first part ready to be read. 0 or <0. */
static int
open_first(struct spool *spool, struct error *err)
{
	struct spool_part *part = &spool->parts[0];
	char path[PATH_MAX];

	if (!part->examined) {
		if (spool_examine(spool, part, err) != 0)
			return -1;
		spool_reconcile(spool);
		spool_tell_levels(spool);
	}
	if (spool->read_fd >= 0)
		return 0;
	spool_part_path(spool, part, path);
	spool->read_fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return spool->read_fd >= 0 ? 0 : error_errno(err, "cannot open the spool file %s", path);
}

/* Reads on in the first part, up to records, the part's end, or a failure. 0 or <0. */
static int
read_first(struct spool *spool, struct error *err)
{
	const struct spool_part *part = &spool->parts[0];

	if (open_first(spool, err) != 0)
		return -1;
	if (part->header.done >= part->size) {
		finish_first(spool);
		spool_tell_levels(spool);
		return 0;
	}
	if (spool_read_at(&spool->reader, spool->read_fd, part->header.done, part->size, err) != 0)
		return -1;
	if (!spool->reader.damaged)
		return 0;
	if (set_aside(spool, err) != 0)
		return -1;
	advance(spool);
	return 0;
}

int
spool_next(struct spool *spool, struct error *err)
{
	spool->reader.count = 0;
	while (spool->count > 0 && spool->reader.count == 0) {
		heartbeat(spool->slot, 0); /* each run of damage takes a sync */
		if (read_first(spool, err) != 0) {
			spool->reader.count = 0;
			postpone_first(spool);
			return -1;
		}
	}
	return 0;
}

void
spool_settle(const struct spool *spool, struct ledger_page *draft)
{
	const struct spool_part *part = &spool->parts[0];
	uint32_t count = spool->reader.count;

	draft->spool_events -= count < draft->spool_events ? count : draft->spool_events;
	draft->replayed = progress(part, spool->reader.to, part->header.done_events + count);
	draft->replays++;
}

void
spool_stored(struct spool *spool)
{
	assert(spool->count > 0 && spool->reader.count > 0);
	advance(spool);
}
