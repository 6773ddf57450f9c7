/* What is wrong with a request's body. */
#ifndef INGEST_DECODE_ERROR_H
#define INGEST_DECODE_ERROR_H

#include <stdint.h>

#include "base/span.h"

/* What an event, or its request, is refused for. */
enum decode_cause { CAUSE_FIELDS, CAUSE_JSON, CAUSE_EVENT_SIZE, CAUSE_BATCH_SIZE, CAUSES };

/* One reason. All texts are static; key is borrowed from the body. */
struct decode_error {
	enum decode_cause cause;
	const char *type; /* as clients of the original service know it: "missing", "string_type", "json_invalid" */
	const char *msg; /* "Field required" */
	const char *reason; /* for json_invalid what is wrong with the JSON: "trailing comma", else NULL */
	const char *field; /* "session_id", or NULL when it is about the whole event or body */
	struct span key; /* of an unknown field: a JSON string in the body; base is NULL for others */
	int64_t index; /* of the event in an array or among the lines of NDJSON that are not blank (from 0), or -1 */
	int64_t position; /* byte offset in the body for json_invalid, else -1 */
	uint32_t limit; /* characters allowed for string_too_long, bytes or events for what is too large, else 0 */
};

#endif
