/*
 * The path of events through an acceptor:
 *
 *   media type, encoding -> lane of the connection -> decode into free ring space -> publish -> wake the writer
 *     -> ACK=queued: answer now | ACK=durable: answer when the lane has been released past the parcel, or it is refused
 *
 * A connection always uses the same lane, so its events reach the store in the order they were sent.
 */
#include "server/events.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ingest/decode.h"
#include "ingest/event_id.h"
#include "ingest/inflate.h"
#include "server/parked.h"
#include "server/post_headers.h"
#include "server/reply.h"
#include "event/record.h"

static struct span
header_value(const h2o_req_t *req, const h2o_token_t *token)
{
	ssize_t at = h2o_find_header(&req->headers, token, -1);

	if (at == -1)
		return (struct span){NULL, 0};
	return (struct span){req->headers.entries[at].value.base, req->headers.entries[at].value.len};
}

/* Whether what stands before the next semicolon is that word, in any case, without the blanks and quotes around it. */
static bool
word_is(struct span value, const char *word)
{
	const char *end = memchr(value.base, ';', value.len);
	size_t len = end != NULL ? (size_t)(end - value.base) : value.len;

	while (len > 0 && strchr(" \t\"", value.base[len - 1]) != NULL)
		len--;
	while (len > 0 && strchr(" \t\"", *value.base) != NULL) {
		value.base++;
		len--;
	}
	return len == strlen(word) && strncasecmp(value.base, word, len) == 0;
}

/* Whether a Content-Type names no charset, or one whose bytes are UTF-8. */
static bool
charset_fits(struct span type)
{
	static const char name[] = "charset=";
	const char *at = type.base, *end = type.base + type.len;

	while ((at = memchr(at, ';', (size_t)(end - at))) != NULL) {
		do
			at++;
		while (at < end && (*at == ' ' || *at == '\t'));
		if ((size_t)(end - at) >= sizeof name - 1 && strncasecmp(at, name, sizeof name - 1) == 0) {
			struct span charset = {at + sizeof name - 1, (size_t)(end - at) - (sizeof name - 1)};

			return word_is(charset, "utf-8") || word_is(charset, "utf8") || word_is(charset, "us-ascii");
		}
	}
	return true;
}

/* A refusal that sending the same again would not change. */
static void
reject(struct acceptor *acceptor, h2o_req_t *req, int status, const char *text, enum counter reason)
{
	counter_add(acceptor->slot, reason, 1);
	reply_error(req, status, text);
}

static void
reject_encoding(struct acceptor *acceptor, h2o_req_t *req, const char *text)
{
	reply_add_header(req, "Accept-Encoding", H2O_STRLIT("gzip, zstd"));
	reject(acceptor, req, 415, text, COUNTER_REJECTED_ENCODING);
}

/* What the body is, or -1 when it is answered with 415. A body without a type is taken as JSON. */
static int
body_kind_of(struct acceptor *acceptor, h2o_req_t *req, bool batch)
{
	static const char *const ndjson[] = {"application/x-ndjson", "application/ndjson", "application/jsonl",
	    "application/x-jsonlines", "application/jsonlines"};
	struct span type = header_value(req, H2O_TOKEN_CONTENT_TYPE);

	if (type.len == 0)
		return batch ? BODY_ARRAY : BODY_EVENT;
	if (!charset_fits(type)) {
		reject(acceptor, req, 415,
		    "The charset of Content-Type must be UTF-8: events are UTF-8, as all JSON is",
		    COUNTER_REJECTED_MEDIA_TYPE);
		return -1;
	}
	if (word_is(type, "application/json") || word_is(type, "text/json"))
		return batch ? BODY_ARRAY : BODY_EVENT;
	for (size_t i = 0; i < sizeof ndjson / sizeof *ndjson; i++)
		if (word_is(type, ndjson[i])) {
			if (batch)
				return BODY_NDJSON;
			reject(acceptor, req, 415,
			    "NDJSON goes to /events/batch; /events takes one application/json object",
			    COUNTER_REJECTED_MEDIA_TYPE);
			return -1;
		}
	reject(acceptor, req, 415,
	    batch ? "Content-Type must be application/json (an array of events) or application/x-ndjson (one a line)"
		  : "Content-Type must be application/json (with curl: -H 'Content-Type: application/json')",
	    COUNTER_REJECTED_MEDIA_TYPE);
	return -1;
}

