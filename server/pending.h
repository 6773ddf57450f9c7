/*
 * Requests that wait for their events to be stored. A lane's parcels are released, or refused, in order, so its waiting
 * requests form a queue. A publisher may also finish parcels out of order. One queue per lane, in the acceptor's
 * memory.
 */
#ifndef SERVER_PENDING_H
#define SERVER_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/lane.h"

struct exchange;

struct pending {
	struct exchange *exchange; /* borrowed: libh2o keeps it until it is answered; NULL: already answered */
	uint32_t position; /* result of lane_publish() */
	uint32_t bytes; /* on the lane */
	uint64_t client; /* for struct client_amounts */
};

/* All zero is an empty queue. */
struct pending_queue {
	struct pending *items; /* `capacity` of them, a power of two */
	uint32_t capacity, head, count;
	bool any_order; /* look for LANE_FINISHED, too */
	uint32_t looked_at; /* number of oldest requests that pending_take() has found unfinished */
};

/* Appends a request; positions must ascend. Ends the process when out of memory. */
void pending_push(struct pending_queue *queue, struct pending item);

/*
 * Whether a request can be answered: the oldest one's parcel is released, refused or dismissed, or with any_order some
 * parcel is finished.
 */
bool pending_due(const struct pending_queue *queue, const struct lane *lane);

/* The oldest request, or NULL. */
const struct exchange *pending_oldest(const struct pending_queue *queue);

/*
 * Removes the oldest request that can be answered; one that becomes finished between two calls may come later. Returns
 * false if there is none; the next call then looks at all again.
 */
bool pending_take(struct pending_queue *queue, const struct lane *lane, struct pending *item);

/* Removes the oldest request of a nonempty queue. */
struct pending pending_pop(struct pending_queue *queue);

#endif
