/*
 * The path of events through an acceptor:
 *
 *   limits of the key (auth.c) and of its tenant's queue -> media type, encoding (body.c) -> outlet of the connection
 *     -> decode into free ring space -> charge the key -> publish (outlet.c)
 *     -> ACK=queued: answer now | ACK=durable: answer when the lane has been released past the parcel, or it is refused
 *
 * Hook events go to a writer. Events of POST /v1/events go to a publisher, always with ACK=durable, and publish.c
 * answers their requests.
 */
#include "server/events.h"

#include <string.h>

#include "base/clock.h"
#include "base/probes.h"
#include "event/record.h"
#include "ingest/event_id.h"
#include "server/acceptor.h"
#include "server/auth.h"
#include "server/body.h"
#include "server/exchange.h"
#include "server/post_headers.h"
#include "server/publish.h"
#include "server/reply.h"
#include "shm/attempts.h"
#include "shm/counters.h"
#include "shm/full_queues.h"
#include "shm/key_table.h"

/* The counter of requests refused for that cause. */
static const enum counter rejected_for[CAUSES] = {
    [CAUSE_FIELDS] = COUNTER_REJECTED_FIELDS,
    [CAUSE_JSON] = COUNTER_REJECTED_JSON,
    [CAUSE_EVENT_SIZE] = COUNTER_REJECTED_EVENT_SIZE,
    [CAUSE_BATCH_SIZE] = COUNTER_REJECTED_BATCH_SIZE,
};

/* The decoder's action for each value of UNKNOWN_FIELDS. */
static const enum unknown_action unknown_actions[] = {
    [UNKNOWN_FIELDS_KEEP] = UNKNOWN_KEEP,
    [UNKNOWN_FIELDS_IGNORE] = UNKNOWN_IGNORE,
    [UNKNOWN_FIELDS_REFUSE] = UNKNOWN_REFUSE,
};

static void
reject(struct acceptor *acceptor, struct exchange *exchange, const struct refusal *refusal)
{
	counter_add(acceptor->slot, refusal->reason, 1);
	reply_error(exchange->req, refusal->status, refusal->text);
}

/* Counts the skipped events of a lenient request. */
static void
count_left_out(struct acceptor *acceptor, const struct decode_result *result)
{
	counter_add(acceptor->slot, COUNTER_EVENTS_REJECTED_FIELDS, result->rejected[CAUSE_FIELDS]);
	counter_add(acceptor->slot, COUNTER_EVENTS_REJECTED_JSON, result->rejected[CAUSE_JSON]);
	counter_add(acceptor->slot, COUNTER_EVENTS_REJECTED_SIZE, result->rejected[CAUSE_EVENT_SIZE]);
}

static struct outlets *
outlets_of(struct acceptor *acceptor, const struct exchange *exchange)
{
	return exchange->published ? &acceptor->publishes : &acceptor->events;
}

/* The events' tenant; empty for the default tenant. */
static struct span
tenant_of(const struct exchange *exchange)
{
	if (exchange->key == NULL || strcmp(exchange->key->tenant_id, RECORD_DEFAULT_TENANT) == 0)
		return (struct span){NULL, 0};
	return exchange->caller.tenant_id;
}

/*
 * Sets the decoder's parameters from the request's headers. key is memory for env->key. Returns whether the headers are
 * valid.
 */
static bool
read_headers(
    struct acceptor *acceptor, const struct exchange *exchange, struct decode_env *env, char key[IDEMPOTENCY_KEY_MAX])
{
	const struct config *config = acceptor->config;
	h2o_req_t *req = exchange->req;

	*env = (struct decode_env){
	    .published = exchange->published,
	    .max_event_bytes = exchange->published ? config->hl_max_payload_bytes : config->max_event_bytes,
	    .max_events = config->max_batch_events,
	    .unknown = unknown_actions[config->unknown_fields],
	    .now_us = clock_wall_us(),
	    .tenant = tenant_of(exchange),
	    .ids = &acceptor->ids,
	    .lenient = post_is_lenient(req),
	};
	if (!post_key(req, key, &env->key))
		return false;
	env->timestamp_us = env->key.base != NULL ? event_time_of_key(env->key, env->now_us) : env->now_us;
	if (exchange->published)
		post_trace(req, &env->traceparent, &env->tracestate);
	return true;
}

/* Answers 202. reached: COUNTER_ACCEPTED_STORED, _SPOOLED or _QUEUED. */
static void
accept_request(const struct outlets *outlets, struct exchange *exchange, enum counter reached)
{
	static const char *const names[] = {"stored", "spooled", "queued"};

	counter_add(outlets->slot, reached, 1);
	histogram_add(outlets->slot, HISTOGRAM_REQUEST, (uint64_t)(clock_steady_us() - exchange->begun_us));
	reply_accepted(exchange->req, exchange->events, names[reached - COUNTER_ACCEPTED_STORED], exchange->rejected);
}

