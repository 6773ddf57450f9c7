/*
 * How an acceptor leaves, told by TERM. Either the service stops: what has begun is answered, and every connection closed
 * once its client knows or has had time to. Or only this process is replaced: its connections go to its successor, open
 * as they are, and no client notices (server/handover.h).
 */
#ifndef SERVER_DRAIN_H
#define SERVER_DRAIN_H

#include "server/acceptor.h"

/* TERM has come. May be called again. */
void drain_begin(struct acceptor *acceptor);

/*
 * To be called in every turn of the loop once drain_begin() was. Returns after how many milliseconds, at the latest, it
 * is to be called again, or <0 when there is nothing left to serve.
 */
int32_t drain_step(struct acceptor *acceptor);

/* Goes on with the connections of a predecessor, if it has handed over any. */
void drain_take_over(struct acceptor *acceptor);

#endif
