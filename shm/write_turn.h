/*
 * The turn to write to a database that allows one writer at a time. Several processes of the service write to SQLite.
 * Each takes the turn before its transaction, so that none waits in SQLite's busy handler, which polls and is unfair.
 *
 * The turn is a record lock on one byte of the segment's file; the kernel releases it when its holder dies. A waiting
 * process records in its slot when it began to wait; the longest waiting one takes the lock. So a process waits for at
 * most one transaction of each other process. A stopped process cannot block the line: the others pass it after the
 * lock was free for 10 ms.
 *
 *   take:  say in the slot since when this process waits
 *          while an older one waits, or the lock is taken: nap; then lock; unsay it
 *   give:  unlock
 */
#ifndef SHM_WRITE_TURN_H
#define SHM_WRITE_TURN_H

#include <pthread.h>
#include <stdint.h>

#include "base/error.h"
#include "shm/segment.h"

/*
 * The limit of a wait. until_us(context) is called before a wait and several times a second during it; it returns the
 * end of the wait, by the steady clock. It can also send heartbeats, and end a wait early.
 */
struct turn_wait {
	int64_t (*until_us)(void *context);
	void *context;
};

/* One per process. Its threads queue here. */
struct write_turn {
	const struct segment *segment; /* borrowed */
	struct process_slot *slot; /* this process's; borrowed */
	int fd; /* its own open file description: an inherited one would share its locks */
	pthread_mutex_t threads;
};

/*
 * Called by a child after the fork. turn must not move. Works also if the segment's file has lost its name. Returns 0,
 * or <0: the file cannot be opened, or its file system has no such locks.
 */
int write_turn_open(
    struct write_turn *turn, const struct segment *segment, struct process_slot *slot, struct error *err);

/* No thread may hold the turn or wait for it. */
void write_turn_close(struct write_turn *turn);

/*
 * Waits for the turn. Returns 0 when this thread has it, until write_turn_give(), or <0: not in time. Any thread that
 * does not have it.
 */
int write_turn_take(struct write_turn *turn, const struct turn_wait *wait, struct error *err);

/* Called by the thread that has the turn. */
void write_turn_give(struct write_turn *turn);

#endif
