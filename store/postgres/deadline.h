/*
 * How long a writer waits for PostgreSQL: a statement may take STORE_TIMEOUT_MS, and none goes on beyond the instant from
 * which a draining service spools what it could not store (sink_env_store_until_us()), also if it had begun
 * before the drain did.
 *
 * A statement that is given up may still run in the server, hold its locks, and commit in the end. That it commits is
 * harmless, the key finds out what is stored again; for the locks the server gets a time-out of its own, a little
 * shorter, where its session or the statement can carry one.
 */
#ifndef STORE_POSTGRES_DEADLINE_H
#define STORE_POSTGRES_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/postgres/pg.h"
#include "store/sink_env.h"

struct patience {
	uint32_t statement_ms; /* STORE_TIMEOUT_MS */
	const struct sink_env *env; /* borrowed */
	bool beats; /* the wait is the writer's main loop's */
	int64_t began_us; /* steady clock: the present statement */
};

/* Calls on pg are from now on called off with the patience, and say meanwhile that the writer lives. */
void patience_watch(struct patience *patience, struct pg *pg);

/* A statement begins: returns its deadline. */
int64_t patience_begin(struct patience *patience);

/* Microseconds that the present statement has taken. */
int64_t patience_used_us(const struct patience *patience);

/* The server's own time-out for a statement. */
uint32_t patience_server_ms(const struct patience *patience);

/*
 * The present statement has failed with *err. Returns whether it, or the server, has run out of time; adds to *err which
 * option gave it how much.
 */
bool patience_ended(const struct patience *patience, struct error *err);

#endif
