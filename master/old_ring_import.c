/*
 * Moves the events to the spool by the protocol of 0.1.0's writers: the old ring's ledger records the append before its
 * first byte, and its next page releases the lanes once the file is synced. So the old ring is the journal of its own
 * import.
 */
#include "master/old_ring_import.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
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
#include "event/record_v1.h"
#include "master/saved_counters.h"
#include "shm/old_ring.h"
#include "shm/segment_lock.h"
#include "shm/segment_open.h"
#include "shm/segment.h"
#include "writer/unfinished_append.h"
#include "writer/spool_file.h"

/* The unit of writing. */
#define BLOCK_BYTES ((size_t)1 << 20)

struct import {
	const struct config *config;
	struct old_ring ring;
	char directory[PATH_MAX]; /* of the spool */
	uint64_t spooled, damaged; /* events */
};

/* The move of one writer's lanes into a spool file. The first event makes the file. */
struct spooling {
	struct import *import;
	uint32_t writer;
	char path[PATH_MAX];
	int fd; /* -1: no event yet */
	struct spool_header header;
	char *block;
	size_t block_bytes, used;
	uint64_t damaged;
	struct error *err;
};

/* ---- the ledgers ---- */

/*
 * After a reboot the ring's uncommitted appends say nothing about the files: forgets them, once. A later append is this
 * import's own, and a repeated import must find it.
 */
static void
forget_appends_of_another_boot(const struct old_ring *ring)
{
	const char *then = old_ring_boot_id(ring);
	char now[BOOT_ID_BYTES];

	segment_boot_id(now);
	if (then[0] == '\0' || now[0] == '\0' || strcmp(then, now) == 0)
		return;
	log_warning(
	    "the machine has restarted since the ring was last used: events on it may be damaged or stored twice",
	    LOG_UINT("events_waiting", old_ring_events_waiting(ring)));
	for (uint32_t w = 0; w < ring->writers; w++)
		for (int file = 0; file < APPEND_FILES; file++)
			old_ring_append_done(ring, w, (enum append_file)file);
	old_ring_set_boot_id(ring, now);
}

/* If this run has another store, failing to cut off the old JSONL file is only a warning. */
static int
cut_off_jsonl(struct import *import, const struct unfinished_append *append, struct error *err)
{
	char path[PATH_MAX], earlier[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s", import->config->jsonl_path);
	(void)snprintf(earlier, sizeof earlier, "%s", old_ring_jsonl_path(&import->ring));
	if (unfinished_append_truncate(append, APPEND_JSONL, dirname(path), dirname(earlier), err) == 0)
		return 0;
	if (import->config->storage == STORAGE_JSONL)
		return -1;
	log_warning("cannot cut off the previous run's append to its JSONL file: its events may be stored twice",
	    LOG_STR("error", err->text));
	return 0;
}

static int
cut_off_appends(struct import *import, uint32_t writer, struct error *err)
{
	struct unfinished_append append;

	if (old_ring_append_open(&import->ring, writer, APPEND_JSONL, &append)) {
		if (cut_off_jsonl(import, &append, err) != 0)
			return -1;
		old_ring_append_done(&import->ring, writer, APPEND_JSONL);
	}
	if (old_ring_append_open(&import->ring, writer, APPEND_SPOOL, &append)) {
		if (unfinished_append_truncate(&append, APPEND_SPOOL, import->directory, NULL, err) != 0)
			return -1;
		old_ring_append_done(&import->ring, writer, APPEND_SPOOL);
	}
	return 0;
}

/* Writes the ledger's progress to the spool file's header, if the ledger is ahead. */
static int
record_progress(const struct import *import, uint32_t writer, struct error *err)
{
	struct spool_progress known = old_ring_replayed(&import->ring, writer);
	char name[SPOOL_NAME_MAX], path[PATH_MAX + SPOOL_NAME_MAX];
	struct spool_header header;
	struct stat st;

	if (known.sequence == 0)
		return 0;
	spool_file_name((struct spool_id){known.writer, known.sequence}, name);
	(void)snprintf(path, sizeof path, "%s/%s", import->directory, name);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, "cannot open the spool file %s (DATA_DIR)", path);
	int rc = fstat(fd, &st) == 0 ? spool_header_read(fd, (uint64_t)st.st_size, &header, err)
				     : error_errno(err, "cannot stat the spool file %s (DATA_DIR)", path);
	if (rc == 0 && spool_header_catch_up(&header, &known, (uint64_t)st.st_size)) {
		rc = spool_header_write(fd, &header, err);
		if (rc == 0 && fdatasync(fd) != 0)
			rc = error_errno(err, "cannot sync the spool file %s (DATA_DIR)", path);
	}
	close(fd);
	return rc < 0 ? rc : 0; /* the writer handles a damaged header */
}

