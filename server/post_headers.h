/* Headers that only a POST of events has. Acceptors. */
#ifndef SERVER_POST_HEADERS_H
#define SERVER_POST_HEADERS_H

#include <stdbool.h>

#include <h2o.h>

#include "base/span.h"
#include "ingest/headers.h"

/* Whether Prefer asks for the right events to be taken although others are wrong. */
bool post_is_lenient(const h2o_req_t *req);

/*
 * Reads the Idempotency-Key into *key, whose characters go to text; base is NULL when there is none. Returns false when
 * the header comes twice or is no key. A placeholder such as null is no key, as it is no event_id: all requests with it
 * would count as one.
 */
bool post_key(const h2o_req_t *req, char text[IDEMPOTENCY_KEY_MAX], struct span *key);

/*
 * The headers traceparent and tracestate, in the request or its pool. base is NULL for one that is absent or cannot be
 * passed on, and for a tracestate without a traceparent: W3C Trace Context lets nobody refuse a request for them.
 */
void post_trace(h2o_req_t *req, struct span *traceparent, struct span *tracestate);

#endif