void
events_answer(const struct outlets *outlets, struct exchange *exchange, const struct parcel *parcel)
{
	if ((parcel->flags & LANE_REFUSED) != 0)
		outlet_refuse(outlets, exchange,
		    "The store did not take the events in time; nothing of this request was kept, try again",
		    COUNTER_REFUSED_WAITED);
	else if ((parcel->flags & LANE_DISMISSED) != 0)
		outlet_refuse(outlets, exchange,
		    "The store did not answer in time; the events may be stored, now or later: send them again with "
		    "the same event_id",
		    COUNTER_REFUSED_WAITED);
	else
		accept_request(outlets, exchange,
		    (parcel->flags & LANE_SPOOLED) != 0 ? COUNTER_ACCEPTED_SPOOLED : COUNTER_ACCEPTED_STORED);
}

static void
count_changed(struct acceptor *acceptor, const struct decode_result *result)
{
	counter_add(acceptor->slot, COUNTER_SANITISED, result->sanitised);
	counter_add(acceptor->slot,
	    acceptor->config->unknown_fields == UNKNOWN_FIELDS_KEEP ? COUNTER_UNKNOWN_KEPT : COUNTER_UNKNOWN_IGNORED,
	    result->unknown);
}

/* Publishes the records of a valid request from the reserved space. An empty request makes no parcel. */
static void
take(struct acceptor *acceptor, struct outlet *outlet, struct exchange *exchange, const struct decode_result *result,
    bool lenient)
{
	struct outlets *outlets = outlets_of(acceptor, exchange);

	exchange->events = result->events;
	if (lenient) {
		exchange->rejected = reply_rejected_members(exchange->req, result);
		count_left_out(acceptor, result);
	}
	if (!exchange->published)
		count_changed(acceptor, result);
	if (result->events > 0 && outlet_publish(outlets, outlet, exchange, result->bytes))
		return;
	if (exchange->published)
		publish_accept_none(outlets, exchange);
	else
		accept_request(outlets, exchange,
		    result->events == 0 && outlets_are_durable(outlets) ? COUNTER_ACCEPTED_STORED
									: COUNTER_ACCEPTED_QUEUED);
}

static void
refuse_invalid(struct acceptor *acceptor, struct exchange *exchange, const struct decode_result *result, bool lenient)
{
	counter_add(acceptor->slot, rejected_for[result->errors[0].cause], 1);
	if (lenient)
		count_left_out(acceptor, result);
	if (exchange->published)
		reply_invalid_published(exchange->req, result, lenient);
	else
		reply_invalid(exchange->req, result, lenient);
}

static void
refuse_size(struct acceptor *acceptor, struct exchange *exchange, const struct decode_error *error)
{
	counter_add(acceptor->slot, rejected_for[error->cause], 1);
	reply_too_large(exchange->req, error, exchange->published ? "HL_MAX_PAYLOAD_BYTES" : "MAX_EVENT_BYTES");
}

/* Answers a valid request that does not fit into its lane's free space. whole: the lane was empty. */
static void
refuse_for_space(struct acceptor *acceptor, struct exchange *exchange, bool whole)
{
	static const struct refusal too_large = {413, COUNTER_REJECTED_BATCH_SIZE,
	    "The request does not fit into an empty lane of the ring; send it in smaller batches"};
	static const struct refusal too_large_published = {413, COUNTER_REJECTED_BATCH_SIZE,
	    "The request does not fit into an empty lane of the ring: each event takes the headers Idempotency-Key, "
	    "traceparent and tracestate with it; send smaller batches, or shorter headers"};

	if (whole) {
		reject(acceptor, exchange, exchange->published ? &too_large_published : &too_large);
		return;
	}
	counter_add(acceptor->slot, COUNTER_REFUSED_RING, 1);
	reply_busy(exchange->req, "The ring is full; nothing of this request was kept, try again");
}

static void
refuse_for_share(struct acceptor *acceptor, struct exchange *exchange)
{
	if (exchange->key == NULL) {
		counter_add(acceptor->slot, COUNTER_REFUSED_RING, 1);
		reply_busy(exchange->req, "Requests without a key from your address have used their share of the ring: "
					  "nothing of this request was kept, try again");
		return;
	}
	counter_add(acceptor->slot, COUNTER_REJECTED_SHARE, 1);
	reply_too_many(exchange->req, "The requests of this API key have used its share of the ring: nothing of this "
				      "request was kept, try again");
}

