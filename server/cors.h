/*
 * Cross-origin resource sharing (the Fetch standard): which web pages may post events from their visitors' browsers.
 * Off unless CORS_ORIGINS names origins. Credentials are never allowed: there are none. Acceptors.
 */
#ifndef SERVER_CORS_H
#define SERVER_CORS_H

#include <h2o.h>

/*
 * Answers an OPTIONS, whether a browser's preflight or not, with allow, the methods of the path, which the request's
 * pool owns. cors_add() does the rest.
 */
void cors_preflight(h2o_req_t *req, const char *allow);

/* Adds to any answer on its way that the page may read it, if its origin is one of these. */
void cors_add(h2o_req_t *req, const char *origins);

#endif
