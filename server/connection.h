/*
 * A connection of a client, from libh2o's point of view and from ours. With TLS it begins with a handshake, which
 * libh2o makes once the first byte has come. After that libh2o reads requests and writes answers; between two requests,
 * and until the head of the next one has come whole, the connection is ours:
 *
 *   rests, no byte of a request has come ──first byte──► a request arrives ──its head is whole──► libh2o reads its body
 *     ▲                                                                                              and answers
 *     └──────────────────────────────── the answer is written ◄─────────────────────────────────────────┘
 *
 * So connection.c refuses a head that libh2o would not take, or might read otherwise than a proxy in front, in JSON and
 * counted. It does so for chunked bodies also: their bytes come by here before libh2o sees them. And a connection that
 * rests has another limit (IDLE_TIMEOUT_SECONDS) than a request or a handshake that is slow (REQUEST_TIMEOUT_SECONDS).
 * Acceptors.
 */
#ifndef SERVER_CONNECTION_H
#define SERVER_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

#include "config/config.h"
#include "server/linger.h"
#include "shm/slots.h"

struct exchange;
struct ssl_ctx_st;

/* The connections of an acceptor, except those that linger. */
struct connections {
	const struct config *config;
	struct process_slot *slot; /* the acceptor's, for its counters */
	h2o_accept_ctx_t *accept;
	struct linger_list *linger; /* where a refused connection goes */
	struct ssl_ctx_st *tls; /* NULL: plain HTTP is spoken */
	h2o_linklist_t resting, busy; /* each in the order in which its connections entered it */
	uint32_t count;
};

/* Before the first connection, with the five pointers set. */
void connections_init(struct connections *connections);

/* Serves that socket from now on; what it has as input already is the beginning of a request. */
void connection_take(struct connections *connections, h2o_socket_t *socket);

/* Keeps what belongs to the request of a connection until its answer has been written. NULL: nothing was kept. */
void connection_set_exchange(h2o_req_t *req, struct exchange *exchange);
struct exchange *connection_exchange(const h2o_req_t *req);

/* Whether the client has shown a certificate that is good (server/tls.h). */
bool connection_client_is_known(const h2o_req_t *req);

/* Right after an answer has been given to libh2o, which has not written it yet. */
void connection_answered(h2o_req_t *req);

/* With the last answer of a connection: when libh2o has closed it, it lingers (server/linger.h). */
void connection_linger(const h2o_req_t *req);

/*
 * Whether a chunked body is arriving on the connection of that request, and libh2o has taken the sizes of its first
 * chunks away.
 */
bool connection_reads_chunks(const h2o_req_t *req);

/*
 * In each turn of the loop: closes connections that have rested for too long, and refuses requests that have taken too
 * long to arrive. Returns in how many milliseconds the next one may be due, at most most_ms.
 */
int32_t connections_step(struct connections *connections, int64_t now_us, int32_t most_ms);

/*
 * Closes connections that have rested for that long, longest first, at most so many. A request that has reached this
 * machine by then is still answered.
 */
void connections_close_resting(struct connections *connections, int64_t now_us, int64_t rested_us, uint32_t most);

/* Closes connections whose handshake or request has begun to arrive, and has not come whole yet. */
void connections_close_arriving(struct connections *connections);

#endif
