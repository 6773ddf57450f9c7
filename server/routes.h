/* Which path and method leads where; the one table behind requests, 404, 405 and the tests. */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include "server/acceptor.h"

/* Registers the handler for every path of that host. Acceptor only, before its loop starts. */
void routes_register(struct acceptor *acceptor, h2o_hostconf_t *host);

#endif
