/* The table of this service's routes, for requests, 404, 405, GET / and the tests. */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include <h2o.h>

#include "server/route.h"

struct acceptor;

extern const struct route_table routes;

/*
 * Registers the handler and the filter that answer and count all requests to that host. Acceptors; before the loop
 * starts.
 */
void routes_register(struct acceptor *acceptor, h2o_hostconf_t *host);

#endif