static void
decode_and_publish(struct acceptor *acceptor, struct exchange *exchange, const struct body *body)
{
	static const struct refusal bad_key = {400, COUNTER_REJECTED_KEY,
	    "Idempotency-Key must be given once and be 1 to 255 visible ASCII characters, bare or in quotes, and no "
	    "placeholder such as null"};
	struct outlets *outlets = outlets_of(acceptor, exchange);
	struct outlet *outlet;
	/* Avoid clearing the large array of errors (-ftrivial-auto-var-init). */
	struct decode_result result __attribute__((uninitialized));
	struct decode_env env;
	char key[IDEMPOTENCY_KEY_MAX];
	struct decode_space space;

	if (!read_headers(acceptor, exchange, &env, key)) {
		reject(acceptor, exchange, &bad_key);
		return;
	}
	if (outlets->count == 0) { /* an adopted segment of a run without the API */
		outlet_refuse(outlets, exchange,
		    "There is no publisher yet; nothing of this request was kept, try again",
		    COUNTER_REFUSED_CONNECTING);
		return;
	}
	outlet = outlet_choose(outlets, exchange->req->conn->id);
	if (!outlet_is_open(outlets, outlet, exchange))
		return;
	space.base = outlet_reserve(outlets, outlet, &space.size);
	if (!outlet_allows(outlet, exchange)) {
		refuse_for_share(acceptor, exchange);
		return;
	}
	switch (decode_body(body->text, body->kind, &env, space, &result)) {
	case DECODE_OK:
		if (auth_charge(acceptor, exchange, result.events, body->text.len))
			take(acceptor, outlet, exchange, &result, env.lenient);
		break;
	case DECODE_INVALID:
		refuse_invalid(acceptor, exchange, &result, env.lenient);
		break;
	case DECODE_TOO_LARGE:
		refuse_size(acceptor, exchange, &result.errors[0]);
		break;
	case DECODE_NO_SPACE:
		refuse_for_space(acceptor, exchange, space.size == outlet->lane.arena_bytes);
		break;
	}
}

/* Whether the tenant's queue is below HL_MAX_QUEUE_DEPTH. If not, answers before reading the body. */
static bool
queue_has_room(struct acceptor *acceptor, struct exchange *exchange)
{
	if (!exchange->published || acceptor->config->hl_max_queue_depth == 0 || exchange->key == NULL ||
	    !full_queues_have(&acceptor->segment->keys->full_queues, tenant_hash(exchange->caller.tenant_id)))
		return true;
	counter_add(acceptor->slot, COUNTER_REJECTED_DEPTH, 1);
	reply_add_header(exchange->req, "Retry-After", H2O_STRLIT("5"));
	reply_api_error(exchange->req, 429, "overloaded",
	    "More jobs of the tenant wait than HL_MAX_QUEUE_DEPTH allows: nothing was published, try again when some "
	    "are "
	    "delivered");
	return false;
}

/* Detects the kind of a batch of published events by its first character: NDJSON, or else an array. */
static enum body_kind
kind_of_batch(struct span text)
{
	static const char mark[] = "\xef\xbb\xbf"; /* a byte order mark */
	size_t at = 0;

	if (text.len >= 3 && memcmp(text.base, mark, 3) == 0)
		at = 3;
	while (at < text.len && strchr(" \t\r\n", text.base[at]) != NULL && text.base[at] != '\0')
		at++;
	return at < text.len && text.base[at] == '{' ? BODY_NDJSON : BODY_ARRAY;
}

static bool
read_body(struct acceptor *acceptor, struct exchange *exchange, struct body *body, struct refusal *refusal)
{
	const struct body_limits limits = {acceptor->config->max_body_bytes, acceptor->config->max_compression_ratio};

	if (!exchange->published)
		return body_read(exchange->req, exchange->batch, &limits, body, refusal);
	if (!body_read_untyped(exchange->req, &limits, body, refusal))
		return false;
	body->kind = exchange->batch ? kind_of_batch(body->text) : BODY_EVENT;
	return true;
}

void
events_post(struct acceptor *acceptor, struct exchange *exchange)
{
	struct refusal refusal;
	struct body body;

	exchange->begun_us = clock_steady_us();
	PROBE_ACCEPT(exchange->req, exchange->published);
	if (!auth_within_limits(acceptor, exchange) || !queue_has_room(acceptor, exchange))
		return;
	if (!read_body(acceptor, exchange, &body, &refusal)) {
		reject(acceptor, exchange, &refusal);
		return;
	}
	decode_and_publish(acceptor, exchange, &body);
	body_free(&body);
}
