/*
 * Refusals that libh2o makes by itself, before a request reaches a handler: a body over the limit, a broken chunk, an
 * unknown expectation. They become JSON like every other error, and the client gets to read them. What is no HTTP/1 at
 * all, such as a broken request line, does not get as far as libh2o: server/connection.h.
 */
#ifndef SERVER_ERROR_RESPONSES_H
#define SERVER_ERROR_RESPONSES_H

#include "server/acceptor.h"

/* Registers the filter for every path of that host. Acceptor only, before its loop starts. */
void error_responses_register(struct acceptor *acceptor, h2o_hostconf_t *host);

#endif
