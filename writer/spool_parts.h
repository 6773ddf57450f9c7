/*
 * The list of a writer's spool files, shared by the files of the spool: spool_scan.c fills it, spool.c appends to its
 * last file, spool_replay.c reads its first. Also updates the metrics. One writer uses it.
 */
#ifndef WRITER_SPOOL_PARTS_H
#define WRITER_SPOOL_PARTS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/repeat.h"
#include "shm/segment.h"
#include "writer/spool_file.h"
#include "writer/spool_reader.h"

/* One file. */
struct spool_part {
	struct spool_id id; /* from its name */
	int64_t waits_since_us; /* steady: creation; computed from the wall clock for a file found at start */
	bool examined; /* size and header are set */
	uint64_t size;
	struct spool_header header;
};

struct spool {
	char *directory;
	uint32_t writer;
	uint64_t max_bytes, file_bytes;
	struct writer_slot *slot; /* for metrics, heartbeats and the ledger */
	bool found_any; /* spool_open() found files of any writer */
	struct spool_part *parts; /* oldest first; the last one is appended to while append_fd >= 0 */
	uint32_t count, capacity;
	uint64_t next_sequence;
	uint64_t bytes; /* of all parts */
	int append_fd, read_fd; /* -1: none; read_fd is the first part's */
	struct spool_reader reader;
	char *batch; /* buffer for appends, of batch_bytes */
	size_t batch_bytes;
	size_t appending_bytes; /* bytes of the uncommitted append */
	uint32_t appending;
	struct repeat distrust; /* a file's sync failed */
};

/* Writes the part's path to out. */
void spool_part_path(const struct spool *spool, const struct spool_part *part, char out[PATH_MAX]);

/* Appends a copy of the part to the list, and adds its size to spool->bytes. */
void spool_add_part(struct spool *spool, const struct spool_part *part);

/* Removes the last or first part from the list, and its size from spool->bytes; the file stays. */
void spool_drop_last_part(struct spool *spool);
void spool_drop_first_part(struct spool *spool);

/* Closes the descriptor unless it is -1, and sets it to -1. */
void spool_close_fd(int *fd);

/* Copies the spool's size, number of files and age into the slot, for the metrics. */
void spool_update_levels(const struct spool *spool);

#endif
