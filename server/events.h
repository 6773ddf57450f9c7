/* POST /events and /events/batch: from a request's body to parcels on a lane and an answer. */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include "server/acceptor.h"

/*
 * Takes the request over: answers it now, or, with ACK=durable, queues it until its events are stored or refused. Either
 * all of its events are on the ring or none is.
 */
void events_post(struct acceptor *acceptor, h2o_req_t *req, bool batch);

/*
 * Answers every queued request whose events have been released or refused by their writer. Called once a loop turn.
 * Returns whether it answered any: libh2o then has work of its own left to do before it may sleep.
 */
bool events_answer(struct acceptor *acceptor);

/* Whether events_answer() would answer something now; and whether anything waits at all. */
bool events_answer_due(const struct acceptor *acceptor);
bool events_waiting(const struct acceptor *acceptor);

/*
 * There is no time left to wait: tells every queued request that its events may be stored or not. Returns as
 * events_answer() does.
 */
bool events_give_up(struct acceptor *acceptor);

#endif
