/*
 * Wakes a process only if it sleeps: one eventfd write per sleep, none under load.
 *
 * The sleeper:  wake_arm(); check again for work; if there is none, poll the descriptor; wake_disarm(); wake_drain() if
 *               poll() reported the descriptor as readable.
 * The waker:    make the work visible; wake_up().
 *
 * Each side has a full fence between its store and its load, so at least one of them sees the other's store.
 */
#ifndef SHM_WAKE_H
#define SHM_WAKE_H

#include <stdint.h>

struct wake {
	uint32_t *sleeping; /* in the segment: odd while the sleeper wants to be woken, greater by 2 at each sleep */
	int fd; /* eventfd, nonblocking, made by the master before it forks; borrowed */
};

/* The sleeper: from now on a wake_up() makes the descriptor readable. Check for work after this call, then sleep. */
void wake_arm(const struct wake *wake);

/* The sleeper: it is awake and needs no wake-up. Makes no system call. */
void wake_disarm(const struct wake *wake);

/* The sleeper: makes the descriptor unreadable again. */
void wake_drain(const struct wake *wake);

/* Any other process: makes the descriptor readable if the sleeper has armed it since its last wake-up. */
void wake_up(const struct wake *wake);

#endif
