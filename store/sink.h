/*
 * Where a writer puts records: PostgreSQL, a JSONL file, or nowhere (for benchmarks and tests).
 *
 * A sink is driven by one writer process and by nobody else. Calls may block, but only up to a bound of their own, and
 * with a heartbeat() for what may last longer than a few seconds: the master ends a writer that is stuck or does not
 * drain in time, and everything it held is still on the ring.
 */
#ifndef STORE_SINK_H
#define STORE_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "base/error.h"
#include "event/record.h"

struct sink_result {
	uint32_t stored; /* new in the store */
	uint32_t duplicates; /* already there: same event_id, same day */
	uint32_t dead_lettered; /* refused by the store for good, kept in the dead letters */
	bool in_doubt; /* after a failure: some records may be stored. Otherwise none is, and none will be */
};

/* The store has ended a connection that was idle for longer than it allows: nothing is wrong, open() makes another. */
enum sink_condition { SINK_RESTED = 1 };

struct sink;

struct sink_ops {
	const char *name;

	/*
	 * The store is elsewhere: open() may take seconds and runs in a thread of its own; no two calls ever run at
	 * once.
	 */
	bool remote;

	/*
	 * Makes the store ready: connect, migrate, open, repair; also after a failure. 0: ready. <0: not now, the
	 * writer calls again after a backoff; the sentence says what is wrong for an operator.
	 */
	int (*open)(struct sink *sink, struct error *err);

	/*
	 * Stores records[0..count), count > 0, durably and in order, but for a batch with duplicates: on 0 every record is
	 * committed (or fsynced), a duplicate, or a dead letter, and *result says how many of each. On <0 the store is
	 * away: some, all or none may be stored, or *result says that none is; the writer calls open() until that works and
	 * then store() again with the same records, or others. So it does after SINK_RESTED.
	 * Records are borrowed for the call and already checked.
	 */
	int (*store)(struct sink *sink, const struct record *const *records, uint32_t count, struct sink_result *result,
	    struct error *err);

	/* The batch of the last store() that returned 0 is settled in the writer's ledger. NULL: nothing to do. */
	void (*settled)(struct sink *sink);

	/*
	 * Upkeep between batches, called at least once a minute while the sink is open. <0 or SINK_RESTED as for store().
	 * NULL: none.
	 */
	int (*upkeep)(struct sink *sink, struct error *err);

	/*
	 * A descriptor that becomes readable when upkeep() has something to find out, such as a lost connection; -1: none
	 * now. NULL: never any.
	 */
	int (*watch)(const struct sink *sink);

	/* SIGHUP: give up file handles so that the next store() makes new ones. NULL: nothing to do. */
	void (*reopen)(struct sink *sink);

	/* Releases everything, the sink itself included. */
	void (*close)(struct sink *sink);
};

/* First member of every sink. */
struct sink {
	const struct sink_ops *ops;
};

struct process_slot;
struct segment_header;

/*
 * Borrow their arguments for the sink's life. Do not touch the store yet: open() does. End the process when out of
 * memory. slot is the writer's own, for the numbers that only the sink knows; header is the
 * segment's, and tells whether the service drains.
 */
struct sink *sink_postgres_new(
    const struct config *config, const struct segment_header *header, struct process_slot *slot);
struct sink *sink_null_new(void);

#endif
