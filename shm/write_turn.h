/*
 * The turn to write to a database that takes one writer at a time. Several processes of the service write to SQLite:
 * each takes the turn before its transaction, so that none waits in SQLite's busy handler, which polls and is never
 * fair.
 *
 * The turn is a record lock on a byte of its own of the segment's file: the kernel gives it up with its holder. A
 * process that waits says in its slot since when; of those that wait the first one takes the lock. So a process waits
 * for one transaction of each other process at most, unless one that should go first is stopped: it is let go first for
 * 10 ms in which the lock is free.
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
 * How long to wait. until_us(context) is asked before a wait and several times a second in it; the instant of the
 * steady clock that it returns is the end of the wait. So it can send heartbeats, and can end a wait early.
 */
struct turn_wait {
	int64_t (*until_us)(void *context);
	void *context;
};

/* One a process. Its threads queue here. */
struct write_turn {
	const struct segment *segment; /* borrowed */
	struct process_slot *slot; /* this process's; borrowed */
	int fd; /* an open file description of its own: locks of one that is inherited would be shared */
	pthread_mutex_t threads;
};

/*
 * For a child, after the fork. turn stays where it is. Finds the segment's file also when its name is gone. 0, or <0:
 * it cannot be opened, or its file system has no such locks.
 */
int write_turn_open(
    struct write_turn *turn, const struct segment *segment, struct process_slot *slot, struct error *err);

/* No thread has the turn or waits for it. */
void write_turn_close(struct write_turn *turn);

/*
 * Waits for the turn. 0: this thread has it until write_turn_give(). <0: it did not come in time. Any thread; not one
 * that has the turn.
 */
int write_turn_take(struct write_turn *turn, const struct turn_wait *wait, struct error *err);

/* The thread that has the turn. */
void write_turn_give(struct write_turn *turn);

#endif
