/* A background thread of control, with its own connection to the webhooks' store or that of hook events. */
#ifndef CONTROL_UPKEEP_THREAD_H
#define CONTROL_UPKEEP_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "store/db.h"

struct upkeep_thread;

/* The thread's duty, done in turns. Everything is borrowed until upkeep_thread_stop(). */
struct upkeep_duty {
	const char *name; /* in the log */
	bool of_events; /* the store of hook events, which it only reads */
	int64_t period_us; /* between two turns; 0: half a second */
	/* Whether there is anything to do, asked before each turn; if not, there is no connection. NULL: always. */
	bool (*is_needed)(void *context);
	const struct config *config;
	const struct db_env *env;
	/* Returns as db_query(). After <0 the next turn is on a new connection. */
	int (*turn)(void *context, struct db *db, struct error *err);
	void *context;
};

/*
 * Starts the thread, which tries to open its connection until that works. Logs failing turns, every ten seconds at
 * most, and the end of failures. duty is copied. NULL with *err: the thread could not be started.
 */
struct upkeep_thread *upkeep_thread_start(const struct upkeep_duty *duty, struct error *err);

/* Starts the next turn at once, or right after the present one. Any thread. */
void upkeep_thread_ring(struct upkeep_thread *thread);

/*
 * Ends the thread; waits until until_us (steady) at most. false: it is still within a statement, and its resources must
 * not be released.
 */
bool upkeep_thread_stop(struct upkeep_thread *thread, int64_t until_us);

#endif
