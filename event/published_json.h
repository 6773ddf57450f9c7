/*
 * A published event as JSON, as it is delivered and as the API shows it. The payload and the members that the API does
 * not define stand as they were stored, byte for byte.
 */
#ifndef EVENT_PUBLISHED_JSON_H
#define EVENT_PUBLISHED_JSON_H

#include "base/bytes.h"
#include "event/record.h"

/*
 * Appends the members of the event, without the braces around them, so that a caller can add members of its own behind
 * a comma: id, event_id (the same), tenant_id, topic, payload, created_at and occurred_at in ms since 1970;
 * idempotency_key, ordering_key and target_user_id if the publisher gave them; the members that the API does not
 * define; _trace, an object of traceparent and tracestate, if the publisher sent one of them. event is a checked
 * record of the kind RECORD_PUBLISHED. Pure; any process.
 */
void published_json_members(struct bytes *out, const struct record *event);

#endif
