/*
 * Converts libh2o's own error answers (a body over the limit, a broken chunk, an unknown expectation) to JSON like
 * every other error, and lets the client read them. connection.c refuses invalid heads before libh2o sees them.
 */
#ifndef SERVER_ERROR_RESPONSES_H
#define SERVER_ERROR_RESPONSES_H

#include <h2o.h>

struct acceptor;

/* Registers the filter for every path of that host. Acceptors; before the loop starts. */
void error_responses_register(struct acceptor *acceptor, h2o_hostconf_t *host);

#endif
