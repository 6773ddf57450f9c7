/*
 * A writer's spool: files under DATA_DIR/spool, or a publisher's under DATA_DIR/hl-spool, that take events while the
 * store is unavailable. When it is back they are stored, oldest first (writer/spool_replay.h), and removed. Each writer
 * has its own and uses it alone. What an append has accepted is on the disk (fdatasync); how much is stored stands in
 * each file's header.
 *
 * The writer's ledger decides over both. An append that is not committed there is cut off at the next start. A batch
 * whose storing is committed there is not replayed again, whatever the header says. If a power cut takes the ledger,
 * a batch is stored twice at worst.
 *
 * A file that is found at start is never appended to, and neither is one whose fdatasync has failed: the kernel may
 * then call pages clean that never reached the disk.
 */
#ifndef WRITER_SPOOL_H
#define WRITER_SPOOL_H

#include "writer/spool_parts.h"

enum spool_condition { SPOOL_FULL = 1 };

struct spool_options {
	const char *data_dir, *directory; /* the second is SPOOL_DIRECTORY or SPOOL_DIRECTORY_PUBLISHED, in the first */
	uint32_t writer, writers; /* this writer's number, and how many there are */
	uint64_t max_bytes;
	struct writer_slot *slot; /* this writer's */
};

/*
 * Finds this writer's files, and a share of those of writers that are no more, as spool_scan() says. Cuts off an append
 * that was not committed. Copies the options; the slot is borrowed until spool_close(), which is due in any case.
 * Returns 0 or <0.
 */
int spool_open(struct spool *spool, const struct spool_options *options, struct error *err);

/* Releases everything; the files stay. */
void spool_close(struct spool *spool);

/*
 * Appends records[0..count), count > 0, all or none. 0: they are on the disk, and spool_append_committed() is due once
 * the caller has committed them. SPOOL_FULL: max_bytes or the disk's free space do not allow it; *err says which. <0:
 * the disk does not work.
 */
int spool_append(struct spool *spool, const struct record *const *records, uint32_t count, struct error *err);
void spool_append_committed(struct spool *spool);

/*
 * Writes the file that is appended to again if somebody has removed or renamed it. Returns 0 when it is in its place;
 * <0 when it cannot be written now: nothing has changed then.
 */
int spool_restore_file(struct spool *spool, struct error *err);

/* Whether so little room is left that no new request should be accepted: what is on the ring already may need it. */
bool spool_low(const struct spool *spool);

#endif
