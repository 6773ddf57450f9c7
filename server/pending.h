/*
 * Requests that wait for their events to be stored. Lanes are in order, and what is refused is refused from the first
 * one on: so a lane's waiting requests are a queue. One queue per lane, in the acceptor's memory.
 */
#ifndef SERVER_PENDING_H
#define SERVER_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/lane.h"

struct pending {
	void *request; /* borrowed: the HTTP layer keeps it until it is answered */
	int64_t begun_us; /* steady clock: when it had been read */
	uint32_t position; /* what lane_publish() returned */
	uint32_t events;
	const char *rejected; /* what reply_accepted() takes; lives as long as the request */
};

/* All zero is an empty queue. */
struct pending_queue {
	struct pending *items; /* capacity of them, a power of two */
	uint32_t capacity, head, count;
};

/* Appends; positions must come in ascending order. Ends the process when out of memory. */
void pending_push(struct pending_queue *queue, struct pending item);

/* Whether something has become of the oldest request, if there is one, by what the lane says. */
bool pending_due(const struct pending_queue *queue, const struct lane *lane);

/* Takes the oldest one; the queue is not empty. */
struct pending pending_pop(struct pending_queue *queue);

#endif
