/*
 * Outlets: an acceptor's connections to the writers or publishers. An outlet is the lane to one of them, the requests
 * waiting for it, and its wake-up. Acceptors.
 *
 * Hook events: all requests of a connection use the same outlet, so their events are stored in order. Published events:
 * the first publisher gets everything while little waits for it, because few large transactions are cheaper than many
 * small ones; the next one gets the rest. A client that waits for each answer keeps its order there, too.
 */
#ifndef SERVER_OUTLET_H
#define SERVER_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "server/client_amounts.h"
#include "server/pending.h"
#include "shm/lane.h"
#include "shm/segment.h"
#include "shm/slots.h"
#include "shm/wake.h"

#define OUTLETS_MAX (WRITERS_MAX > PUBLISHERS_MAX ? WRITERS_MAX : PUBLISHERS_MAX)

struct outlet {
	struct lane lane;
	struct pending_queue pending; /* waiting requests, and parcels whose bytes count for a client */
	uint32_t waiting; /* unanswered requests in pending */
	struct client_amounts clients; /* bytes on the lane by API key, or by address without a key */
	uint32_t answered; /* position up to which requests are answered; a result of lane_released() */
	struct wake wake; /* of the writer */
	const struct writer_slot *writer;
};

struct outlets;

/*
 * Answers a waiting request by the flags of its parcel: LANE_REFUSED, LANE_DISMISSED (also by outlets_give_up()),
 * LANE_SPOOLED, or none of these: stored. The parcel's bytes are valid during the call.
 */
typedef void outlet_answer(const struct outlets *outlets, struct exchange *exchange, const struct parcel *parcel);

struct outlets {
	struct outlet items[OUTLETS_MAX]; /* by number of the writer */
	uint32_t count;
	enum lane_group group;
	enum ack ack;
	outlet_answer *answer;
	const struct segment_header *header;
	struct process_slot *slot; /* this acceptor's, for its counters */
};

/*
 * Maps the lanes of that acceptor. The caller has set group, ack and answer. Borrows the segment for the life of the
 * process. Returns 0 or <0.
 */
int outlets_open(struct outlets *outlets, const struct segment *segment, uint32_t acceptor, struct error *err);

/* The outlet for a request of the connection with that number. There must be at least one outlet. */
struct outlet *outlet_choose(struct outlets *outlets, uint64_t number);

/* Whether the writer accepts events now. If not, answers the request. */
bool outlet_is_open(const struct outlets *outlets, const struct outlet *outlet, struct exchange *exchange);

/*
 * Whether answers wait for the store: with ACK=durable, and while the ring's file has lost its name, because the next
 * master would not find the events.
 */
bool outlets_are_durable(const struct outlets *outlets);

/*
 * Reserves space as lane_reserve(). First answers requests whose parcels are released, because writing there would
 * overwrite their outcomes.
 */
char *outlet_reserve(const struct outlets *outlets, struct outlet *outlet, size_t *available);

/*
 * Whether the request's key, or its address if it has none, is within its share of the lane (server/client_amounts.h).
 * Call it after outlet_reserve().
 */
bool outlet_allows(const struct outlet *outlet, const struct exchange *exchange);

/*
 * Publishes exchange->events records in the first bytes (> 0) of the space from outlet_reserve(). Returns true if the
 * request waits for answer(); otherwise the caller answers it.
 */
bool outlet_publish(struct outlets *outlets, struct outlet *outlet, struct exchange *exchange, size_t bytes);

/* Answers 503 with that text and counts the reason. */
void outlet_refuse(const struct outlets *outlets, struct exchange *exchange, const char *text, enum counter reason);

/*
 * Answers every waiting request whose events have been stored, spooled or refused. Called in each turn of the loop.
 * Returns whether it answered any: then libh2o must run before it sleeps.
 */
bool outlets_answer(struct outlets *outlets);

/* Whether outlets_answer() would answer a request now, and whether any request waits. */
bool outlets_answer_due(const struct outlets *outlets);
bool outlets_waiting(const struct outlets *outlets);

/*
 * For the end of a drain: answers every waiting request as dismissed: its events may or may not be stored. Returns as
 * outlets_answer().
 */
bool outlets_give_up(struct outlets *outlets);

#endif
