/* Storing what the spool holds: reading its files, oldest first, damage, forgetting what is stored. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "shm/heartbeat.h"
#include "writer/spool_parts.h"

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
	spool_close_fd(&spool->read_fd);
	if (spool->count == 1)
		spool_close_fd(&spool->append_fd);
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
	(void)snprintf(path, sizeof path, "%s/%s", spool->directory, name);
	int fd = files_open(path, O_WRONLY | O_TRUNC, 0600, "DATA_DIR", err);
	if (fd < 0)
		return fd;
	errno = ENOSPC; /* of a short write */
	bool kept = write(fd, reader->buffer, len) == (ssize_t)len && fdatasync(fd) == 0;
	if (!kept)
		(void)error_errno(err, "cannot set damage in the spool aside as %s", path);
	spool_close_fd(&fd);
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
		ledger_replays_recorded(&spool->slot->ledger);
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

	spool_close_fd(&spool->read_fd);
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

/* Whether somebody has removed the first part. */
static bool
first_is_gone(const struct spool *spool)
{
	struct stat st;
	char path[PATH_MAX];

	spool_part_path(spool, &spool->parts[0], path);
	return spool->read_fd < 0 && !(spool->count == 1 && spool->append_fd >= 0) && lstat(path, &st) != 0 &&
	       errno == ENOENT;
}

/* What was in it counts as damaged. */
static void
forget_first(struct spool *spool)
{
	const struct spool_part *part = &spool->parts[0];
	char path[PATH_MAX];

	spool_part_path(spool, part, path);
	log_error("a spool file is gone: what was in it is not stored", LOG_STR("file", path),
	    LOG_UINT("events", part->header.events - part->header.done_events));
	finish_first(spool);
	spool_reconcile(spool);
	spool_tell_levels(spool);
}

/* Reads on in the first part, up to records, the part's end, or a failure. 0 or <0. */
static int
read_first(struct spool *spool, struct error *err)
{
	const struct spool_part *part = &spool->parts[0];

	if (part->examined && part->header.done >= part->size) {
		finish_first(spool);
		spool_tell_levels(spool);
		return 0;
	}
	if (first_is_gone(spool)) {
		forget_first(spool);
		return 0;
	}
	if (open_first(spool, err) != 0)
		return -1;
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
		heartbeat(&spool->slot->process, 0); /* each run of damage takes a sync */
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
