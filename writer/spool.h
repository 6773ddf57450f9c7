/*
 * A writer's spool: files under DATA_DIR/spool that take events while the store is unavailable, and are stored, oldest first,
 * and removed when it is back. One per writer and used by it alone. What a call to append has accepted is on the disk
 * (fdatasync); what is stored is forgotten by a note in the file's header.
 *
 * Both become true by the writer's ledger: an append that is not committed there is cut off at the next start, and a
 * batch whose storing is committed there is not replayed again whatever the header says. Where the ledger is lost with
 * the machine's memory, a power cut at worst stores a batch again.
 *
 * A file that is found at start is never appended to, and one whose fdatasync has failed never again: after a failure
 * the kernel may call pages clean that never reached the disk.
 */
#ifndef WRITER_SPOOL_H
#define WRITER_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/repeat.h"
#include "event/record.h"
#include "shm/segment.h"
#include "writer/spool_file.h"

#define SPOOL_DIRECTORY "spool" /* in DATA_DIR */

enum spool_condition { SPOOL_FULL = 1 };

struct spool_part {
	uint32_t writer; /* by its name, as the sequence */
	uint64_t sequence;
	int64_t
	    waits_since_us; /* steady; of one that was found, by the wall clock, but never later than it was found */
	bool examined; /* what follows is known */
	uint64_t size;
	struct spool_header header;
};

struct spool {
	char *directory;
	uint32_t writer;
	uint64_t max_bytes, file_bytes;
	struct writer_slot *slot; /* for the levels and the ledger */
	struct spool_part *parts; /* oldest first; the last one is appended to while append_fd >= 0 */
	uint32_t count, capacity;
	uint64_t next_sequence;
	uint64_t bytes; /* of all parts */
	int append_fd, read_fd; /* -1: none; read_fd is the first part's */
	struct spool_reader reader;
	char *batch; /* gathered for an append: appended bytes, appending records, not committed yet */
	size_t batch_bytes;
	size_t appending_bytes;
	uint32_t appending;
	struct repeat distrust; /* of a file whose sync failed */
};

/*
 * Finds the files of that writer, and of those beyond writers whose turn it is to take over; reads their headers, and
 * what stands behind the last append that a header knows of. Brings the ledger into line with what is there. slot, the
 * writer's own, is borrowed. *found_any: there are spool files, of whichever writer. Returns 0 or <0.
 */
int spool_open(struct spool *spool, const char *data_dir, uint32_t writer, uint32_t writers, uint64_t max_bytes,
    struct writer_slot *slot, bool *found_any, struct error *err);

/* Files stay. */
void spool_close(struct spool *spool);

/*
 * Appends records[0..count), count > 0, all or none. 0: they are on the disk; spool_appended() is due once the caller
 * has committed them. SPOOL_FULL: max_bytes or the disk's free space do not allow it (*err says which). <0: the disk
 * does not work.
 */
int spool_append(struct spool *spool, const struct record *const *records, uint32_t count, struct error *err);
void spool_appended(struct spool *spool);

/*
 * Looks whether the file that is appended to still has its name; if somebody has removed it, what is in it is written again.
 * Returns 0, or <0: that cannot be done now, and everything is as it was.
 */
int spool_look(struct spool *spool, struct error *err);

/* Whether so little room is left that nothing new should be let in: what waits already may need it. */
bool spool_low(const struct spool *spool);

/* Whether there is something to replay. */
bool spool_waiting(const struct spool *spool);

/*
 * The oldest records, of which no more than some MiB are held in memory: in spool->reader, valid until the next call; its
 * count is 0 when there are none. Damage is set aside and passed over. The same again until spool_stored(). 0 or <0.
 */
int spool_next(struct spool *spool, struct error *err);

/*
 * What spool_next() gave is stored: notes that in the draft (the counters are the caller's), and forgets it once the
 * draft is committed.
 */
void spool_settle(const struct spool *spool, struct ledger_page *draft);
void spool_stored(struct spool *spool);

#endif