static int
apply_ledgers(struct import *import, struct error *err)
{
	const struct old_ring *ring = &import->ring;

	for (uint32_t w = 0; w < ring->writers; w++)
		old_ring_settle(ring, w);
	forget_appends_of_another_boot(ring);
	for (uint32_t w = 0; w < ring->writers; w++)
		if (cut_off_appends(import, w, err) != 0 || record_progress(import, w, err) != 0)
			return -1;
	return 0;
}

/* ---- events into the spool ---- */

/* Finds the sequence after the writer's last one in the spool. Returns 0 or <0. */
static int
next_sequence(const char *directory, uint32_t writer, uint64_t *next, struct error *err)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	struct spool_id id;

	*next = 1;
	if (dir == NULL)
		return errno == ENOENT ? 0 : error_errno(err, "cannot read the directory %s (DATA_DIR)", directory);
	while (errno = 0, (entry = readdir(dir)) != NULL)
		if (spool_file_parse_name(entry->d_name, &id) && id.writer == writer && id.sequence >= *next)
			*next = id.sequence + 1;
	int rc = errno == 0 ? 0 : error_errno(err, "cannot read the directory %s (DATA_DIR)", directory);
	closedir(dir);
	return rc;
}

static int
begin_file(struct spooling *s)
{
	struct spool_header *h = &s->header;
	char name[SPOOL_NAME_MAX];
	struct stat st;

	*h = (struct spool_header){
	    .writer = s->writer, .created_us = clock_wall_us(), .done = sizeof *h, .end = sizeof *h};
	if (next_sequence(s->import->directory, s->writer, &h->sequence, s->err) != 0)
		return -1;
	spool_file_name((struct spool_id){s->writer, h->sequence}, name);
	if (snprintf(s->path, sizeof s->path, "%s/%s", s->import->directory, name) >= (int)sizeof s->path)
		return error_set(s->err, "DATA_DIR is too long");
	s->fd = files_open(s->path, O_RDWR | O_EXCL, 0600, "DATA_DIR", s->err);
	if (s->fd < 0)
		return -1;
	if (spool_header_write(s->fd, h, s->err) != 0)
		return -1;
	if (fstat(s->fd, &st) != 0 || lseek(s->fd, sizeof *h, SEEK_SET) < 0)
		return error_errno(s->err, "cannot begin the spool file %s", s->path);
	old_ring_append_begin(&s->import->ring, s->writer,
	    &(struct unfinished_append){
		.device = st.st_dev, .inode = st.st_ino, .offset = sizeof *h, .bytes = INT64_MAX});
	return 0;
}

static int
flush(struct spooling *s)
{
	if (files_write(s->fd, s->block, s->used) != 0)
		return error_errno(s->err, "cannot write the spool file %s (DATA_DIR)", s->path);
	s->header.end += s->used;
	s->used = 0;
	return 0;
}

static int
add_record(struct spooling *s, const char *bytes, size_t length)
{
	if (s->fd < 0 && begin_file(s) != 0)
		return -1;
	if (s->used + length > s->block_bytes) {
		if (flush(s) != 0)
			return -1;
		s->block_bytes = length > BLOCK_BYTES ? length : BLOCK_BYTES;
		free(s->block);
		s->block = mem_new(s->block_bytes, 1);
	}
	s->used += record_from_v1(bytes, s->block + s->used);
	s->header.events++;
	return 0;
}

/* Adds a parcel's records. After a damaged one the rest is lost, because its length cannot be trusted. */
static int
add_parcel(void *context, const char *bytes, size_t length, uint32_t events)
{
	struct spooling *s = context;
	uint32_t seen = 0;
	size_t claimed;

	for (size_t at = 0; at < length && seen < events && record_v1_check(bytes + at, length - at); at += claimed) {
		claimed = record_v1_claims(bytes + at, length - at);
		if (add_record(s, bytes + at, claimed) != 0)
			return -1;
		seen++;
	}
	/* lane_publish() counted all records as received. */
	s->damaged += events - seen;
	return 0;
}

