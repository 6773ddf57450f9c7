/*
 * Examines a writer's spool files at its start: by each file's header, by the ledger, which may be ahead, and by
 * reading the records after the header's end.
 */
#include "writer/spool_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "shm/heartbeat.h"

static int
by_age(const void *a, const void *b)
{
	return spool_id_compare(((const struct spool_part *)a)->id, ((const struct spool_part *)b)->id);
}

/*
 * Counts the records after the header's end. A power cut left them of the next append, so only whole records matter.
 * With a damaged header it counts all of the file's records, and every run of damage as one lost event. Adds the
 * records found to *records. Returns 0 or <0.
 */
static int
count_rest(struct spool *spool, int fd, struct spool_part *part, uint32_t *records, struct error *err)
{
	struct spool_header *h = &part->header;
	uint64_t at = h->end > h->done ? h->end : h->done;
	bool all = h->end == 0; /* as spool_header_read() sets it for a damaged header */

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

/* Advances the header to the ledger's progress, if that is ahead. Returns 0 or <0. */
static int
catch_up(const struct spool *spool, int fd, struct spool_part *part, struct error *err)
{
	const struct spool_progress *known = &ledger_page(&spool->slot->ledger)->replayed;

	if (known->sequence != part->id.sequence || known->writer != part->id.writer ||
	    !spool_header_catch_up(&part->header, known, part->size))
		return 0;
	return spool_header_write(fd, &part->header, err);
}

/*
 * Whether the file is not a spool file despite its name: no records, and at its beginning neither the magic nor the
 * zeros of a power cut.
 */
static bool
is_foreign(int fd, uint32_t records)
{
	char begin[sizeof SPOOL_MAGIC - 1] = "";

	return records == 0 && pread(fd, begin, sizeof begin, 0) > 0 && begin[0] != '\0' &&
	       memcmp(begin, SPOOL_MAGIC, sizeof begin) != 0;
}

/* Renames the whole file out of the way. Returns 0 or <0. */
static int
set_file_aside(const struct spool *spool, const char *path, struct spool_part *part, struct error *err)
{
	char name[SPOOL_NAME_MAX], aside[PATH_MAX];

	spool_damaged_name(part->id, clock_wall_us(), 0, name);
	(void)snprintf(aside, sizeof aside, "%s/%s", spool->directory, name);
	if (files_rename(path, aside, err) != 0)
		return -1;
	log_error("a file of the spool's name holds no event: set aside", LOG_STR("file", path),
	    LOG_STR("set_aside_as", aside));
	part->header.done = part->size;
	part->header.events = 1; /* counted like any run of damage */
	return 0;
}

/* Fills in the part's size and header from the open file. Returns 0 or <0. */
static int
read_part(struct spool *spool, int fd, const char *path, struct spool_part *part, struct error *err)
{
	uint32_t records = 0;
	struct stat st;

	heartbeat(&spool->slot->process, 0); /* there may be thousands of files */
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
	if (count_rest(spool, fd, part, &records, err) != 0)
		return -1;
	if (!good && is_foreign(fd, records))
		return set_file_aside(spool, path, part, err);
	part->header.writer = part->id.writer;
	part->header.sequence = part->id.sequence;
	if (!good) {
		part->header.created_us = clock_wall_us();
		(void)spool_header_write(fd, &part->header, &(struct error){0});
	}
	return 0;
}

/*
 * The file's creation by the steady clock, computed from its age by the wall clock, because the steady clock starts at
 * boot. Never in the future, even if the wall clock was set back, and never 0.
 */
static int64_t
waits_since(int64_t created_us)
{
	int64_t age_us = clock_wall_us() - created_us;
	int64_t since_us = clock_steady_us() - (age_us > 0 ? age_us : 0);

	return since_us != 0 ? since_us : 1;
}

int
spool_examine(struct spool *spool, struct spool_part *part, struct error *err)
{
	struct spool_part known = {.id = part->id};
	char path[PATH_MAX];

	spool_part_path(spool, part, path);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_errno(err, "cannot open the spool file %s (DATA_DIR)", path);
	int rc = read_part(spool, fd, path, &known, err);
	close(fd);
	if (rc != 0)
		return rc;
	known.waits_since_us = waits_since(known.header.created_us);
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

/* Adds a file that is named like a spool file and belongs to this writer. */
static void
add_found(struct spool *spool, const char *name, uint32_t writers)
{
	struct spool_id id;

	if (!spool_file_parse_name(name, &id))
		return;
	spool->found_any = true;
	if (id.writer % writers == spool->writer)
		spool_add_part(spool, &(struct spool_part){.id = id, .waits_since_us = clock_steady_us()});
	if (id.writer == spool->writer && id.sequence >= spool->next_sequence)
		spool->next_sequence = id.sequence + 1;
}

/* Lists the directory. Returns 0, also if it does not exist, or <0. */
static int
find_parts(struct spool *spool, uint32_t writers, struct error *err)
{
	DIR *directory = opendir(spool->directory);
	struct dirent *entry;

	if (directory == NULL && errno != ENOENT)
		return error_errno(err, "cannot read the directory %s (DATA_DIR)", spool->directory);
	while (errno = 0, directory != NULL && (entry = readdir(directory)) != NULL)
		add_found(spool, entry->d_name, writers);
	int failure = errno;
	if (directory != NULL)
		closedir(directory);
	errno = failure;
	if (failure != 0)
		return error_errno(err, "cannot read the directory %s (DATA_DIR)", spool->directory);
	if (spool->count > 0)
		qsort(spool->parts, spool->count, sizeof *spool->parts, by_age);
	return 0;
}

int
spool_scan(struct spool *spool, uint32_t writers, struct error *err)
{
	bool all_examined = true;

	if (find_parts(spool, writers, err) != 0)
		return -1;
	for (uint32_t i = 0; i < spool->count; i++)
		if (spool_examine(spool, &spool->parts[i], err) != 0) {
			all_examined = false;
			log_error("a spool file cannot be read: trying again later", LOG_STR("error", err->text));
		}
	if (all_examined)
		ledger_replays_recorded(&spool->slot->ledger);
	spool_reconcile(spool);
	return 0;
}
