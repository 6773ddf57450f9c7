/*
 * A parcel of published events -> an answer. What was sent is read back from the records, so nothing is kept beside the
 * parcel while a request waits.
 */
#include "server/publish.h"

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/format.h"
#include "event/handover.h"
#include "event/publish_outcome.h"
#include "event/published_json.h"
#include "event/record.h"
#include "ingest/event_id.h"
#include "server/exchange.h"
#include "server/outlet.h"
#include "server/reply.h"
#include "shm/counters.h"

/* The ids of jobs that the reply to a batch lists; those of later events are null. It bounds the reply: 4 MB. */
#define LISTED_JOBS_MAX 100000u

static const char conflict_text[] =
    "The idempotency key belongs to an event with another topic or payload; nothing was published";
static const char dead_text[] =
    "The store refused the event for good: it is among the dead letters of events, and is not delivered";

/* One event of a parcel. */
struct published {
	const struct publish_outcome *outcome; /* all zero when it was spooled */
	struct record *record;
};

/* Moves to the next event of a parcel; *at begins with 0. Returns false behind the last one. */
static bool
next_event(const struct parcel *parcel, size_t *at, struct published *event)
{
	if (*at >= parcel->length)
		return false;
	event->outcome = (const void *)(parcel->bytes + *at);
	event->record = (void *)(parcel->bytes + *at + sizeof *event->outcome);
	*at += sizeof *event->outcome + event->record->length;
	return true;
}

static void
add_id(struct bytes *out, const uint8_t id[16])
{
	char text[FORMAT_UUID_BYTES];

	format_uuid(id, text);
	bytes_add_text(out, "\"");
	bytes_add(out, text, sizeof text);
	bytes_add_text(out, "\"");
}

/* A job's number has as many bits as are zero in the event's id. */
static uint32_t
jobs_of(const struct publish_outcome *outcome)
{
	return outcome->jobs < UINT16_MAX ? outcome->jobs : UINT16_MAX;
}

static void
add_job_ids(struct bytes *out, const struct published *event)
{
	uint8_t id[16];

	bytes_add_text(out, "[");
	for (uint32_t k = 1; k <= jobs_of(event->outcome); k++) {
		if (k > 1)
			bytes_add_text(out, ",");
		handover_job_id(event->record->event_id, k, id);
		add_id(out, id);
	}
	bytes_add_text(out, "]");
}

/*
 * Makes a record be that of the first event with its key, as far as it is the same one: id, time, and an occurred_at
 * that was not given.
 */
static void
become_first(const struct published *event)
{
	struct record *record = event->record;
	int64_t created_us = event_id_time(event->outcome->event_id);

	memcpy(record->event_id, event->outcome->event_id, sizeof record->event_id);
	if (record->timestamp_us == record->received_us)
		record->timestamp_us = created_us;
	record->received_us = created_us;
}

static void
reply(const struct outlets *outlets, struct exchange *exchange, int status, struct bytes *body)
{
	bool spooled = status == 202;

	counter_add(outlets->slot, spooled ? COUNTER_ACCEPTED_SPOOLED : COUNTER_ACCEPTED_STORED, 1);
	histogram_add(outlets->slot, HISTOGRAM_REQUEST, (uint64_t)(clock_steady_us() - exchange->begun_us));
	if (spooled)
		reply_add_header(exchange->req, "X-Hooks-Ack", H2O_STRLIT("spooled"));
	if (exchange->rejected != NULL)
		reply_add_preference_applied(exchange->req);
	reply_text(exchange->req, status, "application/json", body->base, body->len);
	bytes_free(body);
}

static void
reply_gone(struct exchange *exchange)
{
	reply_error(exchange->req, 404, "The tenant is deleted; nothing was published");
}

static void
reply_event(const struct outlets *outlets, struct exchange *exchange, const struct published *event, int status)
{
	struct bytes out = {0};

	bytes_add_text(&out, "{");
	published_json_members(&out, event->record);
	if (status == 201) {
		bytes_add_text(&out, ",\"job_ids\":");
		add_job_ids(&out, event);
	}
	bytes_add_text(&out, status == 202   ? ",\"job_ids\":null,\"idempotency\":\"unchecked\"}"
			     : status == 201 ? ",\"deduped\":false}"
					     : ",\"deduped\":true}");
	reply(outlets, exchange, status, &out);
}

