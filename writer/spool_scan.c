/*
 * What the spool finds when it is opened: its files, how much of them is stored, and what the writer's ledger knows of it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/mem.h"
#include "shm/heartbeat.h"
#include "store/unfinished_append.h"
#include "writer/spool_parts.h"

/* A file takes no more when it has reached this. */
#define FILE_BYTES ((uint64_t)64 << 20)

static int
by_age(const void *a, const void *b)
{
	const struct spool_part *x = a, *y = b;

	if (x->sequence != y->sequence)
		return x->sequence < y->sequence ? -1 : 1;
	return x->writer < y->writer ? -1 : x->writer > y->writer;
}

/*
 * Counts what stands behind the last append that the header knows of. That is what a power cut has left of the next one,
 * of which only whole records matter; but where the header is damaged it is all of the file, and every run of damage
 * counts as an event that is lost. *records: how many were found.
 */
static int
count_rest(struct spool *spool, int fd, struct spool_part *part, bool all, uint32_t *records, struct error *err)
{
	struct spool_header *h = &part->header;
	uint64_t at = h->end > h->done ? h->end : h->done;

	while (at < part->size) {
		heartbeat(&spool->slot->process, 0);
		if (spool_read_at(&spool->reader, fd, at, part->size, err) != 0)
			return -1;
		at = spool->reader.to;
		*records += spool->reader.count;
		h->events += spool->reader.damaged ? all : spool->reader.count;
		if (all || !spool->reader.damaged)
			h->end = at;
	}
	spool->reader.count = 0;
	return 0;
}

/* The ledger may know better than the header how far the file is stored: then the header is told. 0 or <0. */
static int
catch_up(const struct spool *spool, int fd, struct spool_part *part, struct error *err)
{
	const struct spool_progress *known = &ledger_page(&spool->slot->ledger)->replayed;
	struct spool_header *h = &part->header;

	if (known->sequence != part->sequence || known->writer != part->writer || known->created_us != h->created_us ||
	    known->done <= h->done || known->done > part->size)
		return 0;
	h->done = known->done;
	h->done_events = known->done_events;
	if (h->end < h->done)
		h->end = h->done;
	if (h->events < h->done_events)
		h->events = (uint32_t)h->done_events;
	return spool_header_write(fd, h, err);
}

/*
 * Whether the file is somebody else's, with a name of ours: it begins otherwise, but not with the zeros that a power cut
 * leaves, and holds not one record.
 */
static bool
is_foreign(int fd, uint32_t records)
{
	char begin[sizeof SPOOL_MAGIC - 1] = "";

	return records == 0 && pread(fd, begin, sizeof begin, 0) > 0 && begin[0] != '\0' &&
	       memcmp(begin, SPOOL_MAGIC, sizeof begin) != 0;
}

/* Moves it out of the way, whole. 0 or <0. */
static int
set_aside(const struct spool *spool, const char *path, struct spool_part *part, struct error *err)
{
	char aside[PATH_MAX];

	(void)snprintf(aside, sizeof aside, "%s/damaged-%02" PRIu32 "-%012" PRIu64 "-%" PRId64 ".bin", spool->directory,
	    part->writer, part->sequence, clock_wall_us());
	if (files_rename(path, aside, err) != 0)
		return -1;
	log_error("a file of the spool's name holds no event: set aside", LOG_STR("file", path),
	    LOG_STR("set_aside_as", aside));
	part->header.done = part->size;
	part->header.events = 1; /* as any run of damage, which it may be */
	return 0;
}

/* 0 or <0. */
static int
read_part(struct spool *spool, int fd, const char *path, struct spool_part *part, struct error *err)
{
	uint32_t records = 0;
	struct stat st;

	heartbeat(&spool->slot->process, 0); /* there may be thousands */
	if (fstat(fd, &st) != 0)
		return error_errno(err, "cannot stat the spool file %s (DATA_DIR)", path);
	part->size = (uint64_t)st.st_size;
	int rc = spool_header_read(fd, part->size, &part->header, err);
	if (rc < 0)
		return rc;
	bool good = rc == 0;
	if (good && catch_up(spool, fd, part, err) != 0)
		return -1;
	if (!good)
		log_error("a spool file's header is damaged: reading all of it", LOG_STR("file", path));
	if (count_rest(spool, fd, part, !good, &records, err) != 0)
		return -1;
	if (!good && is_foreign(fd, records))
		return set_aside(spool, path, part, err);
	part->header.writer = part->writer;
	part->header.sequence = part->sequence;
	if (!good) {
		part->header.created_us = clock_wall_us();
		(void)spool_header_write(fd, &part->header, &(struct error){0});
	}
	return 0;
}

