/* The decoder's parameters for a request, besides its body. */
#ifndef INGEST_DECODE_ENV_H
#define INGEST_DECODE_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "base/uuid.h"

/* The absolute limit of an event's text, because lengths in a record have 32 bits. */
#define DECODE_EVENT_BYTES_MAX (1u << 30)

/* For fields that the API does not define: move them into data, drop them, or refuse the event. */
enum unknown_action { UNKNOWN_KEEP, UNKNOWN_IGNORE, UNKNOWN_REFUSE };

/* Borrowed by decode_body(), which changes only *ids. */
struct decode_env {
	bool published; /* events of POST /v1/events; else hook events */
	uint64_t max_event_bytes;
	uint32_t max_events;
	enum unknown_action unknown; /* for hook events; published events always keep unknown members */
	int64_t now_us; /* received_at */
	int64_t timestamp_us; /* for hook events without a timestamp */
	/*
	 * The request's Idempotency-Key; base is NULL if there is none. Hook events without an id get one made from it
	 * and their index. A single published event takes it as its idempotency_key; in a batch, events without a key
	 * take it with a slash and their index.
	 */
	struct span key;
	struct span traceparent, tracestate; /* of published events; base NULL: absent */
	struct span tenant; /* the owner of the events, at most 64 bytes; empty: the default tenant */
	struct uuid_source *ids;
	bool lenient; /* skip wrong events and accept the others */
};

#endif