static void
answer_event(const struct outlets *outlets, struct exchange *exchange, const struct parcel *parcel)
{
	struct published event;
	size_t at = 0;

	(void)next_event(parcel, &at, &event);
	if ((parcel->flags & LANE_SPOOLED) != 0) {
		reply_event(outlets, exchange, &event, 202);
		return;
	}
	switch ((enum publish_result)event.outcome->result) {
	case PUBLISH_STORED:
		reply_event(outlets, exchange, &event, 201);
		break;
	case PUBLISH_KNOWN:
		become_first(&event);
		reply_event(outlets, exchange, &event, 200);
		break;
	case PUBLISH_CONFLICT:
		reply_api_error(exchange->req, 409, "idempotency_conflict", conflict_text);
		break;
	case PUBLISH_GONE:
		reply_gone(exchange);
		break;
	case PUBLISH_DEAD:
		reply_api_error(exchange->req, 422, "refused_by_store", dead_text);
		break;
	default:
		outlet_refuse(outlets, exchange, "The event could not be stored; nothing of it was kept, try again",
		    COUNTER_REFUSED_STORE);
		break;
	}
}

/* Appends an event's item of the reply to a batch. Returns whether it was published, now or before. */
static bool
add_item(struct bytes *out, const struct published *event, bool spooled, uint32_t *listed)
{
	const char *error = NULL;
	bool known = !spooled && event->outcome->result == PUBLISH_KNOWN;

	if (!spooled && !known && event->outcome->result != PUBLISH_STORED)
		error = event->outcome->result == PUBLISH_CONFLICT ? "idempotency_conflict"
			: event->outcome->result == PUBLISH_DEAD   ? "refused_by_store"
								   : "not_stored";
	bytes_add_text(out, "{\"id\":");
	if (error != NULL) {
		bytes_add_text(out, "null,\"job_ids\":null,\"deduped\":false,\"error\":\"");
		bytes_add_text(out, error);
		bytes_add_text(out, "\"}");
		return false;
	}
	add_id(out, known ? event->outcome->event_id : event->record->event_id);
	bytes_add_text(out, ",\"job_ids\":");
	if (spooled || known || jobs_of(event->outcome) > LISTED_JOBS_MAX - *listed) {
		bytes_add_text(out, "null");
	} else {
		add_job_ids(out, event);
		*listed += jobs_of(event->outcome);
	}
	bytes_add_text(out, known ? ",\"deduped\":true}" : ",\"deduped\":false}");
	return true;
}

static void
reply_batch(const struct outlets *outlets, struct exchange *exchange, const struct parcel *parcel)
{
	bool spooled = (parcel->flags & LANE_SPOOLED) != 0;
	struct bytes out = {0};
	struct published event;
	uint32_t listed = 0, failed = 0;
	char counts[64];

	bytes_add_text(&out, "{\"items\":[");
	for (size_t at = 0; next_event(parcel, &at, &event);) {
		if (out.base[out.len - 1] == '}')
			bytes_add_text(&out, ",");
		failed += !add_item(&out, &event, spooled, &listed);
	}
	(void)snprintf(counts, sizeof counts, "],\"count\":%u,\"failed\":%u", exchange->events, failed);
	bytes_add_text(&out, counts);
	if (spooled)
		bytes_add_text(&out, ",\"idempotency\":\"unchecked\"");
	if (exchange->rejected != NULL) {
		bytes_add_text(&out, ",");
		bytes_add_text(&out, exchange->rejected);
	}
	bytes_add_text(&out, "}");
	reply(outlets, exchange, spooled ? 202 : 201, &out);
}

/* All events of a request belong to one tenant. */
static bool
tenant_is_gone(const struct parcel *parcel)
{
	struct published event;

	for (size_t at = 0; next_event(parcel, &at, &event);)
		if (event.outcome->result == PUBLISH_GONE)
			return true;
	return false;
}

void
publish_answer(const struct outlets *outlets, struct exchange *exchange, const struct parcel *parcel)
{
	if ((parcel->flags & LANE_REFUSED) != 0)
		outlet_refuse(outlets, exchange,
		    "The store did not take the events in time; nothing of this request was kept, try again",
		    COUNTER_REFUSED_WAITED);
	else if ((parcel->flags & LANE_DISMISSED) != 0)
		outlet_refuse(outlets, exchange,
		    "The store did not answer in time; the events may be published, now or later: an idempotency key "
		    "makes it safe to send them again",
		    COUNTER_REFUSED_WAITED);
	else if (!exchange->batch)
		answer_event(outlets, exchange, parcel);
	else if (tenant_is_gone(parcel))
		reply_gone(exchange);
	else
		reply_batch(outlets, exchange, parcel);
}

void
publish_accept_none(const struct outlets *outlets, struct exchange *exchange)
{
	reply_batch(outlets, exchange, &(struct parcel){0});
}
