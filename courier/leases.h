/*
 * Asks the store for leases of endpoints, and gives them back (courier/lease.h). The loop's thread alone calls these
 * functions; the instant is ready->now_us.
 */
#ifndef COURIER_LEASES_H
#define COURIER_LEASES_H

#include "courier/queues.h"
#include "courier/ready.h"

/*
 * Takes and gives back the leases that are due. The steady clock stands still while the machine sleeps, but leases run
 * on in the store, so another node may have them afterwards. If CLOCK_BOOTTIME has advanced more than the steady clock,
 * all held leases are void.
 */
void leases_update(struct ready *ready, struct queues *queues);

/* MESSAGE_LEASE: the store has given the lease, or not. */
void leases_take_answer(struct ready *ready, struct queues *queues, const struct message *message);

/* MESSAGE_NODE_LOST: all held leases are void. Those still wanted are asked for again. */
void leases_void(struct ready *ready, struct queues *queues);

#endif
