/* A thread of control that no request waits for, with a connection to the webhooks' store of its own. */
#ifndef CONTROL_UPKEEP_THREAD_H
#define CONTROL_UPKEEP_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "store/db.h"

struct upkeep_thread;

/* What the thread does in turns. Everything is borrowed until upkeep_thread_stop(). */
struct upkeep_duty {
	const char *name; /* in the log */
	int64_t period_us; /* between two turns; 0: half a second */
	/* Whether anything is to be done, asked before each turn: else there is no connection. NULL: always. */
	bool (*is_needed)(void *context);
	const struct config *config;
	const struct db_env *env;
	/* Returns as db_query(). After <0 the next turn is on a new connection. */
	int (*turn)(void *context, struct db *db, struct error *err);
	void *context;
};

/*
 * Starts the thread, which opens its connection again and again until that works. Turns that fail are told in the log,
 * every ten seconds at most, and so is their end. duty is copied. NULL with *err when no thread can be started.
 */
struct upkeep_thread *upkeep_thread_start(const struct upkeep_duty *duty, struct error *err);

/* The next turn begins at once, or right after this one. Any thread. */
void upkeep_thread_ring(struct upkeep_thread *thread);

/*
 * Ends the thread; waits until that instant of the steady clock at most. Returns false when it is still in a statement:
 * what it uses must not be released then.
 */
bool upkeep_thread_stop(struct upkeep_thread *thread, int64_t until_us);

#endif