/* What all Content-Encoding headers together say. Returns 0 or one of enum encoding_condition. */
static int
encoding_of(const h2o_req_t *req, enum content_encoding *encoding)
{
	ssize_t at = -1;
	int rc = 0;

	while (rc == 0 && (at = h2o_find_header(&req->headers, H2O_TOKEN_CONTENT_ENCODING, at)) != -1)
		rc = content_encoding_add(
		    req->headers.entries[at].value.base, req->headers.entries[at].value.len, encoding);
	return rc;
}

/*
 * The decoded body: req->entity itself, or *inflated (malloc'ed, to be freed by the caller). Returns false when the
 * request has been answered.
 */
static bool
decoded_body(struct acceptor *acceptor, h2o_req_t *req, struct span *body, char **inflated)
{
	size_t max = acceptor->config->max_body_bytes;
	enum content_encoding encoding = ENCODING_IDENTITY;
	struct error err;

	*inflated = NULL;
	*body = (struct span){req->entity.base, req->entity.len};
	if (body->len > max) {
		reject(acceptor, req, 413, reply_body_too_large_text(max, false), COUNTER_REJECTED_BODY_SIZE);
		return false;
	}
	switch (encoding_of(req, &encoding)) {
	case ENCODING_UNKNOWN:
		reject_encoding(acceptor, req, "Content-Encoding must be gzip, zstd or identity");
		return false;
	case ENCODING_SEVERAL:
		reject_encoding(
		    acceptor, req, "Content-Encoding names several: compress the body once, by gzip or zstd");
		return false;
	default:
		break;
	}
	if (encoding == ENCODING_IDENTITY)
		return true;

	switch (inflate_body(encoding, body->base, body->len, max, inflated, &body->len, &err)) {
	case 0:
		body->base = *inflated;
		return true;
	case INFLATE_TOO_LARGE:
		reject(acceptor, req, 413, reply_body_too_large_text(max, true), COUNTER_REJECTED_BODY_SIZE);
		return false;
	default:
		reject(acceptor, req, 400, err.text, COUNTER_REJECTED_COMPRESSION);
		return false;
	}
}

/* Answers a request whose events are where reached says: COUNTER_ACCEPTED_STORED or one of the two after it. */
static void
accepted(struct acceptor *acceptor, const struct pending *item, enum counter reached)
{
	static const char *const names[] = {"stored", "spooled", "queued"};

	counter_add(acceptor->slot, reached, 1);
	histogram_add(acceptor->slot, HISTOGRAM_REQUEST, (uint64_t)(clock_steady_us() - item->begun_us));
	reply_accepted(item->request, item->events, names[reached - COUNTER_ACCEPTED_STORED], item->rejected);
}

static void
busy(struct acceptor *acceptor, h2o_req_t *req, const char *text, enum counter reason)
{
	counter_add(acceptor->slot, reason, 1);
	reply_busy(req, text);
}

/* Answers a request that has waited, by the flags of its parcel, and not before something has become of that. */
static void
answer(struct acceptor *acceptor, const struct pending *item, uint32_t flags)
{
	unpark(item->request);
	if ((flags & LANE_REFUSED) != 0)
		busy(acceptor, item->request,
		    "The store did not take the events in time; nothing of this request was kept, try again",
		    COUNTER_REFUSED_WAITED);
	else if ((flags & LANE_DISMISSED) != 0)
		busy(acceptor, item->request,
		    "The store did not answer in time; the events may be stored, now or later: send them again with "
		    "the same event_id",
		    COUNTER_REFUSED_WAITED);
	else
		accepted(
		    acceptor, item, (flags & LANE_SPOOLED) != 0 ? COUNTER_ACCEPTED_SPOOLED : COUNTER_ACCEPTED_STORED);
}

/* Answers the requests of one lane whose events are stored, spooled or refused. Returns whether there was one. */
static bool
answer_lane(struct acceptor *acceptor, uint32_t writer)
{
	const struct lane *lane = &acceptor->lanes[writer];
	struct pending_queue *queue = &acceptor->pending[writer];
	bool any = false;

	while (pending_due(queue, lane)) {
		struct pending item = pending_pop(queue);

		answer(acceptor, &item, lane_flags(lane, item.position));
		any = true;
	}
	return any;
}

