/*
 * The path of events through an acceptor:
 *
 *   limits of the key (auth.c) -> media type, encoding (body.c) -> outlet of the connection -> decode into free ring
 *     space -> charge the key -> publish (outlet.c)
 *     -> ACK=queued: answer now | ACK=durable: answer when the lane has been released past the parcel, or it is refused
 */
#include "server/events.h"

#include <string.h>

#include "base/clock.h"
#include "event/record.h"
#include "ingest/event_id.h"
#include "server/acceptor.h"
#include "server/auth.h"
#include "server/body.h"
#include "server/exchange.h"
#include "server/post_headers.h"
#include "server/reply.h"
#include "shm/counters.h"
#include "shm/key_table.h"

/* The counter of whole requests that are wrong for that cause. */
static const enum counter rejected_for[CAUSES] = {
    [CAUSE_FIELDS] = COUNTER_REJECTED_FIELDS,
    [CAUSE_JSON] = COUNTER_REJECTED_JSON,
    [CAUSE_EVENT_SIZE] = COUNTER_REJECTED_EVENT_SIZE,
    [CAUSE_BATCH_SIZE] = COUNTER_REJECTED_BATCH_SIZE,
};

/* What the decoder does with unknown fields, by the value of UNKNOWN_FIELDS. */
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

/* Counts the events of a lenient request that were not taken. */
static void
count_left_out(struct acceptor *acceptor, const struct decode_result *result)
{
	counter_add(acceptor->slot, COUNTER_EVENTS_REJECTED_FIELDS, result->rejected[CAUSE_FIELDS]);
	counter_add(acceptor->slot, COUNTER_EVENTS_REJECTED_JSON, result->rejected[CAUSE_JSON]);
	counter_add(acceptor->slot, COUNTER_EVENTS_REJECTED_SIZE, result->rejected[CAUSE_EVENT_SIZE]);
}

/* Whose the events are: empty for the default tenant. */
static struct span
tenant_of(const struct exchange *exchange)
{
	if (exchange->key == NULL || strcmp(exchange->key->tenant_id, RECORD_DEFAULT_TENANT) == 0)
		return (struct span){NULL, 0};
	return exchange->caller.tenant_id;
}

/* Sets how the request wants to be decoded. key holds the text of env->key. Returns whether its headers are right. */
static bool
read_headers(
    struct acceptor *acceptor, const struct exchange *exchange, struct decode_env *env, char key[IDEMPOTENCY_KEY_MAX])
{
	const h2o_req_t *req = exchange->req;

	*env = (struct decode_env){
	    .max_event_bytes = acceptor->config->max_event_bytes,
	    .max_events = acceptor->config->max_batch_events,
	    .unknown = unknown_actions[acceptor->config->unknown_fields],
	    .now_us = clock_wall_us(),
	    .tenant = tenant_of(exchange),
	    .ids = &acceptor->ids,
	    .lenient = post_is_lenient(req),
	};
	if (!post_key(req, key, &env->key))
		return false;
	env->timestamp_us = env->key.base != NULL ? event_time_of_key(env->key, env->now_us) : env->now_us;
	return true;
}

/* The request is right, and its records stand in the reserved space. */
static void
take(struct acceptor *acceptor, struct outlet *outlet, struct exchange *exchange, const struct decode_result *result,
    bool lenient)
{
	exchange->events = result->events;
	if (lenient) {
		exchange->rejected = reply_rejected_members(exchange->req, result);
		count_left_out(acceptor, result);
	}
	counter_add(acceptor->slot, COUNTER_SANITISED, result->sanitised);
	counter_add(acceptor->slot,
	    acceptor->config->unknown_fields == UNKNOWN_FIELDS_KEEP ? COUNTER_UNKNOWN_KEPT : COUNTER_UNKNOWN_IGNORED,
	    result->unknown);
	outlet_publish(&acceptor->outlets, outlet, exchange, result->bytes);
}

/* Answers a request that is right and does not fit into the free space of its lane; whole: the lane was empty. */
static void
refuse_for_space(struct acceptor *acceptor, struct exchange *exchange, bool whole)
{
	static const struct refusal too_large = {413, COUNTER_REJECTED_BATCH_SIZE,
	    "The request does not fit into an empty lane of the ring; send it in smaller batches"};

	if (whole) {
		reject(acceptor, exchange, &too_large);
		return;
	}
	counter_add(acceptor->slot, COUNTER_REFUSED_RING, 1);
	reply_busy(exchange->req, "The ring is full; nothing of this request was kept, try again");
}

static void
decode_and_publish(struct acceptor *acceptor, struct exchange *exchange, const struct body *body)
{
	static const struct refusal bad_key = {400, COUNTER_REJECTED_KEY,
	    "Idempotency-Key must be given once and be 1 to 255 visible ASCII characters, bare or in quotes, and no "
	    "placeholder such as null"};
	struct outlet *outlet = outlet_of_connection(&acceptor->outlets, exchange->req->conn->id);
	/* Errors are many bytes, which the compiler would clear. */
	struct decode_result result __attribute__((uninitialized));
	struct decode_env env;
	char key[IDEMPOTENCY_KEY_MAX];
	struct decode_space space;

	if (!read_headers(acceptor, exchange, &env, key)) {
		reject(acceptor, exchange, &bad_key);
		return;
	}
	if (!outlet_is_open(&acceptor->outlets, outlet, exchange))
		return;
	space.base = lane_reserve(&outlet->lane, &space.size);
	switch (decode_body(body->text, body->kind, &env, space, &result)) {
	case DECODE_OK:
		if (auth_charge(acceptor, exchange, result.events, body->text.len))
			take(acceptor, outlet, exchange, &result, env.lenient);
		break;
	case DECODE_INVALID:
		counter_add(acceptor->slot, rejected_for[result.errors[0].cause], 1);
		if (env.lenient)
			count_left_out(acceptor, &result);
		reply_invalid(exchange->req, &result, env.lenient);
		break;
	case DECODE_TOO_LARGE:
		counter_add(acceptor->slot, rejected_for[result.errors[0].cause], 1);
		reply_too_large(exchange->req, &result.errors[0]);
		break;
	case DECODE_NO_SPACE:
		refuse_for_space(acceptor, exchange, space.size == outlet->lane.arena_bytes);
		break;
	}
}

void
events_post(struct acceptor *acceptor, struct exchange *exchange, bool batch)
{
	struct refusal refusal;
	struct body body;

	exchange->begun_us = clock_steady_us();
	if (!auth_within_limits(acceptor, exchange))
		return;
	if (!body_read(exchange->req, batch, acceptor->config->max_body_bytes, &body, &refusal)) {
		reject(acceptor, exchange, &refusal);
		return;
	}
	decode_and_publish(acceptor, exchange, &body);
	body_free(&body);
}
