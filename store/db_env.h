/*
 * What a connection to the webhooks' store needs of its process: the turn to write to an SQLite database
 * (shm/write_turn.h), heartbeats, and the end of a drain.
 */
#ifndef STORE_DB_ENV_H
#define STORE_DB_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Members may be NULL. {0}: a process that writes beside no other. */
struct db_env {
	void *context; /* first argument of both that follow */

	/*
	 * Waits for the turn until the instant of the steady clock that until_us(until_context) returns, which is asked
	 * again several times a second. 0, or <0: it did not come.
	 */
	int (*take_write_turn)(
	    void *context, int64_t (*until_us)(void *until_context), void *until_context, struct error *err);
	void (*give_write_turn)(void *context);

	/*
	 * Called several times a second while a connection waits, but not while it connects. heartbeat(): the process
	 * lives, although the call takes long. until_us(): the instant of the steady clock by which every call ends,
	 * INT64_MAX for none; it may come nearer while a call waits, as in a drain.
	 */
	void *heartbeat_context; /* first argument of both */
	void (*heartbeat)(void *heartbeat_context);
	int64_t (*until_us)(void *heartbeat_context);

	/*
	 * A connection was made: the server's process for it has that number; 0: a pooler may choose another one for
	 * each transaction. Any thread.
	 */
	void *session_context; /* first argument */
	void (*session)(void *session_context, int32_t pid);

	/* Of all connections of the process: whether one has opened the database's file. Set by db_open(). */
	bool *database_seen;
};

#endif
