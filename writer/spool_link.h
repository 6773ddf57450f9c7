/*
 * The spool as the writer's loop sees it: whether it can be used, whether it takes events, and when to try again. The
 * functions log what fails.
 */
#ifndef WRITER_SPOOL_LINK_H
#define WRITER_SPOOL_LINK_H

#include "base/repeat.h"
#include "store/sink.h"
#include "writer/spool.h"

/*
 * UNUSED: this writer has none. CLOSED: it could not be opened, which is tried again. REPLAY_ONLY: SPOOL_MAX_BYTES is
 * 0, so what an earlier run has left is stored and nothing is added. TAKING: it takes events. FAILING: it did not
 * take the last ones that it was given.
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
	int64_t open_at_us, append_at_us, replay_at_us; /* steady clock; not before, after a failure */
	int64_t check_at_us; /* the next look whether the file has its name */
	bool lost; /* it had not, and could not be made again */
	struct repeat unusable, refuses, replay_fails, removed;
};

/* Copies the options. used: false leaves the link UNUSED for ever. Opens the spool unless that fails. */
void spool_link_init(struct spool_link *link, const struct spool_options *options, bool used);

/* "taking" */
const char *spool_state_name(enum spool_state state);

/*
 * At each turn of the loop: opens a CLOSED spool when it is time, and writes a file again that somebody has removed.
 * store_works: what failed does not matter any more.
 */
void spool_link_upkeep(struct spool_link *link, bool store_works);

/*
 * Whether a successor of this process would find in files all that the spool has taken. Writes a file again that
 * somebody has removed, but not sooner after a failure than spool_link_upkeep() does.
 */
bool spool_link_can_be_left(struct spool_link *link);

/* Whether it is open; whether any writer's files were found then; whether it is for new events, TAKING or FAILING. */
bool spool_link_open(const struct spool_link *link);
bool spool_link_found_any(const struct spool_link *link);
bool spool_link_takes(const struct spool_link *link);

/*
 * Whether acceptors may let new events in. pending: events are on the ring. A FAILING spool is tried again with them,
 * or, when there are none, with new ones.
 */
bool spool_link_accepts(const struct spool_link *link, bool pending);

/*
 * Appends the batch, at least one record. 0: spool_append_committed() is due once the caller has committed it. <0: the
 * spool is FAILING, until another append or until the store works.
 */
int spool_link_append(struct spool_link *link, const struct batch *batch);

/* Whether there is something to replay and it is time to. */
bool spool_link_replays(const struct spool_link *link);

/* spool_next(): 0, or <0: it is tried again later. spool_link_replayed(): what it gave is stored and committed. */
int spool_link_next(struct spool_link *link);
void spool_link_replayed(struct spool_link *link);

/* Nothing of what it gave can be stored now: it gives the same again in a second. */
void spool_link_rest(struct spool_link *link);

/* A last look whether the file has its name; closes the spool, and keeps its files. */
void spool_link_close(struct spool_link *link);

#endif
