/*
 * Outlets: an acceptor's ways to the writers, or to the publishers. An outlet is the lane to one of them, the requests
 * that wait for what it does with their events, and how to wake it. Acceptors.
 *
 * Hook events: all requests of a connection take the same outlet, so their events reach the store in the order in which
 * they were sent. Published events: the first publisher takes what comes while little waits for it, because few large
 * transactions cost less than many small ones; the next one takes the rest. A client that waits for its answers has its
 * order there also.
 */
#ifndef SERVER_OUTLET_H
#define SERVER_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "server/holdings.h"
#include "server/pending.h"
#include "shm/lane.h"
#include "shm/segment.h"
#include "shm/slots.h"
#include "shm/wake.h"

#define OUTLETS_MAX (WRITERS_MAX > PUBLISHERS_MAX ? WRITERS_MAX : PUBLISHERS_MAX)

struct outlet {
	struct lane lane;
	struct pending_queue pending; /* of requests that wait, and of parcels whose client has its bytes on the lane */
	uint32_t waiting; /* of those: how many have not been answered */
	struct holdings clients; /* how many bytes of the lane each API key has, or each address without one */
	uint32_t answered; /* a result of lane_released(): requests of parcels below it are answered */
	struct wake wake; /* of the writer */
	const struct writer_slot *writer;
};

struct outlets;

/*
 * Answers a request that has waited, by what became of its parcel: LANE_REFUSED, LANE_DISMISSED (also when it is given
 * up), LANE_SPOOLED, or none of these for a parcel that is stored. The bytes of a released parcel are the acceptor's
 * for the time of the call.
 */
typedef void outlet_answer(const struct outlets *outlets, struct exchange *exchange, const struct parcel *parcel);

struct outlets {
	struct outlet items[OUTLETS_MAX]; /* count of them: by number of the writer */
	uint32_t count;
	enum lane_group group;
	enum ack ack;
	outlet_answer *answer;
	const struct segment_header *header;
	struct process_slot *slot; /* this acceptor's, for its counters */
};

/*
 * Maps the lanes of that acceptor. group, ack and answer are set. Borrows the segment for the life of the process.
 * Returns 0 or <0.
 */
int outlets_open(struct outlets *outlets, const struct segment *segment, uint32_t acceptor, struct error *err);

/* The outlet for a request of the connection with that number. There is at least one. */
struct outlet *outlet_choose(struct outlets *outlets, uint64_t number);

/* Whether the writer takes events now. If not, the request has been answered. */
bool outlet_is_open(const struct outlets *outlets, const struct outlet *outlet, struct exchange *exchange);

/*
 * Whether answers wait for the store: with ACK=durable, and while nobody would find the ring if all processes were
 * killed.
 */
bool outlets_are_durable(const struct outlets *outlets);

/*
 * Free space for the records of a request, as lane_reserve() gives it. Requests whose parcels are released are answered
 * first, since writing there would overwrite what became of them.
 */
char *outlet_reserve(const struct outlets *outlets, struct outlet *outlet, size_t *available);

/*
 * Whether the key of the request, or its address if it has no key, has no more than its share of the lane
 * (server/holdings.h). After outlet_reserve().
 */
bool outlet_allows(const struct outlet *outlet, const struct exchange *exchange);

/*
 * Publishes the records in the first bytes (> 0) of what outlet_reserve() gave, as exchange->events says. Returns
 * whether the request waits: answer() is called later. If not, the caller answers it.
 */
bool outlet_publish(struct outlets *outlets, struct outlet *outlet, struct exchange *exchange, size_t bytes);

/* Answers by a 503 with that text and counts the reason. */
void outlet_refuse(const struct outlets *outlets, struct exchange *exchange, const char *text, enum counter reason);

/*
 * Answers every waiting request whose events have been stored, spooled or refused. Called in each turn of the loop.
 * Returns whether it answered any: then libh2o has work to do before it may sleep.
 */
bool outlets_answer(struct outlets *outlets);

/* Whether outlets_answer() would answer a request now; and whether any request waits. */
bool outlets_answer_due(const struct outlets *outlets);
bool outlets_waiting(const struct outlets *outlets);

/*
 * For the end of a drain: has every waiting request answered as one whose parcel was dismissed: its events may be
 * stored or not. Returns as outlets_answer() does.
 */
bool outlets_give_up(struct outlets *outlets);

#endif
