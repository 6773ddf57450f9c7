/*
 * Places of jobs in the order of endpoints with fifo: jobs.fifo_seq. An endpoint counts all its jobs together, also
 * when each ordering_key is an order by itself: then of two jobs of one key the lower place is the earlier one. A
 * transaction that sees a job also sees all jobs of lower places, but those of FIFO_FRONT. For one thread.
 */
#ifndef STORE_WEBHOOKS_FIFO_PLACES_H
#define STORE_WEBHOOKS_FIFO_PLACES_H

#include "store/webhooks/fifo_heads.h"

/* The place of jobs that go before all that were published, in the order of their ids: places that are taken count
 * from 1. */
#define FIFO_FRONT 0

/* A job that wants a place; it is written to these. Everything is borrowed. */
struct fifo_wish {
	struct span tenant_id;
	const uint8_t *endpoint_id; /* 16 bytes */
	int64_t *seq;
	int64_t *node_id; /* who sends: the job's row gets that */
	uint32_t number; /* fifo_places_take() */
};

/*
 * Gives the jobs the next places, in the order in which they stand, or all of them FIFO_FRONT. Sorts them. Nothing is
 * asked when there are none. node_id: this node. In a transaction. Returns what fifo_heads_claim() does.
 */
int fifo_places_take(struct db *db, int64_t node_id, struct fifo_wish *wishes, uint32_t count, struct error *err);
int fifo_places_front(struct db *db, int64_t node_id, struct fifo_wish *wishes, uint32_t count, struct error *err);

/*
 * Locks what fifo_places_take() of the same wishes is going to lock, and takes no place: nothing has been done for the
 * jobs yet. As fifo_places_take(); waits as fifo_heads_try() does.
 */
int fifo_places_try(struct db *db, int64_t node_id, struct fifo_wish *wishes, uint32_t count, struct error *err);

#endif
