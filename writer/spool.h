/*
 * A writer's spool: files under DATA_DIR/spool, or a publisher's under DATA_DIR/hl-spool, that take events while the
 * store is unavailable. When it is back, they are stored, oldest first (writer/spool_replay.h), and removed. Each
 * writer has its own spool. An append is on the disk (fdatasync) when it returns. Each file's header has its progress.
 *
 * The writer's ledger has priority. The next start cuts off an append that is not committed there. A batch committed
 * there as stored is not replayed again, whatever the header says. If a power cut destroys the ledger, what was
 * replayed in the last seconds is stored again, because neither the header nor the removal of a file is synced.
 *
 * A file found at start is never appended to, nor is one whose fdatasync has failed, because the kernel may then regard
 * pages as clean that never reached the disk.
 */
#ifndef WRITER_SPOOL_H
#define WRITER_SPOOL_H

#include "writer/spool_parts.h"

enum spool_condition { SPOOL_FULL = 1 };

struct spool_options {
	const char *data_dir, *directory; /* directory is SPOOL_DIRECTORY or SPOOL_DIRECTORY_PUBLISHED, in data_dir */
	uint32_t writer, writers; /* this writer's number, and the number of writers */
	uint64_t max_bytes;
	struct writer_slot *slot; /* this writer's */
};

/*
 * Finds this writer's files, and its share of those of former writers (spool_scan()). Cuts off an uncommitted append.
 * Copies the options; borrows the slot until spool_close(), which the caller must call even after <0. Returns 0 or <0.
 */
int spool_open(struct spool *spool, const struct spool_options *options, struct error *err);

/* Releases everything; the files stay. */
void spool_close(struct spool *spool);

/*
 * Appends records[0..count), count > 0, all or none. Returns 0 when they are on the disk: after committing the ledger,
 * the caller calls spool_append_committed(). SPOOL_FULL: max_bytes or the disk's free space is reached; see *err. <0:
 * the disk failed.
 */
int spool_append(struct spool *spool, const struct record *const *records, uint32_t count, struct error *err);
void spool_append_committed(struct spool *spool);

/*
 * Writes the current append file again if someone has removed or renamed it. Returns 0 if the file is in place, or <0
 * with nothing changed.
 */
int spool_restore_file(struct spool *spool, struct error *err);

/* Whether so little room is left that it must be kept for the events already on the ring: accept no new requests. */
bool spool_low(const struct spool *spool);

#endif
