/*
 * Where records are stored: PostgreSQL, an SQLite database, a JSONL file, or nowhere. store/store.h makes the sink that
 * the configuration names.
 *
 * A sink belongs to one process, which makes one call at a time. Calls may block, but only up to a bound of their own,
 * and with sink_env_heartbeat() where they may last longer than a few seconds.
 */
#ifndef STORE_SINK_H
#define STORE_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "event/publish_outcome.h"
#include "event/record.h"

/*
 * Records that are stored together. Borrowed: pointers to checked records, in the order of their arrival. outcomes: a
 * sink of published events writes the outcome of each record there; NULL: not wanted. A record that has an outcome
 * already is skipped. requests: for each record the number of its request, below count, ascending; NULL: no client
 * waits for an answer.
 */
struct batch {
	const struct record *const *records;
	uint32_t count;
	struct publish_outcome *const *outcomes;
	const uint32_t *requests;
};

struct sink_result {
	uint32_t stored; /* new in the store */
	uint32_t duplicates; /* already there: same event_id, same day; or with that idempotency key */
	uint32_t dead_lettered; /* refused by the store for good, kept in the dead letters */
	uint32_t discarded; /* published events not stored: of a deleted tenant, or in conflict with another */
	bool in_doubt; /* after a failure: some records may be stored. Otherwise none is, and none will be */
};

/* The store has ended a connection that was idle for too long: nothing is wrong, open() makes another. */
enum sink_condition { SINK_IDLE_CLOSED = 1 };

struct sink;

struct sink_ops {
	const char *name;

	/* open() may take seconds: a writer calls it in another thread, and makes no other call before that returns. */
	bool opens_in_thread;

	/* The store has a key: storing a record again does not double it. */
	bool keyed;

	/* The store keeps nothing: a record that is meant for another store must not be given to it. */
	bool discards;

	/* The sink records its appends in env->journal, and open() cuts off the unfinished ones. */
	bool journaled;

	/*
	 * Makes the store ready: connect, migrate, open, repair; also after a failure. 0: ready. <0: not now, the
	 * caller tries again after a backoff; *err says what is wrong for an operator.
	 */
	int (*open)(struct sink *sink, struct error *err);

	/*
	 * Stores the records of *batch, at least one, durably and in order; one that is a duplicate may be out of
	 * order. 0: every record is committed (or fsynced), a duplicate, a dead letter or discarded, and *result
	 * counts each kind. <0: the store is unavailable. Some, all or none of the records may be stored;
	 * result->in_doubt says whether any may be. The caller calls open() until that works and then store() with
	 * the same records, or with others. SINK_IDLE_CLOSED: as <0.
	 *
	 * With outcomes it may return 0 before it has tried all records, so that new arrivals need not wait for all of
	 * them. It then has stored at least one record, or none if another session blocks all that are left even after
	 * a short wait. The outcomes of the other records stay 0, and `waits` of each says whether such a session
	 * blocked it at the last try. result counts the records of this call.
	 */
	int (*store)(struct sink *sink, const struct batch *batch, struct sink_result *result, struct error *err);

	/* The caller has recorded that the last batch, for which store() returned 0, is stored. NULL: nothing to do. */
	void (*settled)(struct sink *sink);

	/*
	 * Does upkeep between batches; called at least once a minute while the sink is open. <0 or SINK_IDLE_CLOSED as
	 * for store(). NULL: none.
	 */
	int (*upkeep)(struct sink *sink, struct error *err);

	/*
	 * A descriptor that becomes readable when upkeep() should run, for instance after a lost connection; -1: none
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

#endif
