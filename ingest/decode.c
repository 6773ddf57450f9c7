/*
 * Decodes bodies: one event, an array, or lines. Each kind is a loop around decode_event(), which scans, checks and
 * writes one event. After an event that is refused or does not fit, the others are still checked but no longer written,
 * so that the client gets all field errors, and gets 503 for a full ring only for a valid request. A lenient request
 * continues to write valid events.
 *
 * In this file DECODE_OK means "continue": the refusal of a single event is only recorded; any other status ends the
 * scan.
 */
#include "ingest/decode.h"

#include <assert.h>
#include <string.h>

#include "event/scan.h"
#include "ingest/envelope.h"
#include "ingest/published.h"

struct decoder {
	const struct decode_env *env;
	struct decode_result *result;
	struct scan scan;
	const char *body;
	bool lines; /* NDJSON: an event ends with its line */
	char *out;
	size_t capacity;
	size_t used; /* bytes of records written */
	uint32_t seen; /* events */
	uint32_t good; /* events without errors, written or not */
	uint32_t sanitised, unknown; /* of the written events */
	bool full; /* a record did not fit: no more are written */
	const struct event_kind *kind;
	struct event_head *event; /* the current one */
};

static void
add_error(struct decode_result *result, const struct decode_error *error)
{
	result->errors_found++;
	if (result->error_count < DECODE_ERRORS_MAX)
		result->errors[result->error_count++] = *error;
}

static void
clear_errors(struct decode_result *result)
{
	result->error_count = result->errors_found = 0;
	memset(result->rejected, 0, sizeof result->rejected);
}

/* Ends the scan with this one error. */
static enum decode_status
end_scan(struct decoder *d, enum decode_status status, const struct decode_error *error)
{
	clear_errors(d->result);
	add_error(d->result, error);
	return status;
}

/* Refuses the event of the error. A lenient request continues; any other ends. */
static enum decode_status
refuse_event(struct decoder *d, enum decode_status status, const struct decode_error *error)
{
	if (!d->env->lenient || error->index < 0)
		return end_scan(d, status, error);
	d->result->rejected[error->cause]++;
	add_error(d->result, error);
	return DECODE_OK;
}

static enum decode_status
refuse_syntax(struct decoder *d, int64_t index)
{
	return refuse_event(d, DECODE_INVALID,
	    &(struct decode_error){
		.cause = CAUSE_JSON,
		.type = "json_invalid",
		.msg = "JSON decode error",
		.reason = d->scan.reason,
		.index = index,
		.position = d->scan.at - d->body,
	    });
}

/* cause: CAUSE_EVENT_SIZE, or CAUSE_BATCH_SIZE with the index -1. */
static enum decode_status
refuse_size(struct decoder *d, enum decode_cause cause, int64_t index, uint32_t limit)
{
	bool event = cause == CAUSE_EVENT_SIZE;

	return refuse_event(d, DECODE_TOO_LARGE,
	    &(struct decode_error){
		.cause = cause,
		.type = event ? "event_too_large" : "too_many_events",
		.msg = event ? "Event is too large" : "Too many events in one request",
		.index = index,
		.position = -1,
		.limit = limit,
	    });
}

/* index is the event's index in errors, syntax_index that in syntax errors. */
static enum decode_status
decode_event(struct decoder *d, int64_t index, int64_t syntax_index)
{
	const struct decode_env *env = d->env;
	const char *start = d->scan.at, *end;
	struct event_head *event = d->event;
	uint32_t max_bytes;

	if (d->seen == env->max_events)
		return refuse_size(d, CAUSE_BATCH_SIZE, -1, env->max_events);
	d->seen++;
	if (!d->kind->scan(event, &d->scan, env))
		return refuse_syntax(d, syntax_index);
	end = d->scan.at;
	if (d->lines && !scan_finish(&d->scan))
		return refuse_syntax(d, syntax_index);
	max_bytes =
	    env->max_event_bytes < DECODE_EVENT_BYTES_MAX ? (uint32_t)env->max_event_bytes : DECODE_EVENT_BYTES_MAX;
	if ((size_t)(end - start) > max_bytes)
		return refuse_size(d, CAUSE_EVENT_SIZE, index, max_bytes);

	d->kind->check(event, env, index);
	if (event->error_count > 0) {
		for (uint32_t i = 0; i < event->error_count; i++) {
			event->errors[i].index = index;
			add_error(d->result, &event->errors[i]);
		}
		d->result->rejected[CAUSE_FIELDS]++;
		return DECODE_OK;
	}
	d->good++;
	if (d->full || (d->result->error_count > 0 && !env->lenient))
		return DECODE_OK;

	size_t size = d->kind->size(event, env);

	if (size > d->capacity - d->used) {
		d->full = true;
		return DECODE_OK;
	}
	d->kind->write(event, env, d->seen - 1, d->out + d->used);
	d->used += size;
	d->sanitised += event->sanitised;
	d->unknown += event->has_unknown;
	return DECODE_OK;
}

