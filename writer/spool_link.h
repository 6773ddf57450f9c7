/* The spool's interface to the writer's loop: keeps its state and retries. The functions log failures. */
#ifndef WRITER_SPOOL_LINK_H
#define WRITER_SPOOL_LINK_H

#include "base/repeat.h"
#include "store/sink.h"
#include "writer/spool.h"

/*
 * UNUSED: this writer has no spool. CLOSED: opening failed and is retried. REPLAY_ONLY: SPOOL_MAX_BYTES is 0, so events
 * of an earlier run are stored and none are added. TAKING: it accepts events. FAILING: the last append failed.
 */
#define SPOOL_STATE_LIST(X)                                                                                            \
	X(UNUSED, "unused")                                                                                            \
	X(CLOSED, "closed")                                                                                            \
	X(REPLAY_ONLY, "replay only")                                                                                  \
	X(TAKING, "taking")                                                                                            \
	X(FAILING, "failing")

#define X(symbol, name) SPOOL_##symbol,
enum spool_state { SPOOL_STATE_LIST(X) SPOOL_STATES };
#undef X

struct spool_link {
	struct spool_options options;
	struct spool spool; /* unless UNUSED or CLOSED */
	enum spool_state state;
	int64_t open_at_us, append_at_us, replay_at_us; /* steady clock; earliest retry after a failure */
	int64_t check_at_us; /* next check that the file has its name */
	bool lost; /* the file had lost its name and could not be made again */
	struct repeat unusable, refuses, replay_fails, removed;
};

/* Opens the spool; a failure leaves it CLOSED. used false: it stays UNUSED. Copies the options. */
void spool_link_init(struct spool_link *link, const struct spool_options *options, bool used);

/* "taking" */
const char *spool_state_name(enum spool_state state);

/*
 * Called at each turn of the loop: retries opening a CLOSED spool, and rewrites a removed file. store_works: ends
 * FAILING, because the spool is not needed now.
 */
void spool_link_upkeep(struct spool_link *link, bool store_works);

/*
 * Whether a successor of this process would find all spooled events in named files. Rewrites a removed file, with the
 * retry interval of spool_link_upkeep().
 */
bool spool_link_is_recoverable(struct spool_link *link);

/* Whether the spool is open; whether opening found files of any writer; whether it is TAKING or FAILING. */
bool spool_link_open(const struct spool_link *link);
bool spool_link_found_any(const struct spool_link *link);
bool spool_link_takes(const struct spool_link *link);

/*
 * Whether acceptors may accept new events. pending: events are on the ring. A FAILING spool is retried with those or,
 * if there are none, with new ones.
 */
bool spool_link_accepts(const struct spool_link *link, bool pending);

/*
 * Appends the batch, at least one record. Returns 0: after committing the ledger, the caller calls
 * spool_append_committed(). <0: the spool is FAILING, until an append succeeds or the store works.
 */
int spool_link_append(struct spool_link *link, const struct batch *batch);

/* Whether there is something to replay, and no retry pause. */
bool spool_link_replays(const struct spool_link *link);

/*
 * spool_link_next() calls spool_next(): 0, or <0: retry later. spool_link_replayed(): its records are stored and
 * committed.
 */
int spool_link_next(struct spool_link *link);
void spool_link_replayed(struct spool_link *link);

/* None of its records can be stored now: pause for a second, then the same records come again. */
void spool_link_pause_replay(struct spool_link *link);

/* Checks once more that the file has its name, and closes the spool. Its files stay. */
void spool_link_close(struct spool_link *link);

#endif
