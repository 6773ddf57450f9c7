/*
 * A published event as JSON, as delivered and as the API shows it. The payload and the members that the API does not
 * define are copied byte for byte.
 */
#ifndef EVENT_PUBLISHED_JSON_H
#define EVENT_PUBLISHED_JSON_H

#include "base/bytes.h"
#include "event/record.h"

/*
 * Appends the event's members without braces, so that the caller can add more after a comma: id, event_id (the same),
 * tenant_id, topic, payload, created_at and occurred_at in ms since 1970; idempotency_key, ordering_key and
 * target_user_id if present; the members that the API does not define; _trace with traceparent and tracestate if either
 * is present. event is a checked record of the kind RECORD_PUBLISHED. Pure; any process.
 */
void published_json_members(struct bytes *out, const struct record *event);

#endif