static enum decode_status
decode_elements(struct decoder *d)
{
	enum scan_step step;
	bool first = true;

	while ((step = scan_element(&d->scan, &first)) == SCAN_ELEMENT) {
		enum decode_status status = decode_event(d, d->seen, -1);

		if (status != DECODE_OK)
			return status;
	}
	return step == SCAN_CLOSED ? DECODE_OK : refuse_syntax(d, -1);
}

/* Refuses a value that is no array. A syntax error takes precedence, as everywhere. */
static enum decode_status
refuse_non_array(struct decoder *d)
{
	struct json ignored;

	if (!scan_value(&d->scan, &ignored))
		return refuse_syntax(d, -1);
	add_error(d->result, &(struct decode_error){
				 .cause = CAUSE_FIELDS,
				 .type = "list_type",
				 .msg = "Input should be a valid list",
				 .index = -1,
				 .position = -1,
			     });
	return DECODE_OK;
}

/* Refuses text after a document's value. Gives a hint if NDJSON was sent as JSON, a common mistake. */
static enum decode_status
finish_document(struct decoder *d)
{
	if (scan_finish(&d->scan))
		return DECODE_OK;
	if (*d->scan.at == '{')
		d->scan.reason = "more than one value: lines of JSON go to /events/batch as application/x-ndjson";
	return refuse_syntax(d, -1);
}

static enum decode_status
decode_document(struct decoder *d, const char *text, size_t len, bool is_array)
{
	enum decode_status status;

	if (!scan_begin(&d->scan, text, len))
		return refuse_syntax(d, -1);
	if (!is_array)
		status = decode_event(d, -1, -1);
	else if (*d->scan.at == '[')
		status = decode_elements(d);
	else
		status = refuse_non_array(d);
	return status == DECODE_OK ? finish_document(d) : status;
}

static enum decode_status
decode_lines(struct decoder *d, const char *text, size_t len)
{
	const char *end = text + len, *line_end;

	for (const char *line = text; line < end; line = line_end + 1) {
		enum decode_status status;
		int64_t index = d->seen;

		line_end = memchr(line, '\n', (size_t)(end - line));
		if (line_end == NULL)
			line_end = end;
		if (!scan_begin(&d->scan, line, (size_t)(line_end - line)))
			continue; /* a blank line */
		status = decode_event(d, index, index);
		if (status != DECODE_OK)
			return status;
	}
	return DECODE_OK;
}

static bool
begins_with(const char *text, size_t len, const char *mark)
{
	size_t mark_len = strlen(mark);

	return len >= mark_len && memcmp(text, mark, mark_len) == 0;
}

/* Skips a byte order mark at the beginning (RFC 8259 section 8.1). Elsewhere it is an error. */
static enum decode_status
decode_text(struct decoder *d, size_t len, enum body_kind kind)
{
	const char *text = d->body;

	if (begins_with(text, len, "\xff\xfe") || begins_with(text, len, "\xfe\xff")) {
		d->scan = (struct scan){.at = text, .end = text + len, .reason = "UTF-16: send UTF-8"};
		return refuse_syntax(d, -1);
	}
	if (begins_with(text, len, "\xef\xbb\xbf")) {
		text += 3;
		len -= 3;
	}
	return kind == BODY_NDJSON ? decode_lines(d, text, len) : decode_document(d, text, len, kind == BODY_ARRAY);
}

enum decode_status
decode_body(struct span body, enum body_kind kind, const struct decode_env *env, struct decode_space space,
    struct decode_result *result)
{
	/* Avoid -ftrivial-auto-var-init here: clearing the struct would cost as much as decoding a few events. */
	union {
		struct event_head head;
		struct event hook_event;
		struct published_event published;
	} event __attribute__((uninitialized));
	struct decoder d = {
	    .env = env,
	    .kind = env->published ? &published_event_kind : &hook_event_kind,
	    .event = &event.head,
	    .result = result,
	    .body = body.len > 0 ? body.base : "",
	    .lines = kind == BODY_NDJSON,
	    .out = space.base,
	    .capacity = space.size,
	};
	enum decode_status status;

	assert((uintptr_t)space.base % 8 == 0);
	result->events = result->sanitised = result->unknown = 0;
	result->bytes = 0;
	clear_errors(result);

	status = decode_text(&d, body.len, kind);
	if (status != DECODE_OK)
		return status;
	if (result->error_count > 0 && (!env->lenient || d.good == 0))
		return DECODE_INVALID;
	if (d.full) {
		clear_errors(result);
		return DECODE_NO_SPACE;
	}
	result->events = d.good;
	result->bytes = d.used;
	result->sanitised = d.sanitised;
	result->unknown = d.unknown;
	return DECODE_OK;
}
