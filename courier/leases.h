/*
 * Asks the store for leases of endpoints, and gives them back (courier/lease.h). The loop's thread alone calls these
 * functions; the instant is ready->now_us.
 */
#ifndef COURIER_LEASES_H
#define COURIER_LEASES_H

#include "courier/queues.h"
#include "courier/ready.h"

/* Does what is due. */
void leases_work(struct ready *ready, struct queues *queues);

/* NEWS_LEASE: the store has given it, or not. */
void leases_answered(struct ready *ready, struct queues *queues, const struct news *news);

/* NEWS_NODE_LOST: those that were given are void. */
void leases_lose(struct ready *ready, struct queues *queues);

#endif
