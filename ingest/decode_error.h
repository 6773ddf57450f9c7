/* Errors in a request's body. */
#ifndef INGEST_DECODE_ERROR_H
#define INGEST_DECODE_ERROR_H

#include <stdint.h>

#include "base/span.h"

/* Why an event or its request is refused. */
enum decode_cause { CAUSE_FIELDS, CAUSE_JSON, CAUSE_EVENT_SIZE, CAUSE_BATCH_SIZE, CAUSES };

/* One error. All texts are static; key borrows from the body. */
struct decode_error {
	enum decode_cause cause;
	const char *type; /* the original service's type: "missing", "string_type", "json_invalid" */
	const char *msg; /* "Field required" */
	const char *reason; /* for json_invalid the fault: "trailing comma"; else NULL */
	const char *field; /* "session_id"; NULL: the whole event or body */
	struct span key; /* for an unknown field: a JSON string in the body; else base is NULL */
	int64_t index; /* of the event in an array or among the nonblank lines of NDJSON (from 0), or -1 */
	int64_t position; /* byte offset in the body for json_invalid, else -1 */
	uint32_t limit; /* allowed characters (string_too_long), or allowed bytes or events; else 0 */
};

#endif
