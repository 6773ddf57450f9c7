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
	uint64_t max_event_bytes;
	uint32_t max_events;
	enum unknown_action unknown;
	int64_t now_us; /* received_at */
	int64_t timestamp_us; /* of events without one */
	struct span key; /* events without an id get one from it and their index; base is NULL: a new one */
	struct span tenant; /* whose events they are, at most 64 bytes; empty: the default tenant's */
	struct uuid_source *ids;
	bool lenient; /* a wrong event is left out, and the others are taken */
};

#endif
