/*
 * Parks connections whose request waits for the store.
 *
 * libh2o stops reading a connection while its request is being answered. If that takes longer than a turn of the loop,
 * the connection leaves the epoll set and enters it again with the reply: two system calls per request. A parked
 * connection stays in the set unread. Only early bytes (the next request, or the connection's end) remove it, because
 * reading them would move the buffer with the current request. Acceptors.
 */
#ifndef SERVER_PARKED_H
#define SERVER_PARKED_H

#include <stdbool.h>

#include <h2o.h>

/* For a handler that does not answer now: keeps the connection in the epoll set. */
void park(h2o_req_t *req);

/* Call it right before the reply to a parked request, when its body is no longer needed: libh2o may read again. */
void unpark(h2o_req_t *req);

/* Whether libh2o waits for a request, or the rest of one, on that socket, and answers none. */
bool awaits_request(h2o_socket_t *socket);

#endif
