/* Publishing, and answering by what a writer did with a parcel. */
#include "server/outlet.h"

#include "base/clock.h"
#include "server/exchange.h"
#include "server/parked.h"
#include "server/reply.h"
#include "shm/counters.h"

int
outlets_open(struct outlets *outlets, const struct segment *segment, uint32_t acceptor, enum ack ack, struct error *err)
{
	outlets->ack = ack;
	outlets->header = segment->header;
	outlets->slot = segment_slot(segment, ROLE_ACCEPTOR, acceptor);
	for (uint32_t w = 0; w < segment->counts[ROLE_WRITER]; w++) {
		struct outlet *outlet = &outlets->items[w];

		outlet->lane = segment_lane(segment, LANES_EVENTS, acceptor, w);
		if (segment_map_arena(segment, &outlet->lane, err) != 0)
			return -1;
		outlet->wake = segment_wake(segment, ROLE_WRITER, w);
		outlet->writer = segment_writer(segment, ROLE_WRITER, w);
		outlets->count++;
	}
	return 0;
}

/*
 * Whether answers wait for the store: with ACK=durable, and while nobody would find the ring if all processes were
 * killed.
 */
static bool
is_durable(const struct outlets *outlets)
{
	return outlets->ack == ACK_DURABLE || segment_file_gone(outlets->header);
}

static void
refuse(const struct outlets *outlets, struct exchange *exchange, const char *text, enum counter reason)
{
	counter_add(outlets->slot, reason, 1);
	reply_busy(exchange->req, text);
}

/* reached: where the events are, COUNTER_ACCEPTED_STORED or one of the two after it. */
static void
accept_request(const struct outlets *outlets, struct exchange *exchange, enum counter reached)
{
	static const char *const names[] = {"stored", "spooled", "queued"};

	counter_add(outlets->slot, reached, 1);
	histogram_add(outlets->slot, HISTOGRAM_REQUEST, (uint64_t)(clock_steady_us() - exchange->begun_us));
	reply_accepted(exchange->req, exchange->events, names[reached - COUNTER_ACCEPTED_STORED], exchange->rejected);
}

/* Answers a request that has waited; flags: of its parcel. */
static void
answer(const struct outlets *outlets, struct exchange *exchange, uint32_t flags)
{
	unpark(exchange->req);
	if ((flags & LANE_REFUSED) != 0)
		refuse(outlets, exchange,
		    "The store did not take the events in time; nothing of this request was kept, try again",
		    COUNTER_REFUSED_WAITED);
	else if ((flags & LANE_DISMISSED) != 0)
		refuse(outlets, exchange,
		    "The store did not answer in time; the events may be stored, now or later: send them again with "
		    "the same event_id",
		    COUNTER_REFUSED_WAITED);
	else
		accept_request(outlets, exchange,
		    (flags & LANE_SPOOLED) != 0 ? COUNTER_ACCEPTED_SPOOLED : COUNTER_ACCEPTED_STORED);
}

/* Answers the requests of one outlet that are due. Returns whether there was one. */
static bool
outlet_answer(const struct outlets *outlets, struct outlet *outlet)
{
	bool any = false;

	while (pending_due(&outlet->pending, &outlet->lane)) {
		struct pending item = pending_pop(&outlet->pending);

		answer(outlets, item.exchange, lane_flags(&outlet->lane, item.position));
		any = true;
	}
	return any;
}

/*
 * ACK=durable needs a store or a spool that takes the events now, since nothing could be acknowledged without one. With
 * ACK=queued the ring bridges an outage, but not a store that has never been reached: that is a mistake in the
 * configuration, and must not look like success.
 */
bool
outlet_is_open(const struct outlets *outlets, const struct outlet *outlet, struct exchange *exchange)
{
	switch (store_report_state(&outlet->writer->process.store)) {
	case STORE_READY:
	case STORE_SPOOLING:
		return true;
	case STORE_UNAVAILABLE:
		if (!is_durable(outlets))
			return true;
		refuse(outlets, exchange,
		    "The store is unavailable, and no spool takes the events; nothing of this request was kept, try "
		    "again",
		    COUNTER_REFUSED_STORE);
		return false;
	default:
		refuse(outlets, exchange,
		    "The store has not been reached yet; nothing of this request was kept, try again",
		    COUNTER_REFUSED_CONNECTING);
		return false;
	}
}

void
outlet_publish(struct outlets *outlets, struct outlet *outlet, struct exchange *exchange, size_t bytes)
{
	const bool durable = is_durable(outlets);
	uint32_t position;

	if (exchange->events == 0) {
		accept_request(outlets, exchange, durable ? COUNTER_ACCEPTED_STORED : COUNTER_ACCEPTED_QUEUED);
		return;
	}
	/* Publishing may reuse a released descriptor. Answer its request first: LANE_SPOOLED is stored there. */
	(void)outlet_answer(outlets, outlet);
	position = lane_publish(&outlet->lane, bytes, exchange->events, durable ? LANE_AWAITED : 0);
	wake_up(&outlet->wake);
	if (durable) {
		park(exchange->req);
		pending_push(&outlet->pending, (struct pending){.exchange = exchange, .position = position});
	} else {
		accept_request(outlets, exchange, COUNTER_ACCEPTED_QUEUED);
	}
}

bool
outlets_answer(struct outlets *outlets)
{
	bool any = false;

	for (uint32_t w = 0; w < outlets->count; w++)
		if (outlet_answer(outlets, &outlets->items[w]))
			any = true;
	return any;
}

bool
outlets_answer_due(const struct outlets *outlets)
{
	for (uint32_t w = 0; w < outlets->count; w++)
		if (pending_due(&outlets->items[w].pending, &outlets->items[w].lane))
			return true;
	return false;
}

bool
outlets_waiting(const struct outlets *outlets)
{
	for (uint32_t w = 0; w < outlets->count; w++)
		if (outlets->items[w].pending.count > 0)
			return true;
	return false;
}

bool
outlets_give_up(struct outlets *outlets)
{
	bool any = false;

	for (uint32_t w = 0; w < outlets->count; w++)
		while (outlets->items[w].pending.count > 0) {
			struct pending item = pending_pop(&outlets->items[w].pending);

			answer(outlets, item.exchange, LANE_DISMISSED);
			any = true;
		}
	return any;
}
