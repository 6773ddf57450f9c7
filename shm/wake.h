/*
 * Waking a process that said it sleeps, and only then: an eventfd write per sleep, none under load.
 *
 * The sleeper:  wake_arm(); look once more whether there is work; if none, poll the descriptor; wake_disarm();
 *               wake_drain() when the poll said that the descriptor is readable.
 * The waker:    make the work visible; wake_up().
 * Both sides put a full fence between their store and their load, so at least one of them sees the other's.
 */
#ifndef SHM_WAKE_H
#define SHM_WAKE_H

#include <stdint.h>

struct wake {
	uint32_t *sleeping; /* in shared memory: counts sleeps, odd while the sleeper wants to be woken */
	int fd; /* eventfd, nonblocking, made by the master before it forks */
};

/* Sleeper: from here on a wake_up() will make the descriptor readable. Look for work after this call, then sleep. */
void wake_arm(const struct wake *wake);

/* Sleeper: awake, no more wake-ups wanted. No system call. */
void wake_disarm(const struct wake *wake);

/* Sleeper: makes the descriptor unreadable again. */
void wake_drain(const struct wake *wake);

/* Waker: any process. */
void wake_up(const struct wake *wake);

#endif
