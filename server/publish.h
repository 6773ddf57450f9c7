/* Answers to requests that published events, from what the publisher wrote into their parcels. Acceptors. */
#ifndef SERVER_PUBLISH_H
#define SERVER_PUBLISH_H

struct exchange;
struct outlets;
struct parcel;

/* outlet_answer of the outlets to the publishers. */
void publish_answer(const struct outlets *outlets, struct exchange *exchange, const struct parcel *parcel);

/* Answers a batch without events. */
void publish_accept_none(const struct outlets *outlets, struct exchange *exchange);

#endif
