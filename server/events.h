/* POST /events and /events/batch: from the body of a request to a parcel on a lane and an answer. Acceptors. */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include <stdbool.h>

struct acceptor;
struct exchange;

/*
 * Takes the request over: answers it now, or, with ACK=durable, lets it wait until its events are stored or refused.
 * Either all of its events are on the ring or none is. batch: several events are taken.
 */
void events_post(struct acceptor *acceptor, struct exchange *exchange, bool batch);

#endif
