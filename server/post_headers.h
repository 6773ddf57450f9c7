/* What the headers of a POST ask for, beside what its body is. Acceptors. */
#ifndef SERVER_POST_HEADERS_H
#define SERVER_POST_HEADERS_H

#include <stdbool.h>

#include <h2o.h>

#include "ingest/headers.h"
#include "event/record.h"

/* Whether the events that are right are wanted although others are not: Prefer. */
bool post_is_lenient(const h2o_req_t *req);

/*
 * Reads the Idempotency-Key, whose characters go to text, into *key; base is NULL when there is none. Returns false when
 * the header comes twice or is no key. A placeholder is none, as for an event_id: all requests that have it would be taken
 * for one.
 */
bool post_key(const h2o_req_t *req, char text[IDEMPOTENCY_KEY_MAX], struct span *key);

#endif