/* Commits the file's events to the spool by one store to the ring. Returns 0 or <0. */
static int
commit(struct spooling *s)
{
	if (s->fd >= 0 && flush(s) != 0)
		return -1;
	if (s->fd >= 0 && fdatasync(s->fd) != 0)
		return error_errno(s->err, "cannot sync the spool file %s (DATA_DIR)", s->path);
	old_ring_commit(&s->import->ring, s->writer, s->header.events, s->damaged);
	/* A failure is harmless: the header may lag (writer/spool_file.h). */
	if (s->fd >= 0)
		(void)spool_header_write(s->fd, &s->header, &(struct error){0});
	s->import->spooled += s->header.events;
	s->import->damaged += s->damaged;
	return 0;
}

static int
spool_lanes(struct import *import, uint32_t writer, struct error *err)
{
	struct spooling s = {.import = import, .writer = writer, .fd = -1, .err = err};
	int rc = old_ring_visit(&import->ring, writer, add_parcel, &s);

	if (rc == 0)
		rc = commit(&s);
	/*
	 * Close the append only after removing the file; otherwise its events would be stored from the file and from
	 * the ring.
	 */
	if (rc != 0 && s.fd >= 0 && unlink(s.path) == 0)
		old_ring_append_done(&import->ring, writer, APPEND_SPOOL);
	if (s.fd >= 0)
		close(s.fd);
	free(s.block);
	return rc;
}

/* ---- the ring file ---- */

static int
spool_events(struct import *import, struct error *err)
{
	struct error why;

	for (uint32_t w = 0; w < import->ring.writers; w++)
		if (spool_lanes(import, w, &why) != 0)
			return error_set(err,
			    "cannot move the events of hooksd 0.1.0 from RING_PATH=%s to the spool: %s; they are still "
			    "in "
			    "the ring",
			    import->config->ring_path, why.text);
	return 0;
}

static int
import_ring(struct import *import, int fd, struct error *err)
{
	uint64_t counters[COUNTERS];
	char aside[PATH_MAX];

	if (apply_ledgers(import, err) != 0 || spool_events(import, err) != 0)
		return -1;
	if (import->damaged > 0)
		log_error("damaged records on the ring: skipped", LOG_UINT("records", import->damaged));
	else
		old_ring_empty(&import->ring, fd);
	old_ring_counters(&import->ring, counters);
	(void)saved_counters_write(import->config->data_dir, counters);
	(void)snprintf(aside, sizeof aside, "%s.imported.%lld", import->config->ring_path, (long long)clock_wall_us());
	if (files_rename(import->config->ring_path, aside, err) != 0)
		return -1;
	log_info("imported the ring of hooksd 0.1.0: its events are in the spool", LOG_UINT("events", import->spooled),
	    LOG_STR("renamed_to", aside));
	return 0;
}

/* Imports an unfinished ring, which holds only the counters of an earlier one. */
static int
import_unfinished(const struct import *import, struct error *err)
{
	uint64_t counters[COUNTERS];

	if (import->ring.header->counts_on != 0) {
		old_ring_counters(&import->ring, counters);
		(void)saved_counters_write(import->config->data_dir, counters);
	}
	if (unlink(import->config->ring_path) != 0)
		return error_errno(err, "cannot remove the unfinished ring file %s", import->config->ring_path);
	return 0;
}

int
old_ring_import(const struct config *config, struct error *err)
{
	struct import import = {.config = config};
	int fd, kind, rc = 0;

	if (access(config->ring_path, F_OK) != 0)
		return 0;
	fd = segment_lock_file(config->ring_path, err);
	if (fd < 0)
		return -1;
	(void)snprintf(import.directory, sizeof import.directory, "%s/" SPOOL_DIRECTORY, config->data_dir);
	kind = old_ring_open(&import.ring, fd, err);
	if (kind < 0)
		rc = -1;
	else if (kind == OLD_RING_WHOLE)
		rc = import_ring(&import, fd, err);
	else if (kind == OLD_RING_UNFINISHED)
		rc = import_unfinished(&import, err);
	if (kind == OLD_RING_WHOLE || kind == OLD_RING_UNFINISHED)
		old_ring_close(&import.ring);
	close(fd);
	return rc;
}
