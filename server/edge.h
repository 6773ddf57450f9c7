/*
 * Refusals that libh2o makes by itself, before a request reaches a handler: a broken request line, a body over the
 * limit, a broken chunk. They become JSON like every other error, and the client gets to read them.
 */
#ifndef SERVER_EDGE_H
#define SERVER_EDGE_H

#include <h2o.h>

/* Registers the filter for every path of that host. */
void edge_register(h2o_hostconf_t *host);

#endif
