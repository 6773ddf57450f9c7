/*
 * A writer's ledger: the outcomes of its events, and how far its lanes are released. It is in the writer's slot of the
 * segment. One store makes the outcome of a whole batch valid, so a writer may be killed at any instruction:
 *
 *   pages[current]        is valid
 *   pages[1 - current]    a draft of the next state; ledger_commit() makes it the current page
 *
 * The release of the lanes and the progress in the spool files' headers follow from the current page; a successor
 * repeats them (shm/settle.h).
 *
 * A file append commits with the page: it is recorded before its first byte, and is valid once that page is current. A
 * successor truncates an uncommitted append; its events are still in the lane or the spool.
 */
#ifndef SHM_LEDGER_H
#define SHM_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "config/config.h"
#include "shm/series.h"

/*
 * How much of a spool file is stored (writer/spool_file.h). sequence 0: no file. created_us tells files of one name
 * apart.
 */
struct spool_progress {
	uint32_t writer, reserved;
	uint64_t sequence;
	int64_t created_us;
	uint64_t done, done_events;
};

/*
 * How the parcels between a lane's released position and the page's are settled. SETTLED_REFUSED: parcels with a
 * waiting client are refused, or only dismissed if in doubt; the lane is released up to the first parcel that is
 * neither refused nor finished.
 */
enum settlement { SETTLED_STORED, SETTLED_SPOOLED, SETTLED_REFUSED };

struct ledger_page {
	uint64_t serial; /* number of commits */
	uint64_t counters[LEDGER_COUNTERS];
	uint64_t spool_events; /* in the spool and not stored yet */
	struct spool_progress replayed; /* by the last batch from the spool */
	uint64_t replays; /* number of stored batches from the spool */
	uint32_t settled_as; /* enum settlement */
	uint32_t release[ACCEPTORS_MAX]; /* per acceptor: the position up to which settled_as applies */
};

/* BROKEN: the write failed and so did truncating it. It must still be truncated, regardless of later commits. */
enum append_state { APPEND_NONE = 0, APPEND_BEGUN = 1, APPEND_BROKEN = 2 };
enum append_file { APPEND_JSONL, APPEND_SPOOL, APPEND_FILES };

struct unfinished_append {
	uint32_t state; /* enum append_state */
	uint32_t reserved;
	uint64_t serial; /* of the page that was current when it began */
	uint64_t device, inode, offset; /* where it began */
	uint64_t bytes; /* its greatest length */
};

struct ledger {
	uint32_t current; /* 0 or 1 */
	uint32_t reserved;
	uint64_t replays_recorded; /* replays that are written to spool file headers */
	struct unfinished_append appends[APPEND_FILES];
	struct ledger_page pages[2];
};

/* The current page. Any process; processes other than the ledger's writer may read a mixture of two commits. */
const struct ledger_page *ledger_page(const struct ledger *ledger);

/*
 * Copies the current page to the other one, for changing and committing. Another call starts over. For the ledger's
 * writer.
 */
struct ledger_page *ledger_draft(struct ledger *ledger);

/* Makes the draft the current page. */
void ledger_commit(struct ledger *ledger);

/* Records that the spool file headers are as far as the current page. For the ledger's writer. */
void ledger_replays_recorded(struct ledger *ledger);

/*
 * Whether only the ledger knows something that a successor needs: an append is unfinished, or a spool file's header
 * does not yet say how much of the file is stored.
 */
bool ledger_needed_by_successor(const struct ledger *ledger);

/*
 * Records that an append of at most `bytes` begins at that offset of the file that st describes. For the ledger's
 * writer, before it writes the first byte.
 */
void ledger_append_begin(
    struct ledger *ledger, enum append_file file, const struct stat *st, uint64_t offset, uint64_t bytes);

/* The append failed. cut_off: it was truncated; otherwise unfinished_append_cut_off() must do it later. */
void ledger_append_failed(struct ledger *ledger, enum append_file file, bool cut_off);

/* Whether that file may contain a part of an append, or all of it, that was never committed. */
bool ledger_append_open(const struct ledger *ledger, enum append_file file);

#endif
