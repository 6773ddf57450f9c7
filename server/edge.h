/*
 * Refusals that libh2o makes by itself, before a request reaches a handler: a broken request line, a body over the
 * limit, a broken chunk. They become JSON like every other error, and the client gets to read them.
 */
#ifndef SERVER_EDGE_H
#define SERVER_EDGE_H

#include "server/acceptor.h"

/* Registers the filter for every path of that host. Acceptor only, before its loop starts. */
void edge_register(struct acceptor *acceptor, h2o_hostconf_t *host);

#endif
