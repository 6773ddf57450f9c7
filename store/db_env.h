/*
 * What a connection to the webhooks' store needs of its process: the turn to write to an SQLite database
 * (shm/write_turn.h), heartbeats, and the end of a drain.
 */
#ifndef STORE_DB_ENV_H
#define STORE_DB_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Members may be NULL. {0}: no other process of the service writes. */
struct db_env {
	void *context; /* first argument of both functions below */

	/*
	 * Waits for the turn until until_us(until_context) (steady), which is asked several times a second. 0, or <0:
	 * the turn did not come.
	 */
	int (*take_write_turn)(
	    void *context, int64_t (*until_us)(void *until_context), void *until_context, struct error *err);
	void (*give_write_turn)(void *context);

	/*
	 * Called several times a second while a connection waits, but not while it connects. heartbeat(): reports that
	 * the process lives although the call takes long. until_us(): the deadline (steady) of every call, INT64_MAX:
	 * none; it may become earlier while a call waits, as in a drain.
	 */
	void *heartbeat_context; /* first argument of both */
	void (*heartbeat)(void *heartbeat_context);
	int64_t (*until_us)(void *heartbeat_context);

	/*
	 * Called for a new connection with the pid of its server process; 0: a pooler may choose another process for
	 * each transaction. Any thread.
	 */
	void *session_context; /* first argument */
	void (*session)(void *session_context, int32_t pid);

	/* Whether any connection of the process has opened the database's file. Set by db_open(). */
	bool *database_seen;
};

#endif
