/*
 * The store as the writer's loop sees it: a sink, whether it is open and when to try again. Since when it is unavailable stands in
 * the writer's slot, so that a successor goes on counting. Once, a connection that broke is simply made again, and clients
 * notice nothing; a store that fails again without having stored anything in between is unavailable.
 */
#ifndef WRITER_OUTAGE_H
#define WRITER_OUTAGE_H

#include "base/backoff.h"
#include "shm/segment.h"
#include "writer/connector.h"
#include "writer/store_env.h"
#include "store/sink.h"

struct store {
	struct writer_slot *slot;
	struct store_env env;
	struct sink *sink;
	struct connector connector;
	bool open;
	bool ready; /* as far as clients need to know */
	bool reached; /* it is known to have worked once: it is unavailable, not misconfigured */
	bool failing; /* it has failed since it last did something */
	bool rested; /* it is being opened again because it had closed an idle connection */
	bool reopen; /* a SIGHUP is not passed on yet */
	int64_t opened_us; /* steady; the last time */
	int64_t open_at_us; /* the next try, unless one is under way */
	int64_t upkeep_at_us;
	struct backoff backoff;
};

/* Makes the sink that the configuration asks for; it is not open yet. Borrows all; *store stays where it is. 0 or <0. */
int store_init(struct store *store, const struct config *config, const struct segment *segment,
    struct writer_slot *slot, struct error *err);

/* Begins to open the store when it is time, and ends that when it is done. pending: something waits to be stored. */
void store_try_open(struct store *store, bool pending);

/*
 * Stores the records of *batch, at least one, in the open store, as sink.h says. 0: *result is set, and store_settled() is due
 * once the caller has committed it. <0: it failed or had rested, has been logged, and is not open any more;
 * result->in_doubt is set.
 */
int store_put(struct store *store, const struct batch *batch, struct sink_result *result);
void store_settled(struct store *store);

/* The sink's upkeep, if it is open and due; store_upkeep_soon(): at the next turn. pending as above. */
void store_upkeep(struct store *store, bool pending);
void store_upkeep_soon(struct store *store);

/* A descriptor to wait for before store_upkeep_soon(), or -1. */
int store_watch(const struct store *store);

/* SIGHUP: the sink gives up its file handles. */
void store_reopen(struct store *store);

/* Releases everything; when it is being opened, it must not be called: end the process with _exit(). */
void store_close(struct store *store);

#endif
