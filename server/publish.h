/* Answers requests of published events by the outcomes in their parcels. Acceptors. */
#ifndef SERVER_PUBLISH_H
#define SERVER_PUBLISH_H

struct exchange;
struct outlets;
struct parcel;

/* The outlet_answer of the outlets to the publishers. */
void publish_answer(const struct outlets *outlets, struct exchange *exchange, const struct parcel *parcel);

/* Answers a batch without events. */
void publish_accept_none(const struct outlets *outlets, struct exchange *exchange);

#endif
