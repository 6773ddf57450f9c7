/* Reads the headers that only a POST of events has. Acceptors. */
#ifndef SERVER_POST_HEADERS_H
#define SERVER_POST_HEADERS_H

#include <stdbool.h>

#include <h2o.h>

#include "base/span.h"
#include "ingest/headers.h"

/* Whether Prefer asks to accept the valid events even if others are invalid. */
bool post_is_lenient(const h2o_req_t *req);

/*
 * Reads the Idempotency-Key into *key and text; key->base is NULL without one. Returns false if there are two, or it is
 * invalid. A placeholder such as null is invalid, because all requests with it would count as one.
 */
bool post_key(const h2o_req_t *req, char text[IDEMPOTENCY_KEY_MAX], struct span *key);

/*
 * Finds traceparent and tracestate, in the request or its pool. base is NULL for an absent or invalid one, and for a
 * tracestate without a traceparent: W3C Trace Context forbids refusing a request for them.
 */
void post_trace(h2o_req_t *req, struct span *traceparent, struct span *tracestate);

#endif
