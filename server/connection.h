/*
 * A connection of a client, from libh2o's point of view and from ours. libh2o reads requests and writes answers; between
 * two requests, and until the head of the next one has come whole, the connection is ours:
 *
 *   rests, no byte of a request has come ──first byte──► a request arrives ──its head is whole──► libh2o reads its body
 *     ▲                                                                                              and answers
 *     └──────────────────────────────── the answer is written ◄─────────────────────────────────────────┘
 *
 * So a head that libh2o would not take is refused here, in JSON and counted; and a connection that rests has another limit
 * (IDLE_TIMEOUT_SECONDS) than a request that dawdles (REQUEST_TIMEOUT_SECONDS), of a clock that nobody sets. All in an
 * acceptor.
 */
#ifndef SERVER_CONNECTION_H
#define SERVER_CONNECTION_H

#include "server/acceptor.h"

/* Before the first connection. */
void connections_init(struct acceptor *acceptor);

/* Serves that socket from now on; what it has as input already is the beginning of a request. */
void connection_take(struct acceptor *acceptor, h2o_socket_t *socket);

/* Right after an answer has been given to libh2o, which has not written it yet. */
void connection_answered(h2o_req_t *req);

/*
 * At every turn of the loop: lets go of connections that have rested for too long, and refuses requests that have taken too
 * long to arrive. Returns in how many milliseconds the next one may be due, at most most_ms.
 */
int32_t connections_look(struct acceptor *acceptor, int64_t now_us, int32_t most_ms);

/*
 * Closes connections that have rested for that long, longest first, at most so many. A request that has reached this
 * machine meanwhile is still answered.
 */
void connections_close_resting(struct acceptor *acceptor, int64_t now_us, int64_t rested_us, uint32_t most);

#endif
