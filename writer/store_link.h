/*
 * The store as the writer's loop sees it: a sink, whether it is open, and when to try again. After a first failure the
 * sink is opened again at once, unnoticed by clients. A second failure before anything was stored makes the store
 * unavailable. Since when it is, stands in the writer's slot, so that a successor goes on counting.
 */
#ifndef WRITER_STORE_LINK_H
#define WRITER_STORE_LINK_H

#include "base/backoff.h"
#include "shm/slots.h"
#include "store/sink.h"
#include "writer/connector.h"

/*
 * Symbol, name, whether the sink is open, whether clients are told that the store works. store_link.c has the table of
 * what leads from one to the other.
 *
 * CONNECTING: not reached yet. CLOSED: was reached, could not be opened the last time. RESTED: it had ended an idle
 * connection; REST_NOTICED: clients have noticed before it was open again. READY: it works. FAILED_ONCE, and RETRYING
 * once that is open again: one failure since it worked, which clients do not notice. UNAVAILABLE, and PROVING once that
 * is open again: clients have noticed.
 */
#define LINK_STATE_LIST(X)                                                                                             \
	X(CONNECTING, "connecting", false, false)                                                                      \
	X(CLOSED, "closed", false, false)                                                                              \
	X(RESTED, "rested", false, true)                                                                               \
	X(REST_NOTICED, "rest noticed", false, false)                                                                  \
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
	bool reopen_pending; /* SIGHUP came while the connector had the sink */
	int64_t opened_us; /* steady clock, as all of these: the last time */
	int64_t open_at_us; /* the next try, unless one is under way */
	int64_t upkeep_at_us;
	struct backoff backoff;
};

/* Takes the sink, which is not open yet; store_link_close() closes it. Borrows the slot. Returns 0 or <0. */
int store_link_init(struct store_link *link, struct sink *sink, struct writer_slot *slot, struct error *err);

/* A predecessor has reached the store, or a spool shows that one did: it is unavailable, not misconfigured. */
void store_link_set_reached(struct store_link *link);

/* "ready" */
const char *link_state_name(enum link_state state);

/* Whether it can be given batches; whether clients are told that it works; whether it was ever reached. */
bool store_link_open(const struct store_link *link);
bool store_link_works(const struct store_link *link);
bool store_link_reached(const struct store_link *link);

/* While it is not open: begins to open the sink when it is time, and ends that when it is done. pending as below. */
void store_link_connect(struct store_link *link, bool pending);

/* When store_link_connect() has something to do, unless connector.fd says so earlier. Steady clock. */
int64_t store_link_connect_at(const struct store_link *link);

/*
 * Stores the batch in the open store, as sink.h says. 0: *result is set, and store_link_committed() is due once the
 * caller has committed it. <0: it failed or had rested, has been logged, and is not open any more; result->in_doubt is
 * set.
 */
int store_link_store(struct store_link *link, const struct batch *batch, struct sink_result *result);
void store_link_committed(struct store_link *link);

/* Clients notice, as events are spooled or refused: a failure is not kept from them any more. Not while it is open. */
void store_link_noticed(struct store_link *link);

/*
 * The sink's upkeep, if it is open and upkeep is due; store_link_upkeep_soon() makes it due. pending: something waits
 * to be stored, so upkeep alone does not prove that the store works.
 */
void store_link_upkeep(struct store_link *link, bool pending);
void store_link_upkeep_soon(struct store_link *link);

/* A descriptor that becomes readable when store_link_upkeep_soon() is due, or -1. */
int store_link_watch(const struct store_link *link);

/* SIGHUP: the sink gives up its file handles, at once or when the connector is done with it. */
void store_link_reopen_files(struct store_link *link);

/* Releases everything. Not while the connector runs: the process ends with _exit() then. */
void store_link_close(struct store_link *link);

#endif