/* The steady clock knows nothing of a file of an earlier boot, the wall clock may have been set since. Not 0. */
static int64_t
since(int64_t created_us)
{
	int64_t age_us = clock_wall_us() - created_us;
	int64_t since_us = clock_steady_us() - (age_us > 0 ? age_us : 0);

	return since_us != 0 ? since_us : 1;
}

int
spool_examine(struct spool *spool, struct spool_part *part, struct error *err)
{
	struct spool_part known = {.writer = part->writer, .sequence = part->sequence};
	char path[PATH_MAX];

	spool_part_path(spool, part, path);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_errno(err, "cannot open the spool file %s (DATA_DIR)", path);
	int rc = read_part(spool, fd, path, &known, err);
	close(fd);
	if (rc != 0)
		return rc;
	known.waits_since_us = since(known.header.created_us);
	known.examined = true;
	*part = known;
	spool->bytes += part->size;
	return 0;
}

void
spool_reconcile(const struct spool *spool)
{
	struct ledger *ledger = &spool->slot->ledger;
	struct ledger_page *draft = ledger_draft(ledger);
	uint64_t found = 0;

	for (uint32_t i = 0; i < spool->count; i++) {
		const struct spool_part *part = &spool->parts[i];

		if (!part->examined)
			return;
		found += part->header.events - part->header.done_events;
	}
	if (found > draft->spool_events)
		draft->counters[COUNTER_RECEIVED] += found - draft->spool_events;
	else
		draft->counters[COUNTER_DAMAGED] += draft->spool_events - found;
	draft->spool_events = found;
	ledger_commit(ledger);
}

int
spool_open(struct spool *spool, const char *data_dir, uint32_t writer, uint32_t writers, uint64_t max_bytes,
    struct writer_slot *slot, bool *found_any, struct error *err)
{
	size_t room = strlen(data_dir) + sizeof "/" SPOOL_DIRECTORY;
	struct dirent *entry;
	bool noted = true;

	*spool = (struct spool){.writer = writer,
	    .max_bytes = max_bytes,
	    .file_bytes = FILE_BYTES,
	    .slot = slot,
	    .next_sequence = 1,
	    .append_fd = -1,
	    .read_fd = -1};
	spool->directory = mem_new(room, 1);
	(void)snprintf(spool->directory, room, "%s/" SPOOL_DIRECTORY, data_dir);
	*found_any = false;

	if (unfinished_append_cut_off(&slot->ledger, APPEND_SPOOL, spool->directory, NULL, err) != 0)
		return -1;
	DIR *directory = opendir(spool->directory);
	if (directory == NULL && errno != ENOENT)
		return error_errno(err, "cannot read the directory %s (DATA_DIR)", spool->directory);
	while (errno = 0, directory != NULL && (entry = readdir(directory)) != NULL) {
		uint32_t whose;
		uint64_t sequence;

		if (!spool_file_parse_name(entry->d_name, &whose, &sequence))
			continue;
		*found_any = true;
		if (whose % writers == writer)
			spool_add_part(
			    spool, &(struct spool_part){
				       .writer = whose, .sequence = sequence, .waits_since_us = clock_steady_us()});
		if (whose == writer && sequence >= spool->next_sequence)
			spool->next_sequence = sequence + 1;
	}
	int failure = errno;
	if (directory != NULL)
		closedir(directory);
	if (failure != 0) {
		errno = failure;
		return error_errno(err, "cannot read the directory %s (DATA_DIR)", spool->directory);
	}
	if (spool->count > 0)
		qsort(spool->parts, spool->count, sizeof *spool->parts, by_age);
	for (uint32_t i = 0; i < spool->count; i++)
		if (spool_examine(spool, &spool->parts[i], err) != 0) {
			noted = false;
			log_error("a spool file cannot be read: trying again later", LOG_STR("error", err->text));
		}
	if (noted)
		ledger_replays_recorded(&slot->ledger);
	spool_reconcile(spool);
	spool_tell_levels(spool);
	return 0;
}
