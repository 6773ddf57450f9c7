/* POST /events and /v1/events and their batches: puts the events of a request on a lane and answers. Acceptors. */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

struct acceptor;
struct exchange;
struct outlets;
struct parcel;

/*
 * Handles the request: answers it now or, with ACK=durable and for published events, when its events are stored or
 * refused. All of its events go on the ring, or none. exchange->published and batch are set.
 */
void events_post(struct acceptor *acceptor, struct exchange *exchange);

/* The outlet_answer of the outlets to the writers. */
void events_answer(const struct outlets *outlets, struct exchange *exchange, const struct parcel *parcel);

#endif
