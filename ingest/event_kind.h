/*
 * The interface of decode.c to kinds of events: hook events (envelope.c) and published events (published.c). Private to
 * ingest/.
 */
#ifndef INGEST_EVENT_KIND_H
#define INGEST_EVENT_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/scan.h"
#include "ingest/decode_env.h"
#include "ingest/decode_error.h"

#define EVENT_ERRORS_MAX 20

/* The head of each kind's struct. */
struct event_head {
	bool has_unknown; /* it has fields that the API does not define */
	bool sanitised; /* the record differs from the client's text, or has escapes that jsonb refuses */
	uint32_t error_count;
	struct decode_error errors[EVENT_ERRORS_MAX];
};

struct event_kind {
	/*
	 * Scans the value at scan->at and records the places of its fields if it is an object. Returns false for a
	 * syntax error: see scan->reason.
	 */
	bool (*scan)(struct event_head *head, struct scan *scan, const struct decode_env *env);
	/*
	 * Checks the scanned event and prepares it for writing. Sets errors; the caller sets their index. index is the
	 * event's in its request, -1 if the request is one event.
	 */
	void (*check)(struct event_head *head, const struct decode_env *env, int64_t index);
	/* The size of an event without errors. */
	size_t (*size)(const struct event_head *head, const struct decode_env *env);
	/* Writes size() bytes to `to` (8-byte aligned), ending with the sealed record. index counts from 0. */
	void (*write)(struct event_head *head, const struct decode_env *env, uint32_t index, void *to);
};

#endif
