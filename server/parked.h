/*
 * Connections whose request waits for the store.
 *
 * libh2o stops reading from a connection while its request is being answered: out of the epoll set it goes if that takes
 * longer than a turn of the loop, and back into it with the reply, two system calls a request. A parked connection stays in
 * the set without being read: only what comes early, the next request or the end, takes it out. (libh2o must not read on: the
 * request at hand lies in the buffer that would be moved.)
 */
#ifndef SERVER_PARKED_H
#define SERVER_PARKED_H

#include <stdbool.h>

#include <h2o.h>

/* For a request's handler that does not answer now: the connection stays in the epoll set. Acceptors. */
void park(h2o_req_t *req);

/* Right before the reply to a parked request: libh2o may read again. */
void unpark(h2o_req_t *req);

/* Whether libh2o waits for a request, or for more of one, from that connection: nothing is being answered. */
bool awaits_request(h2o_socket_t *socket);

#endif