/* Whether an answer must wait for the store: also when nobody would find the ring, were all processes killed. */
static bool
answers_late(const struct acceptor *acceptor)
{
	return acceptor->config->ack == ACK_DURABLE || segment_file_gone(acceptor->segment->header);
}

static void
publish(struct acceptor *acceptor, uint32_t writer, const struct decode_result *result, struct pending item)
{
	bool durable = answers_late(acceptor);

	/* The parcel may take the descriptor of one whose request waits yet, and that one still has to tell its fate. */
	(void)answer_lane(acceptor, writer);
	counter_add(acceptor->slot, COUNTER_SANITISED, result->sanitised);
	counter_add(acceptor->slot,
	    acceptor->config->unknown_fields == UNKNOWN_FIELDS_KEEP ? COUNTER_UNKNOWN_KEPT : COUNTER_UNKNOWN_IGNORED,
	    result->unknown);
	item.position =
	    lane_publish(&acceptor->lanes[writer], result->bytes, result->events, durable ? LANE_AWAITED : 0);
	wake_up(&acceptor->writers[writer]);
	if (durable) {
		park(item.request);
		pending_push(&acceptor->pending[writer], item);
	} else {
		accepted(acceptor, &item, COUNTER_ACCEPTED_QUEUED);
	}
}

/*
 * Whether events for that writer are taken; if not, the request is answered. ACK=durable: only while the store or the spool
 * takes them, because else an acknowledgement could not be given. ACK=queued: the ring bridges an outage, but not a store
 * that has never been reached, which is a mistake in the configuration that must not look like success.
 */
static bool
store_lets_in(struct acceptor *acceptor, h2o_req_t *req, uint32_t writer)
{
	switch (writer_store_state(segment_writer(acceptor->segment, writer))) {
	case STORE_READY:
	case STORE_SPOOLING:
		return true;
	case STORE_UNAVAILABLE:
		if (!answers_late(acceptor))
			return true;
		busy(acceptor, req,
		    "The store is unavailable, and no spool takes the events; nothing of this request was kept, try "
		    "again",
		    COUNTER_REFUSED_STORE);
		return false;
	default:
		busy(acceptor, req, "The store has not been reached yet; nothing of this request was kept, try again",
		    COUNTER_REFUSED_CONNECTING);
		return false;
	}
}

/* The events of a lenient request that were not taken. */
static void
count_left_out(struct acceptor *acceptor, const struct decode_result *result)
{
	counter_add(acceptor->slot, COUNTER_EVENTS_REJECTED_FIELDS, result->rejected[CAUSE_FIELDS]);
	counter_add(acceptor->slot, COUNTER_EVENTS_REJECTED_JSON, result->rejected[CAUSE_JSON]);
	counter_add(acceptor->slot, COUNTER_EVENTS_REJECTED_SIZE, result->rejected[CAUSE_EVENT_SIZE]);
}

