/*
 * The places of jobs in the order of endpoints with fifo: jobs.fifo_seq. An endpoint numbers all its jobs together,
 * even if each ordering_key is an order of its own. A transaction that sees a job also sees all jobs with lower places,
 * except FIFO_FRONT. For one thread.
 */
#ifndef STORE_WEBHOOKS_FIFO_PLACES_H
#define STORE_WEBHOOKS_FIFO_PLACES_H

#include "store/webhooks/fifo_heads.h"

/* The place of jobs that go before all published ones, in the order of their ids. Other places count from 1. */
#define FIFO_FRONT 0

/* A job that needs a place. Everything is borrowed. */
struct fifo_place_request {
	struct span tenant_id;
	const uint8_t *endpoint_id; /* 16 bytes */
	int64_t *seq;
	int64_t *node_id; /* result: the sender, for the job's row */
	uint32_t number; /* fifo_places_take() */
};

/*
 * Give the jobs the next places in the given order, or FIFO_FRONT. Sorts the requests. count may be 0. node_id: this
 * node. In a transaction. Return as fifo_heads_claim().
 */
int fifo_places_take(
    struct db *db, int64_t node_id, struct fifo_place_request *requests, uint32_t count, struct error *err);
int fifo_places_front(
    struct db *db, int64_t node_id, struct fifo_place_request *requests, uint32_t count, struct error *err);

/*
 * Takes the locks that fifo_places_take() will need, but no place: call it before anything is done for the jobs. As
 * fifo_places_take(); waits as fifo_heads_try() does.
 */
int fifo_places_try(
    struct db *db, int64_t node_id, struct fifo_place_request *requests, uint32_t count, struct error *err);

#endif
