/* What the decoder is told about a request, besides its body. */
#ifndef INGEST_DECODE_ENV_H
#define INGEST_DECODE_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "base/uuid.h"

/* An event's own text is never taken above this, whatever max_event_bytes says: lengths in a record are 32 bits. */
#define DECODE_EVENT_BYTES_MAX (1u << 30)

/* What happens to the fields of an event that the API does not define: into data, away, or the event is refused. */
enum unknown_action { UNKNOWN_KEEP, UNKNOWN_IGNORE, UNKNOWN_REFUSE };

/* Borrowed by decode_body(), which changes nothing but *ids. */
struct decode_env {
	bool published; /* the events are those of POST /v1/events; else they are hook events */
	uint64_t max_event_bytes;
	uint32_t max_events;
	enum unknown_action unknown; /* for hook events; published ones keep them beside their payload */
	int64_t now_us; /* received_at */
	int64_t timestamp_us; /* of hook events without one */
	/*
	 * The request's Idempotency-Key; base is NULL when there is none. Hook events without an id get one from it and
	 * their index. A published event takes it as its own idempotency_key; in a batch those without one take it with
	 * a slash and their index.
	 */
	struct span key;
	struct span traceparent, tracestate; /* of published events; base is NULL when there is none */
	struct span tenant; /* whose events they are, at most 64 bytes; empty: the default tenant's */
	struct uuid_source *ids;
	bool lenient; /* a wrong event is left out, and the others are taken */
};

#endif