static void
decode_and_publish(struct acceptor *acceptor, h2o_req_t *req, struct span body, enum body_kind kind, int64_t begun_us)
{
	static const enum counter rejected_for[CAUSES] = {
	    [CAUSE_FIELDS] = COUNTER_REJECTED_FIELDS,
	    [CAUSE_JSON] = COUNTER_REJECTED_JSON,
	    [CAUSE_EVENT_SIZE] = COUNTER_REJECTED_EVENT_SIZE,
	    [CAUSE_BATCH_SIZE] = COUNTER_REJECTED_BATCH_SIZE,
	};
	static const enum unknown_action unknown_actions[] = {
	    [UNKNOWN_FIELDS_KEEP] = UNKNOWN_KEEP,
	    [UNKNOWN_FIELDS_IGNORE] = UNKNOWN_IGNORE,
	    [UNKNOWN_FIELDS_REFUSE] = UNKNOWN_REFUSE,
	};
	uint32_t writer = (uint32_t)(req->conn->id % acceptor->segment->counts[ROLE_WRITER]);
	const struct lane *lane = &acceptor->lanes[writer];
	struct decode_env env = {
	    .max_event_bytes = acceptor->config->max_event_bytes,
	    .max_events = acceptor->config->max_batch_events,
	    .unknown = unknown_actions[acceptor->config->unknown_fields],
	    .now_us = clock_wall_us(),
	    .ids = &acceptor->ids,
	    .lenient = post_is_lenient(req),
	};
	char key[IDEMPOTENCY_KEY_MAX];
	struct pending item = {.request = req, .begun_us = begun_us};
	/* Errors are many bytes, which the compiler would clear. */
	struct decode_result result __attribute__((uninitialized));
	size_t available;
	char *space;

	if (!post_key(req, key, &env.key)) {
		reject(acceptor, req, 400,
		    "Idempotency-Key must be given once and be 1 to 255 visible ASCII characters, bare or in quotes, "
		    "and "
		    "no placeholder such as null",
		    COUNTER_REJECTED_KEY);
		return;
	}
	env.timestamp_us = env.key.base != NULL ? event_time_of_key(env.key, env.now_us) : env.now_us;
	if (!store_lets_in(acceptor, req, writer))
		return;
	space = lane_reserve(lane, &available);
	switch (decode_body(body.base, body.len, kind, &env, space, available, &result)) {
	case DECODE_OK:
		item.events = result.events;
		if (env.lenient) {
			item.rejected = reply_rejected_members(req, &result);
			count_left_out(acceptor, &result);
		}
		if (result.events > 0)
			publish(acceptor, writer, &result, item);
		else
			accepted(acceptor, &item,
			    answers_late(acceptor) ? COUNTER_ACCEPTED_STORED : COUNTER_ACCEPTED_QUEUED);
		break;
	case DECODE_INVALID:
		counter_add(acceptor->slot, rejected_for[result.errors[0].cause], 1);
		if (env.lenient)
			count_left_out(acceptor, &result);
		reply_invalid(req, &result, env.lenient);
		break;
	case DECODE_TOO_LARGE:
		counter_add(acceptor->slot, rejected_for[result.errors[0].cause], 1);
		reply_too_large(req, &result.errors[0]);
		break;
	case DECODE_NO_SPACE:
		if (available == lane->arena_bytes)
			reject(acceptor, req, 413,
			    "The request does not fit into an empty lane of the ring; send it in smaller batches",
			    COUNTER_REJECTED_BATCH_SIZE);
		else
			busy(acceptor, req, "The ring is full; nothing of this request was kept, try again",
			    COUNTER_REFUSED_RING);
		break;
	}
}

void
events_post(struct acceptor *acceptor, h2o_req_t *req, bool batch)
{
	int64_t begun_us = clock_steady_us();
	int kind = body_kind_of(acceptor, req, batch);
	struct span body;
	char *inflated = NULL;

	if (kind >= 0 && decoded_body(acceptor, req, &body, &inflated))
		decode_and_publish(acceptor, req, body, (enum body_kind)kind, begun_us);
	free(inflated);
}

bool
events_answer(struct acceptor *acceptor)
{
	bool any = false;

	for (uint32_t w = 0; w < acceptor->segment->counts[ROLE_WRITER]; w++)
		if (answer_lane(acceptor, w))
			any = true;
	return any;
}

bool
events_answer_due(const struct acceptor *acceptor)
{
	for (uint32_t w = 0; w < acceptor->segment->counts[ROLE_WRITER]; w++)
		if (pending_due(&acceptor->pending[w], &acceptor->lanes[w]))
			return true;
	return false;
}

bool
events_waiting(const struct acceptor *acceptor)
{
	for (uint32_t w = 0; w < acceptor->segment->counts[ROLE_WRITER]; w++)
		if (acceptor->pending[w].count > 0)
			return true;
	return false;
}

bool
events_give_up(struct acceptor *acceptor)
{
	bool any = false;

	for (uint32_t w = 0; w < acceptor->segment->counts[ROLE_WRITER]; w++)
		while (acceptor->pending[w].count > 0) {
			struct pending item = pending_pop(&acceptor->pending[w]);

			answer(acceptor, &item, LANE_DISMISSED);
			any = true;
		}
	return any;
}
