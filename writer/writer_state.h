/* The states of a writer, and the decision about its next state. Pure: no clock, no shared memory. */
#ifndef WRITER_WRITER_STATE_H
#define WRITER_WRITER_STATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * STARTING: before the first turn. STORING: the store is open and gets the events of ring and spool. WAITING: the store
 * is not open, and events wait on the ring. SPOOLING: events go to the spool. REFUSING: events stay on the ring, and
 * waiting clients are refused. DRAINED: the service drains, and the ring is empty.
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

/* The input of the decision. Times are of the steady clock, in microseconds. */
struct writer_view {
	int64_t now_us;
	bool draining; /* the writer ends when the ring is empty */
	bool pending; /* parcels are on the ring */
	bool store_open;
	bool store_reached; /* once; if never, the configuration may be wrong, and only a drain spools */
	bool spool_takes; /* there is a spool for new events, perhaps failing */
	bool spool_failing; /* its last append failed */
	int64_t spool_retry_at_us; /* no append before */
	int64_t connect_at_us; /* next attempt to open the store */
	int64_t unavailable_since_us; /* beginning of the outage */
	int64_t store_until_us; /* end of a drain's time for the store; INT64_MAX: no drain */
	int64_t spool_after_us, refuse_after_us; /* durations: SPOOL_AFTER_MS, STORE_TIMEOUT_MS */
};

/* "storing" */
const char *writer_state_name(enum writer_state state);

/* The writer's next state; never STARTING. */
enum writer_state writer_next_state(const struct writer_view *view);

/* When events on the ring go to the spool unless the store is open; INT64_MAX: never. */
int64_t writer_spool_time(const struct writer_view *view);

/* When waiting clients are refused unless the store is open or the spool takes their events; INT64_MAX: never. */
int64_t writer_refuse_time(const struct writer_view *view);

/* The time until which a writer without an open store may sleep, unless something new comes. */
int64_t writer_wait_until(const struct writer_view *view);

#endif
