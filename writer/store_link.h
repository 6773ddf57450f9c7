/*
 * The store's interface to the writer's loop: a sink, its state, and retries. The first failure reopens the sink at
 * once, unnoticed by clients. A second failure before anything was stored makes the store unavailable. The time of the
 * outage's beginning is in the writer's slot, so that it survives the process.
 */
#ifndef WRITER_STORE_LINK_H
#define WRITER_STORE_LINK_H

#include "base/backoff.h"
#include "shm/slots.h"
#include "store/sink.h"
#include "writer/connector.h"

/*
 * Symbol, name, whether the sink is open, whether clients see a working store. store_link.c has the table of
 * transitions.
 *
 * CONNECTING: not reached yet. CLOSED: reached earlier, but the last opening failed. IDLE_CLOSED: the store had closed
 * an idle connection; IDLE_NOTICED: and clients noticed. READY: it works. FAILED_ONCE, then RETRYING when open again:
 * one failure, unnoticed by clients. UNAVAILABLE, then PROVING when open again: clients have noticed.
 */
#define LINK_STATE_LIST(X)                                                                                             \
	X(CONNECTING, "connecting", false, false)                                                                      \
	X(CLOSED, "closed", false, false)                                                                              \
	X(IDLE_CLOSED, "idle closed", false, true)                                                                     \
	X(IDLE_NOTICED, "idle noticed", false, false)                                                                  \
	X(READY, "ready", true, true)                                                                                  \
	X(FAILED_ONCE, "failed once", false, true)                                                                     \
	X(RETRYING, "retrying", true, true)                                                                            \
	X(UNAVAILABLE, "unavailable", false, false)                                                                    \
	X(PROVING, "proving", true, false)

#define X(symbol, name, open, works) LINK_##symbol,
enum link_state { LINK_STATE_LIST(X) LINK_STATES };
#undef X

struct store_link {
	struct writer_slot *slot;
	struct sink *sink;
	struct connector connector;
	enum link_state state;
	bool reopen_pending; /* SIGHUP came while the connector used the sink */
	int64_t opened_us; /* last opening; all times by the steady clock */
	int64_t open_at_us; /* next attempt, unless one is running */
	int64_t upkeep_at_us;
	struct backoff backoff;
};

/* Takes over the unopened sink; store_link_close() closes it. Borrows the slot. Returns 0 or <0. */
int store_link_init(struct store_link *link, struct sink *sink, struct writer_slot *slot, struct error *err);

/* A predecessor has reached the store, or a spool proves it: the store is unavailable, not misconfigured. */
void store_link_set_reached(struct store_link *link);

/* "ready" */
const char *link_state_name(enum link_state state);

/* Whether the sink is open; whether clients see a working store; whether it was ever reached. */
bool store_link_open(const struct store_link *link);
bool store_link_works(const struct store_link *link);
bool store_link_reached(const struct store_link *link);

/* While the sink is not open: starts opening it when it is time, and takes the result. pending as below. */
void store_link_connect(struct store_link *link, bool pending);

/* When to call store_link_connect(), unless connector.fd becomes readable earlier. Steady clock. */
int64_t store_link_connect_at(const struct store_link *link);

/*
 * Stores the batch in the open store (sink.h). Returns 0 with *result: after committing the ledger, the caller calls
 * store_link_committed(). <0: the store failed or had closed the idle connection; this was logged, the sink is closed,
 * and result->in_doubt is set.
 */
int store_link_store(struct store_link *link, const struct batch *batch, struct sink_result *result);
void store_link_committed(struct store_link *link);

/* Clients notice the outage now, because events are spooled or refused. Not while the sink is open. */
void store_link_noticed(struct store_link *link);

/*
 * Runs the sink's upkeep if it is open and upkeep is due; store_link_upkeep_soon() makes it due. pending: events wait,
 * so a successful upkeep does not prove that the store works.
 */
void store_link_upkeep(struct store_link *link, bool pending);
void store_link_upkeep_soon(struct store_link *link);

/* A descriptor that becomes readable when upkeep is wanted, or -1. */
int store_link_watch(const struct store_link *link);

/* SIGHUP: the sink reopens its files, now or when the connector is done. */
void store_link_reopen_files(struct store_link *link);

/* Releases everything. Not while the connector runs; then the process must end with _exit(). */
void store_link_close(struct store_link *link);

#endif
