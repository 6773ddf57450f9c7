/*
 * Bodies of requests: one event, an array, or lines. Each kind is a loop around take_event(), which scans, checks and
 * writes one event. Once something is wrong or does not fit, the rest is still scanned and checked, only not written:
 * the client shall hear about all its wrong fields, and about a full ring only when its request was right. A lenient
 * request goes on writing what is right.
 *
 * Inside this file DECODE_OK means "go on": an event that is refused by itself is only noted, anything else ends the
 * scan.
 */
#include "ingest/decode.h"

#include <assert.h>
#include <string.h>

#include "ingest/envelope.h"
#include "event/scan.h"

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
	uint32_t good; /* of them, also those that did not fit */
	uint32_t sanitised, unknown; /* of the good ones */
	bool full; /* a record did not fit: no further ones are written */
	struct event *event; /* the one at hand */
};

static void
add_error(struct decode_result *result, const struct decode_error *error)
{
	result->errors_found++;
	if (result->error_count < DECODE_ERRORS_MAX)
		result->errors[result->error_count++] = *error;
}

static void
forget_errors(struct decode_result *result)
{
	result->error_count = result->errors_found = 0;
	memset(result->rejected, 0, sizeof result->rejected);
}

/* The scan ends here, and errors that were found before do not count. */
static enum decode_status
stop(struct decoder *d, enum decode_status status, const struct decode_error *error)
{
	forget_errors(d->result);
	add_error(d->result, error);
	return status;
}

/* The event of that index cannot be taken: it is left out of a lenient request, and ends any other. */
static enum decode_status
leave_out(struct decoder *d, enum decode_status status, const struct decode_error *error)
{
	if (!d->env->lenient || error->index < 0)
		return stop(d, status, error);
	d->result->rejected[error->cause]++;
	add_error(d->result, error);
	return DECODE_OK;
}

static enum decode_status
syntax_error(struct decoder *d, int64_t index)
{
	return leave_out(d, DECODE_INVALID,
	    &(struct decode_error){
		.cause = CAUSE_JSON,
		.type = "json_invalid",
		.msg = "JSON decode error",
		.reason = d->scan.reason,
		.index = index,
		.position = d->scan.at - d->body,
	    });
}

static enum decode_status
too_large(struct decoder *d, enum decode_cause cause, const char *type, const char *msg, int64_t index, uint32_t limit)
{
	return leave_out(d, DECODE_TOO_LARGE,
	    &(struct decode_error){
		.cause = cause, .type = type, .msg = msg, .index = index, .position = -1, .limit = limit});
}

/* index is the event's in error messages, syntax_index the same for those about syntax. */
static enum decode_status
take_event(struct decoder *d, int64_t index, int64_t syntax_index)
{
	const struct decode_env *env = d->env;
	const char *start = d->scan.at, *end;
	struct event *event = d->event;
	uint32_t max_bytes;

	if (d->seen == env->max_events)
		return too_large(
		    d, CAUSE_BATCH_SIZE, "too_many_events", "Too many events in one request", -1, env->max_events);
	d->seen++;
	if (!event_scan(event, &d->scan, env->unknown))
		return syntax_error(d, syntax_index);
	end = d->scan.at;
	if (d->lines && !scan_finish(&d->scan))
		return syntax_error(d, syntax_index);
	max_bytes =
	    env->max_event_bytes < DECODE_EVENT_BYTES_MAX ? (uint32_t)env->max_event_bytes : DECODE_EVENT_BYTES_MAX;
	if ((size_t)(end - start) > max_bytes)
		return too_large(d, CAUSE_EVENT_SIZE, "event_too_large", "Event is too large", index, max_bytes);

	event_check(event, env);
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

	size_t size = event_size(event);

	if (size > d->capacity - d->used) {
		d->full = true;
		return DECODE_OK;
	}
	event_write(event, env, d->seen - 1, d->out + d->used);
	d->used += size;
	d->sanitised += event->sanitised;
	d->unknown += event->unknown.any;
	return DECODE_OK;
}

static enum decode_status
take_elements(struct decoder *d)
{
	enum scan_step step;
	bool first = true;

	while ((step = scan_element(&d->scan, &first)) == SCAN_ELEMENT) {
		enum decode_status status = take_event(d, d->seen, -1);

		if (status != DECODE_OK)
			return status;
	}
	return step == SCAN_CLOSED ? DECODE_OK : syntax_error(d, -1);
}

/* The value at hand is no array: its syntax comes first, as everywhere. */
static enum decode_status
refuse_non_array(struct decoder *d)
{
	struct json ignored;

	if (!scan_value(&d->scan, &ignored))
		return syntax_error(d, -1);
	add_error(d->result, &(struct decode_error){
				 .cause = CAUSE_FIELDS,
				 .type = "list_type",
				 .msg = "Input should be a valid list",
				 .index = -1,
				 .position = -1,
			     });
	return DECODE_OK;
}

/* Behind the one value of a document. Lines are often sent with the media type of a document. */
static enum decode_status
finish_document(struct decoder *d)
{
	if (scan_finish(&d->scan))
		return DECODE_OK;
	if (*d->scan.at == '{')
		d->scan.reason = "more than one value: lines of JSON go to /events/batch as application/x-ndjson";
	return syntax_error(d, -1);
}

static enum decode_status
take_document(struct decoder *d, const char *text, size_t len, bool is_array)
{
	enum decode_status status;

	if (!scan_begin(&d->scan, text, len))
		return syntax_error(d, -1);
	if (!is_array)
		status = take_event(d, -1, -1);
	else if (*d->scan.at == '[')
		status = take_elements(d);
	else
		status = refuse_non_array(d);
	return status == DECODE_OK ? finish_document(d) : status;
}

static enum decode_status
take_lines(struct decoder *d, const char *text, size_t len)
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
		status = take_event(d, index, index);
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

/* One byte order mark may stand before the text (RFC 8259 section 8.1), and nowhere else. */
static enum decode_status
take_body(struct decoder *d, size_t len, enum body_kind kind)
{
	const char *text = d->body;

	if (begins_with(text, len, "\xff\xfe") || begins_with(text, len, "\xfe\xff")) {
		d->scan = (struct scan){.at = text, .end = text + len, .reason = "UTF-16: send UTF-8"};
		return syntax_error(d, -1);
	}
	if (begins_with(text, len, "\xef\xbb\xbf")) {
		text += 3;
		len -= 3;
	}
	return kind == BODY_NDJSON ? take_lines(d, text, len) : take_document(d, text, len, kind == BODY_ARRAY);
}

enum decode_status
decode_body(struct span body, enum body_kind kind, const struct decode_env *env, struct decode_space space,
    struct decode_result *result)
{
	/* The compiler clears what has no value yet. So many bytes would cost as much as decoding a few events. */
	struct event event __attribute__((uninitialized));
	struct decoder d = {
	    .env = env,
	    .event = &event,
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
	forget_errors(result);

	status = take_body(&d, body.len, kind);
	if (status != DECODE_OK)
		return status;
	if (result->error_count > 0 && (!env->lenient || d.good == 0))
		return DECODE_INVALID;
	if (d.full) {
		forget_errors(result);
		return DECODE_NO_SPACE;
	}
	result->events = d.good;
	result->bytes = d.used;
	result->sanitised = d.sanitised;
	result->unknown = d.unknown;
	return DECODE_OK;
}
