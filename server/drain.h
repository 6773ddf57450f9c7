/*
 * How an acceptor stops after TERM. If the service stops, it answers all requests that have begun, and closes each
 * connection after telling its client or giving it time. If only this process is replaced, its open connections go to
 * its successor unnoticed (server/handover.h). TLS connections cannot, because their session state is in this process:
 * they are closed as when the service stops, and clients reconnect.
 *
 *   serving --TERM--> handing over --the service stops, or handing over fails--> closing --> listeners closed
 *      └────────────── TERM, the service stops or speaks TLS ──────────────────────▲
 */
#ifndef SERVER_DRAIN_H
#define SERVER_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "server/acceptor.h"
#include "server/handover.h"

/*
 * HANDING_OVER: connections go to the successor, none is accepted. CLOSING: connections end; the service's own
 * listeners stay open, because the kernel has already established the connections in their queues. These are accepted
 * for a moment and get one answer each. LISTENERS_CLOSED: connections end.
 */
#define DRAIN_STATE_LIST(X)                                                                                            \
	X(SERVING, "serving")                                                                                          \
	X(HANDING_OVER, "handing over")                                                                                \
	X(CLOSING, "closing")                                                                                          \
	X(LISTENERS_CLOSED, "listeners closed")

#define X(symbol, name) DRAIN_##symbol,
enum drain_state { DRAIN_STATE_LIST(X) DRAIN_STATES };
#undef X

struct drain {
	struct acceptor *acceptor;
	enum drain_state state;
	int64_t since_us; /* steady: start of handing over or of closing; in CLOSING the service's stop, if later */
	bool stops; /* the service stops */
	bool listeners_passed; /* the listeners belong to a service manager */
	int to_successor, from_predecessor; /* ends of the handover channel */
	struct handover_batch batch; /* not sent yet */
};

/* Begins in SERVING. channel: this acceptor's handover channel. */
void drain_init(struct drain *drain, struct acceptor *acceptor, const int channel[2], bool listeners_passed);

/* Serves the connections that a predecessor has handed over, if any. */
void drain_take_over(struct drain *drain);

/* Begins the drain, after TERM. May be called again. */
void drain_begin(struct drain *drain);

/*
 * Called in each turn of the loop unless SERVING. Returns the milliseconds until its next call, at most most_ms, or <0
 * when nothing is left to serve.
 */
int32_t drain_step(struct drain *drain, int32_t most_ms);

#endif
