/*
 * The turn to write to a database that takes one writer at a time. Two processes of the service write to SQLite: each
 * takes the turn before its transaction, so that neither waits in SQLite's busy handler, which polls and is never fair.
 *
 * The turn is a record lock on a byte of its own of the segment's file: the kernel gives it up with its holder. A
 * process that waits says so in its slot; the other one, when it comes back, lets it go first. So a process without
 * pause and one with small transactions take turns, and the second waits for one transaction of the first.
 *
 *   take:  while another process waits: wait (not for long: it may be stopped)
 *          say in the slot that this one waits; try to lock, nap, try to lock, ...; unsay it
 *   give:  unlock
 */
#ifndef SHM_WRITE_TURN_H
#define SHM_WRITE_TURN_H

#include <pthread.h>
#include <stdint.h>

#include "base/error.h"
#include "shm/segment.h"

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
 * Waits for the turn until that instant of the steady clock. 0: this thread has it until write_turn_give(). <0: it did
 * not come. Any thread; not one that has the turn.
 */
int write_turn_take(struct write_turn *turn, int64_t until_us, struct error *err);

/* The thread that has the turn. */
void write_turn_give(struct write_turn *turn);

#endif
