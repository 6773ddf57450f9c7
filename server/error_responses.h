/*
 * Refusals that libh2o makes by itself, before a request reaches a handler: a body over the limit, a broken chunk, an
 * unknown expectation. They become JSON like every other error, and the client gets to read them. A request whose head
 * is wrong does not get as far as libh2o: server/connection.h.
 */
#ifndef SERVER_ERROR_RESPONSES_H
#define SERVER_ERROR_RESPONSES_H

#include <h2o.h>

struct acceptor;

/* Registers the filter for every path of that host. Acceptors, before the loop starts. */
void error_responses_register(struct acceptor *acceptor, h2o_hostconf_t *host);

#endif
