/*
 * POST /events and /v1/events, and their batches: from the body of a request to a parcel on a lane and an answer.
 * Acceptors.
 */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

struct acceptor;
struct exchange;
struct outlets;
struct parcel;

/*
 * Takes the request over: answers it now, or lets it wait until its events are stored or refused, with ACK=durable and
 * if they are published. Either all of its events are on the ring or none is. exchange->published and batch are set.
 */
void events_post(struct acceptor *acceptor, struct exchange *exchange);

/* outlet_answer of the outlets to the writers. */
void events_answer(const struct outlets *outlets, struct exchange *exchange, const struct parcel *parcel);

#endif
