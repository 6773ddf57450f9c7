/*
 * Requests that wait for their events to be stored. Parcels of a lane are released in order, and refused from the first
 * one on, so the waiting requests of a lane are a queue. A publisher also finishes parcels out of order. One queue per
 * lane, in the acceptor's memory.
 */
#ifndef SERVER_PENDING_H
#define SERVER_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/lane.h"

struct exchange;

struct pending {
	struct exchange *exchange; /* borrowed: libh2o keeps it until it is answered; NULL: it has been */
	uint32_t position; /* what lane_publish() returned */
	uint32_t bytes; /* on the lane */
	uint64_t client; /* of struct holdings */
};

/* All zero is an empty queue. */
struct pending_queue {
	struct pending *items; /* capacity of them, a power of two */
	uint32_t capacity, head, count;
	bool any_order; /* LANE_FINISHED is looked for */
	uint32_t looked_at; /* of the oldest ones: those that were not finished when pending_take() was last called */
};

/* Appends; positions must come in ascending order. Ends the process when out of memory. */
void pending_push(struct pending_queue *queue, struct pending item);

/*
 * Whether a request can be answered: the parcel of the oldest one is released, refused or dismissed, or with any_order
 * a parcel is finished.
 */
bool pending_due(const struct pending_queue *queue, const struct lane *lane);

/* The oldest request; NULL: none waits. */
const struct exchange *pending_oldest(const struct pending_queue *queue);

/*
 * Takes out the oldest request that can be answered; one that becomes finished between two calls may come after others.
 * Returns false when there is none, and the next call looks at all again.
 */
bool pending_take(struct pending_queue *queue, const struct lane *lane, struct pending *item);

/* Takes the oldest request out of a queue that is not empty. */
struct pending pending_pop(struct pending_queue *queue);

#endif
