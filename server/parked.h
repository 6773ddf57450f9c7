/*
 * Connections whose request waits for the store.
 *
 * libh2o stops reading from a connection while its request is being answered. If that takes longer than a turn of the
 * loop the connection leaves the epoll set, and enters it again with the reply: two system calls a request. A parked
 * connection stays in the set without being read. Only bytes that come early (the next request, or the end of the
 * connection) take it out: reading them would move the buffer that holds the present request. Acceptors.
 */
#ifndef SERVER_PARKED_H
#define SERVER_PARKED_H

#include <stdbool.h>

#include <h2o.h>

/* For the handler of a request that is not answered now: the connection stays in the epoll set. */
void park(h2o_req_t *req);

/* Right before the reply to a parked request, whose body is not needed any more: libh2o may read again. */
void unpark(h2o_req_t *req);

/* Whether libh2o waits for a request, or for the rest of one, on that socket: nothing is being answered. */
bool awaits_request(h2o_socket_t *socket);

#endif
