/*
 * How an acceptor stops, told by TERM. Either the service stops: what has begun is answered, and every connection is
 * closed once its client knows or has had time to. Or only this process is replaced: its connections go to its
 * successor, open as they are, and no client notices (server/handover.h). Connections of TLS cannot, since what both
 * sides have agreed upon is in this process: they are closed as when the service stops, and clients connect anew.
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
 * listeners are still open, since the kernel has promised an answer to the connections in their queues. New ones are
 * taken for a moment, and get one answer each.
 * LISTENERS_CLOSED: connections end.
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
	int64_t since_us; /* steady: when handing over, or closing, began; in the latter the service's stop, if later */
	bool stops; /* closing is for the service's stop */
	bool listeners_passed; /* the listeners are a service manager's */
	int to_successor, from_predecessor; /* ends of the channel: server/handover.h */
	struct handover_batch batch; /* not sent yet */
};

/* Begins in SERVING. channel: this acceptor's of those for handing over. */
void drain_init(struct drain *drain, struct acceptor *acceptor, const int channel[2], bool listeners_passed);

/* Goes on with the connections of a predecessor, if it has handed over any. */
void drain_take_over(struct drain *drain);

/* TERM has come. May be called again. */
void drain_begin(struct drain *drain);

/*
 * In each turn of the loop unless SERVING. Returns in how many milliseconds, at most most_ms, it is to be called again,
 * or <0 when there is nothing left to serve.
 */
int32_t drain_step(struct drain *drain, int32_t most_ms);

#endif
