/* Records of published events for tests. */
#ifndef TESTS_EVENT_FIXTURE_H
#define TESTS_EVENT_FIXTURE_H

#include <stdint.h>

#include "event/record.h"

/* The fields in which test records differ. NULL is a null string; a payload of NULL is "null". */
struct published_event {
	uint32_t number; /* of the event, in its id */
	int64_t created_ms; /* the time in its id; 0: 2026-01-01 */
	const char *tenant_id; /* NULL: the default tenant */
	const char *topic;
	const char *payload;
	const char *idempotency_key, *ordering_key, *target_user_id, *traceparent, *tracestate, *extra;
};

/* Returns the event as a sealed record. Release it with free(). */
struct record *published_event(const struct published_event *event);

#endif
