/*
 * Kinds of events, as the loops of decode.c see them: hook events (envelope.c) and published ones (published.c).
 * Private to ingest/.
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

/* How the struct of each kind begins. */
struct event_head {
	bool has_unknown; /* fields that the API does not define */
	bool sanitised; /* the record differs from what the client sent, or holds what jsonb refuses */
	uint32_t error_count;
	struct decode_error errors[EVENT_ERRORS_MAX];
};

struct event_kind {
	/*
	 * Moves over the value at scan->at and, when it is an object, remembers where its fields stand. Returns false
	 * for a syntax error: see scan->reason.
	 */
	bool (*scan)(struct event_head *head, struct scan *scan, const struct decode_env *env);
	/*
	 * Checks what was scanned and makes it ready to be written. errors then says what is wrong; the caller sets
	 * their index. index is the event's in its request, -1 when the request is one event.
	 */
	void (*check)(struct event_head *head, const struct decode_env *env, int64_t index);
	/* Of an event without errors: the bytes that it takes. */
	size_t (*size)(const struct event_head *head, const struct decode_env *env);
	/* Writes so many bytes to `to` (8-byte aligned): the sealed record. index counts from 0. */
	void (*write)(struct event_head *head, const struct decode_env *env, uint32_t index, void *to);
};

#endif
