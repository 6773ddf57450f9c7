/*
 * Cross-origin resource sharing (the Fetch standard): lets web pages of CORS_ORIGINS post events from their visitors'
 * browsers. Off without CORS_ORIGINS. Never allows credentials, because the service has none. Acceptors.
 *
 * A browser sends a preflight before any request that a plain form could not make. A POST without Content-Type has no
 * preflight; cors_admits() checks it.
 */
#ifndef SERVER_CORS_H
#define SERVER_CORS_H

#include <stdbool.h>

#include <h2o.h>

/*
 * Answers an OPTIONS, preflight or not. allow: the methods of the path, owned by the request's pool. cors_add() adds
 * the rest.
 */
void cors_preflight(h2o_req_t *req, const char *allow);

/*
 * Whether the request may change something. False: its headers say that a page of another origin makes it, and that
 * origin is not in origins (NULL: none). Programs other than browsers send no such headers and pass.
 */
bool cors_admits(const h2o_req_t *req, const char *origins);

/* Adds headers to an answer that let the page read it, if its origin is in origins. */
void cors_add(h2o_req_t *req, const char *origins);

#endif
