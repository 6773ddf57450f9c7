/* Chooses the answer for a parcel of published events; published_text.c writes its body. */
#include "server/publish.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "event/publish_outcome.h"
#include "server/exchange.h"
#include "server/outlet.h"
#include "server/published_text.h"
#include "server/reply.h"
#include "shm/counters.h"

static const char conflict_text[] =
    "The idempotency key belongs to an event with another topic or payload; nothing was published";
static const char dead_text[] =
    "The store refused the event for good: it is among the dead letters of events, and is not delivered";

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
reply_event(const struct outlets *outlets, struct exchange *exchange, const struct parcel *parcel, int status)
{
	struct bytes out = {0};

	published_text_event(&out, parcel, status);
	reply(outlets, exchange, status, &out);
}

static void
answer_event(const struct outlets *outlets, struct exchange *exchange, const struct parcel *parcel)
{
	const struct publish_outcome *outcome = (const void *)parcel->bytes;

	if ((parcel->flags & LANE_SPOOLED) != 0) {
		reply_event(outlets, exchange, parcel, 202);
		return;
	}
	switch ((enum publish_result)outcome->result) {
	case PUBLISH_STORED:
		reply_event(outlets, exchange, parcel, 201);
		break;
	case PUBLISH_KNOWN:
		reply_event(outlets, exchange, parcel, 200);
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

static void
reply_batch(const struct outlets *outlets, struct exchange *exchange, const struct parcel *parcel)
{
	struct bytes out = {0};

	published_text_batch(&out, parcel, exchange->rejected);
	reply(outlets, exchange, (parcel->flags & LANE_SPOOLED) != 0 ? 202 : 201, &out);
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
	else if (published_tenant_is_gone(parcel))
		reply_gone(exchange);
	else
		reply_batch(outlets, exchange, parcel);
}

void
publish_accept_none(const struct outlets *outlets, struct exchange *exchange)
{
	reply_batch(outlets, exchange, &(struct parcel){0});
}
