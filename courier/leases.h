/*
 * Asks the store for leases of endpoints, and gives them back (courier/lease.h). The loop's thread alone calls these
 * functions; the instant is ready->now_us.
 */
#ifndef COURIER_LEASES_H
#define COURIER_LEASES_H

#include "courier/queues.h"
#include "courier/ready.h"

/*
 * Does what is due. The steady clock, by which leases are used here, stands still while the machine sleeps; they run on
 * in the store, and another node may have them behind it. So when CLOCK_BOOTTIME has gone ahead, those that were given
 * are void.
 */
void leases_work(struct ready *ready, struct queues *queues);

/* NEWS_LEASE: the store has given it, or not. */
void leases_answered(struct ready *ready, struct queues *queues, const struct news *news);

/* NEWS_NODE_LOST: those that were given are void. Those that are wanted are asked for anew. */
void leases_lose(struct ready *ready, struct queues *queues);

#endif
