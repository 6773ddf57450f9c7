/*
 * The states of a client's connection. With TLS, libh2o makes the handshake once the first byte has come. Then libh2o
 * reads requests and writes answers; between them, until the next head is complete, connection.c reads:
 *
 *   rests, no byte of a request has come ──first byte──► a request arrives ──its head is whole──► libh2o reads its body
 *     ▲                                                                                              and answers
 *     └──────────────────────────────── the answer is written ◄─────────────────────────────────────────┘
 *
 * So connection.c can refuse, in JSON and counted, a head or chunked body that libh2o would not accept or might read
 * differently from a proxy in front: all bytes pass here before libh2o sees them. It also tells client_limits.c how
 * much a connection holds and how long it rests, receives or is not read. Acceptors.
 */
#ifndef SERVER_CONNECTION_H
#define SERVER_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

#include "server/client.h"

struct exchange;
struct ssl_ctx_st;

/* Call it before the first connection, with the pointers set. */
void connections_init(struct connections *connections);

/*
 * Serves that socket; its present input is the beginning of a request. full: MAX_CONNECTIONS is reached, so this one is
 * surplus. key: the API key that the connection counted for in another process; else 0.
 */
void connection_take(struct connections *connections, h2o_socket_t *socket, bool full, uint64_t key);

/* Keep the exchange of a connection's request until its answer has been written. NULL: none. */
void connection_set_exchange(h2o_req_t *req, struct exchange *exchange);
struct exchange *connection_exchange(const h2o_req_t *req);

/* Whether the client has shown a valid certificate (server/tls.h). */
bool connection_client_is_known(const h2o_req_t *req);

/* Call it right after giving an answer to libh2o, before libh2o writes it. */
void connection_answered(h2o_req_t *req);

/*
 * Whether the rest of the request is arriving, and libh2o has already removed a part of the request from the input: the
 * sizes of chunks, or everything. Then no other process can continue reading it.
 */
bool connection_is_apart(const h2o_req_t *req);

#endif
