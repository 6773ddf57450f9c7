/*
 * Connections whose request waits for the store.
 *
 * libh2o stops reading from a connection while its request is being answered. If that takes longer than a turn of the loop
 * the connection leaves the epoll set, and enters it again with the reply: two system calls a request. A parked one stays,
 * without being read: only what comes early, the next request or the end, takes it out. (Reading on would move the buffer
 * that the request at hand lies in.)
 */
#ifndef SERVER_PARKED_H
#define SERVER_PARKED_H

#include <stdbool.h>

#include <h2o.h>

/* For a request's handler that does not answer now: the connection stays in the epoll set. Acceptors. */
void park(h2o_req_t *req);

/* Right before the reply to a parked request, when its body has served: libh2o may read again, and move the buffer. */
void unpark(h2o_req_t *req);

/* Whether libh2o waits for a request, or for more of one, from that connection: nothing is being answered. */
bool awaits_request(h2o_socket_t *socket);

#endif
