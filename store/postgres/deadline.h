/*
 * How long a statement may take: STORE_TIMEOUT_MS, and never beyond sink_env_store_until_us(), when a draining service
 * switches from storing to spooling. This also holds for a statement that began before the drain.
 *
 * A statement that was given up may still run in the server, hold its locks, and commit in the end. A late commit is
 * harmless, because the key shows that the rows exist already. Because of the locks the server gets its own, slightly
 * shorter time-out, if the session or the statement can carry one.
 */
#ifndef STORE_POSTGRES_DEADLINE_H
#define STORE_POSTGRES_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/postgres/pg.h"
#include "store/sink_env.h"

struct deadline {
	uint32_t statement_ms; /* STORE_TIMEOUT_MS */
	const struct sink_env *env; /* borrowed */
	bool beats; /* the waiting thread must send the heartbeats */
	int64_t began_us; /* steady clock: the current statement */
};

/* Limits later calls on pg to sink_env_store_until_us(), and makes them send heartbeats while they wait. */
void deadline_watch(struct deadline *deadline, struct pg *pg);

/* Begins a statement, and returns its deadline. */
int64_t deadline_begin(struct deadline *deadline);

/* Microseconds that the current statement has taken. */
int64_t deadline_used_us(const struct deadline *deadline);

/* The server's own time-out for a statement. */
uint32_t deadline_server_ms(const struct deadline *deadline);

/*
 * Call it when the current statement has failed with *err. Returns whether STORE_TIMEOUT_MS ended it, here or in the
 * server. Adds the effect of the time-out or the drain to *err.
 */
bool deadline_expired(const struct deadline *deadline, struct error *err);

#endif
