/* What a writer does, and the decision what it does next. Pure: no clock, no shared memory. */
#ifndef WRITER_WRITER_STATE_H
#define WRITER_WRITER_STATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * STARTING: before its first turn. STORING: its store is open and gets what is on the ring and in the spool. WAITING:
 * the store is not open, and what is on the ring waits for it. SPOOLING: that goes to the spool. REFUSING: that stays
 * on the ring, and clients that wait for the answer are refused. DRAINED: it is to end, and nothing is on the ring.
 */
#define WRITER_STATE_LIST(X)                                                                                           \
	X(STARTING, "starting")                                                                                        \
	X(STORING, "storing")                                                                                          \
	X(WAITING, "waiting")                                                                                          \
	X(SPOOLING, "spooling")                                                                                        \
	X(REFUSING, "refusing")                                                                                        \
	X(DRAINED, "drained")

#define X(symbol, name) WRITER_##symbol,
enum writer_state { WRITER_STATE_LIST(X) WRITER_STATES };
#undef X

/* What the decision rests on. Times are of the steady clock, in microseconds. */
struct writer_view {
	int64_t now_us;
	bool draining; /* the writer is to end when nothing is on the ring */
	bool pending; /* parcels are on the ring */
	bool store_open;
	bool store_reached; /* once; else its outage may be a wrong configuration, and only a drain spools */
	bool spool_takes; /* there is a spool for new events, although it may be failing */
	bool spool_failing; /* it did not take the last events that it was given */
	int64_t spool_retry_at_us; /* it is not given any before */
	int64_t connect_at_us; /* the next attempt to open the store */
	int64_t unavailable_since_us; /* the store does not work */
	int64_t store_until_us; /* a drain leaves no more time to the store; INT64_MAX: no drain */
	int64_t spool_after_us, refuse_after_us; /* durations: SPOOL_AFTER_MS, STORE_TIMEOUT_MS */
};

/* "storing" */
const char *writer_state_name(enum writer_state state);

/* What the writer does now; never STARTING. */
enum writer_state writer_next_state(const struct writer_view *view);

/* When what is on the ring goes to the spool if the store is not open by then; INT64_MAX: never. */
int64_t writer_spool_time(const struct writer_view *view);

/* When clients have waited long enough for a store that is not open, if the spool cannot stand in; INT64_MAX: never. */
int64_t writer_refuse_time(const struct writer_view *view);

/* Until when a writer whose store is not open has nothing to do unless something new comes. */
int64_t writer_wait_until(const struct writer_view *view);

#endif
