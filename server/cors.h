/*
 * Cross-origin resource sharing (the Fetch standard): which web pages may post events from their visitors' browsers.
 * Off unless CORS_ORIGINS names origins. Credentials are never allowed: there are none. Acceptors.
 *
 * A browser asks first before it sends what a plain form could not send. It does not ask before a POST that has no
 * Content-Type: cors_admits() is for those.
 */
#ifndef SERVER_CORS_H
#define SERVER_CORS_H

#include <stdbool.h>

#include <h2o.h>

/*
 * Answers an OPTIONS, whether a browser's preflight or not, with allow, the methods of the path, which the request's
 * pool owns. cors_add() does the rest.
 */
void cors_preflight(h2o_req_t *req, const char *allow);

/*
 * Whether the request may change something. False: a browser says that a page of another origin makes it, and these
 * origins (NULL: none) do not name the page's. A program that is no browser says nothing of the kind, and may.
 */
bool cors_admits(const h2o_req_t *req, const char *origins);

/* Adds to any answer on its way that the page may read it, if its origin is one of these. */
void cors_add(h2o_req_t *req, const char *origins);

#endif
