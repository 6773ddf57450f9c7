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
 * counted. It does so for chunked bodies also: the bytes of all bodies come by here before libh2o sees them. And
 * client_limits.c knows how much each connection holds, and how long it rests, arrives or is not read.
 * Acceptors.
 */
#ifndef SERVER_CONNECTION_H
#define SERVER_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

#include "server/client.h"

struct exchange;
struct ssl_ctx_st;

/* Before the first connection, with the pointers set. */
void connections_init(struct connections *connections);

/*
 * Serves that socket from now on; what it has as input already is the beginning of a request. full: there are as many
 * connections as there may be, so this one is surplus. key: of an API key, one of whose connections this was in another
 * process; else 0.
 */
void connection_take(struct connections *connections, h2o_socket_t *socket, bool full, uint64_t key);

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

#endif
