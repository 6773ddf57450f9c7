/*
 * A writer's ledger, in its slot of the segment: what has become of the events it took, and how far its lanes are
 * released. One store makes the outcome of a batch true, all of it or nothing, so a writer may be killed at any instruction:
 *
 *   pages[current]        what holds
 *   pages[1 - current]    a draft of what is to hold next; ledger_commit() turns the page
 *
 * The release of the lanes and the notes in the spool's files follow from the page; a successor repeats them.
 *
 * An append to a file belongs to a page, too: it is noted before it begins, and holds when the page has been turned. One
 * that was begun and did not come so far is cut off by whoever finds it: its events are still where they came from.
 */
#ifndef SHM_LEDGER_H
#define SHM_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "shm/counters.h"

struct segment;

/* How far a file of the spool is stored (writer/spool_file.h); sequence 0: none. The time tells files of one name apart. */
struct spool_progress {
	uint32_t writer, reserved;
	uint64_t sequence;
	int64_t created_us;
	uint64_t done, done_events;
};

/* What became of a page's parcels. */
enum fate {
	FATE_STORED,
	FATE_SPOOLED,
	FATE_REFUSED /* the awaited ones, unless they are in doubt; released are the first, up to one that is not refused */
};

struct ledger_page {
	uint64_t serial; /* counts commits */
	uint64_t counters[LEDGER_COUNTERS];
	uint64_t spool_events; /* in the spool, not stored yet */
	struct spool_progress replayed; /* of the batch from the spool that was stored last */
	uint64_t replays; /* such batches */
	uint32_t fate; /* enum fate, of the parcels below release that were not released before */
	uint32_t release[ACCEPTORS_MAX]; /* per acceptor: the position that its lane is released to, or refused to */
};

/* BROKEN: it failed and could not be cut off, and so has to be whatever is committed since. */
enum append_state { APPEND_NONE = 0, APPEND_BEGUN = 1, APPEND_BROKEN = 2 };
enum append_file { APPEND_JSONL, APPEND_SPOOL, APPEND_FILES };

struct append {
	uint32_t state; /* enum append_state */
	uint32_t reserved;
	uint64_t serial; /* of the page it would be committed over */
	uint64_t device, inode, offset; /* where it began */
	uint64_t bytes; /* no longer than this */
};

struct ledger {
	uint32_t current; /* 0 or 1 */
	uint32_t reserved;
	uint64_t replays_noted; /* so many of the page's replays are noted in the spool's files, too */
	struct append appends[APPEND_FILES];
	struct ledger_page pages[2];
};

/* What holds. For any process; a look from outside may see two moments in one. */
const struct ledger_page *ledger_page(const struct ledger *ledger);

/* A copy of what holds, to be changed and committed by the ledger's writer; a later call begins again. */
struct ledger_page *ledger_draft(struct ledger *ledger);

/* The draft holds from now on. */
void ledger_commit(struct ledger *ledger);

/*
 * Does what the page of that writer says: marks and releases its parcels and wakes the acceptors whose requests that
 * answers. Harmless when it was done already. For the writer, and for a master without children.
 */
void ledger_settle(const struct segment *segment, uint32_t writer);

/*
 * For a writer that takes over, before its first commit, under segment_append_lock(): settles, and sees to it that the
 * appends its predecessor has not committed stay open whatever is committed now.
 */
void ledger_take_over(const struct segment *segment, uint32_t writer);

/* The spool's files say by now how far they are stored, as the page does. By the ledger's writer. */
void ledger_noted(struct ledger *ledger);

/*
 * Whether something is known from the ledger alone that whoever comes next must know: an append is open, or the spool's
 * files do not say yet how far they are stored.
 */
bool ledger_needed(const struct ledger *ledger);

/* Whether that writer's ledger can be one: its page exists and releases no more than what waits. For adopting a segment. */
bool ledger_valid(const struct segment *segment, uint32_t writer);

/* Notes that an append of at most so many bytes begins: before its first byte is written, by the ledger's writer. */
void append_begin(
    struct ledger *ledger, enum append_file file, uint64_t device, uint64_t inode, uint64_t offset, uint64_t bytes);

/* The append has failed. Cut off: nothing of it stands in the file any more; otherwise it waits for append_cut_off(). */
void append_failed(struct ledger *ledger, enum append_file file, bool cut_off);

/* Whether an append stands in that file, in part or whole, that was never committed. */
bool append_open(const struct ledger *ledger, enum append_file file);

#endif
