/*
 * Outlets: an acceptor's ways to the writers. An outlet is the lane to one writer, the requests that wait for what that
 * writer does with their events, and how to wake it. All requests of a connection take the same outlet, so their events
 * reach the store in the order in which they were sent. Acceptors.
 */
#ifndef SERVER_OUTLET_H
#define SERVER_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "server/pending.h"
#include "shm/lane.h"
#include "shm/segment.h"
#include "shm/slots.h"
#include "shm/wake.h"

struct outlet {
	struct lane lane;
	struct pending_queue pending; /* of durable requests */
	struct wake wake; /* of the writer */
	const struct writer_slot *writer;
};

struct outlets {
	struct outlet items[WRITERS_MAX]; /* count of them: by number of the writer */
	uint32_t count;
	enum ack ack;
	const struct segment_header *header;
	struct process_slot *slot; /* this acceptor's, for its counters */
};

/* Maps the lanes of that acceptor. Borrows the segment for the life of the process. Returns 0 or <0. */
int outlets_open(
    struct outlets *outlets, const struct segment *segment, uint32_t acceptor, enum ack ack, struct error *err);

/* The outlet of all requests of the connection with that number. */
static inline struct outlet *
outlet_of_connection(struct outlets *outlets, uint64_t number)
{
	return &outlets->items[number % outlets->count];
}

/* Whether the writer takes events now. If not, the request has been answered. */
bool outlet_is_open(const struct outlets *outlets, const struct outlet *outlet, struct exchange *exchange);

/*
 * Publishes the records in the first bytes of what lane_reserve() gave, as exchange->events says, and answers the
 * request: now, or when its events are stored, spooled or refused. No events are no parcel; their request is answered
 * now.
 */
void outlet_publish(struct outlets *outlets, struct outlet *outlet, struct exchange *exchange, size_t bytes);

/*
 * Answers every waiting request whose events have been stored, spooled or refused. Called in each turn of the loop.
 * Returns whether it answered any: then libh2o has work to do before it may sleep.
 */
bool outlets_answer(struct outlets *outlets);

/* Whether outlets_answer() would answer a request now; and whether any request waits. */
bool outlets_answer_due(const struct outlets *outlets);
bool outlets_waiting(const struct outlets *outlets);

/*
 * For the end of a drain: answers every waiting request by a 503 that says that its events may be stored or not.
 * Returns as outlets_answer() does.
 */
bool outlets_give_up(struct outlets *outlets);

#endif
