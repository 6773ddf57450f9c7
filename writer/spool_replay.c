/* Reads the spool's first file, sets damage aside, and removes stored files. */
#include "writer/spool_replay.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "shm/heartbeat.h"
#include "writer/spool_scan.h"

bool
spool_waiting(const struct spool *spool)
{
	return spool->count > 0;
}

/* The ledger's progress for that much of the part stored. */
static struct spool_progress
progress_of(const struct spool_part *part, uint64_t done, uint64_t done_events)
{
	return (struct spool_progress){.writer = part->id.writer,
	    .sequence = part->id.sequence,
	    .created_us = part->header.created_us,
	    .done = done,
	    .done_events = done_events};
}

/* Commits that events of the part are lost: neither stored nor in the file. */
static void
count_lost(const struct spool *spool, const struct spool_part *part, uint64_t lost)
{
	struct ledger *ledger = &spool->slot->ledger;
	struct ledger_page *draft = ledger_draft(ledger);

	draft->counters[COUNTER_DAMAGED] += lost;
	draft->spool_events -= lost < draft->spool_events ? lost : draft->spool_events;
	draft->replayed = progress_of(part, part->size, part->header.events);
	ledger_commit(ledger);
}

/* Removes the first part, which is completely stored or set aside. */
static void
remove_first(struct spool *spool)
{
	struct spool_part *part = &spool->parts[0];
	char path[PATH_MAX];

	if (part->header.events > part->header.done_events)
		count_lost(spool, part, part->header.events - part->header.done_events);
	spool_part_path(spool, part, path);
	if (unlink(path) != 0 && errno != ENOENT) {
		log_error("cannot remove a spool file whose events are stored", LOG_STR("file", path),
		    LOG_STR("error", strerror(errno)));
		/* The next start removes it because of this header; the ledger knows only one file. */
		(void)spool_header_write(spool->read_fd, &part->header, &(struct error){0});
	}
	spool_close_fd(&spool->read_fd);
	if (spool->count == 1)
		spool_close_fd(&spool->append_fd);
	spool_drop_first_part(spool);
}

/* Copies the damage in the reader to a separate file. Returns 0 or <0. */
static int
set_damage_aside(struct spool *spool, struct error *err)
{
	const struct spool_reader *reader = &spool->reader;
	const struct spool_part *part = &spool->parts[0];
	size_t len = (size_t)(reader->to - reader->from);
	char name[SPOOL_NAME_MAX], path[PATH_MAX];

	if (reader->from >= part->header.end) {
		log_info("an append to the spool was never completed: cut off", LOG_UINT("bytes", len));
		return 0;
	}
	spool_damaged_name(part->id, part->header.created_us, reader->from, name);
	(void)snprintf(path, sizeof path, "%s/%s", spool->directory, name);
	int fd = files_open(path, O_WRONLY | O_TRUNC, 0600, "DATA_DIR", err);
	if (fd < 0)
		return fd;
	bool kept = files_write_at(fd, reader->buffer, len, 0) == 0 && fdatasync(fd) == 0;
	if (!kept)
		(void)error_errno(err, "cannot set damage in the spool aside as %s", path);
	spool_close_fd(&fd);
	if (!kept)
		return -1;
	log_error("damage in the spool: skipped", LOG_UINT("bytes", len), LOG_STR("set_aside_as", path));
	return 0;
}

/* Advances the first part's progress past the reader's content, which is stored or set aside. */
static void
advance_first(struct spool *spool)
{
	struct spool_part *part = &spool->parts[0];
	struct spool_header *h = &part->header;

	spool_header_advance(h, spool->reader.to, h->done_events + spool->reader.count);
	spool->reader.count = 0;
	/* If this fails, the ledger still has the progress. */
	if (spool_header_write(spool->read_fd, h, &(struct error){0}) == 0)
		ledger_replays_recorded(&spool->slot->ledger);
	if (h->done >= part->size)
		remove_first(spool);
	spool_update_levels(spool);
}

/* Moves the first part, which cannot be read now, to the end, so that the others do not wait for it. */
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

/* Prepares the first part for reading. Returns 0 or <0. */
static int
open_first(struct spool *spool, struct error *err)
{
	struct spool_part *part = &spool->parts[0];
	char path[PATH_MAX];

	if (!part->examined) {
		if (spool_examine(spool, part, err) != 0)
			return -1;
		spool_reconcile(spool);
		spool_update_levels(spool);
	}
	if (spool->read_fd >= 0)
		return 0;
	spool_part_path(spool, part, path);
	spool->read_fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return spool->read_fd >= 0 ? 0 : error_errno(err, "cannot open the spool file %s", path);
}

/* Whether the first part's file was removed. */
static bool
first_is_removed(const struct spool *spool)
{
	struct stat st;
	char path[PATH_MAX];

	spool_part_path(spool, &spool->parts[0], path);
	return spool->read_fd < 0 && !(spool->count == 1 && spool->append_fd >= 0) && lstat(path, &st) != 0 &&
	       errno == ENOENT;
}

/* Removes a first part without a file from the list. Its events count as damaged. */
static void
drop_removed_first(struct spool *spool)
{
	const struct spool_part *part = &spool->parts[0];
	char path[PATH_MAX];

	spool_part_path(spool, part, path);
	log_error("a spool file is gone: its events are not stored", LOG_STR("file", path),
	    LOG_UINT("events", part->header.events - part->header.done_events));
	remove_first(spool);
	spool_reconcile(spool);
	spool_update_levels(spool);
}

/* Continues in the first part: reads records, sets damage aside, or removes the part at its end. Returns 0 or <0. */
static int
read_first(struct spool *spool, struct error *err)
{
	const struct spool_part *part = &spool->parts[0];

	if (part->examined && part->header.done >= part->size) {
		remove_first(spool);
		spool_update_levels(spool);
		return 0;
	}
	if (first_is_removed(spool)) {
		drop_removed_first(spool);
		return 0;
	}
	if (open_first(spool, err) != 0)
		return -1;
	if (spool_read_at(&spool->reader, spool->read_fd, part->header.done, part->size, err) != 0)
		return -1;
	if (!spool->reader.damaged)
		return 0;
	if (set_damage_aside(spool, err) != 0)
		return -1;
	advance_first(spool);
	return 0;
}

int
spool_next(struct spool *spool, struct error *err)
{
	spool->reader.count = 0;
	while (spool->count > 0 && spool->reader.count == 0) {
		heartbeat(&spool->slot->process, 0); /* each setting aside of damage needs a sync */
		if (read_first(spool, err) != 0) {
			spool->reader.count = 0;
			postpone_first(spool);
			return -1;
		}
	}
	return 0;
}

void
spool_draft_replayed(const struct spool *spool, struct ledger_page *draft)
{
	const struct spool_part *part = &spool->parts[0];
	uint32_t count = spool->reader.count;

	draft->spool_events -= count < draft->spool_events ? count : draft->spool_events;
	draft->replayed = progress_of(part, spool->reader.to, part->header.done_events + count);
	draft->replays++;
}

void
spool_replay_committed(struct spool *spool)
{
	assert(spool->count > 0 && spool->reader.count > 0);
	advance_first(spool);
}
