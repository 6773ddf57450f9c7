/* Passes parcels to writers and answers requests by the parcels' outcomes. */
#include "server/outlet.h"

#include "base/clock.h"
#include "base/probes.h"
#include "server/client_limits.h"
#include "server/exchange.h"
#include "server/parked.h"
#include "server/reply.h"
#include "shm/counters.h"
#include "shm/key_table.h"

/* A publisher counts as busy when this many bytes of this acceptor wait for it, or a request this long. */
#define BUSY_BYTES (128 * 1024)
#define BUSY_US (20 * 1000)

int
outlets_open(struct outlets *outlets, const struct segment *segment, uint32_t acceptor, struct error *err)
{
	const enum role to = lane_group_table[outlets->group].to;

	outlets->header = segment->header;
	outlets->slot = segment_slot(segment, ROLE_ACCEPTOR, acceptor);
	for (uint32_t w = 0; w < segment->counts[to]; w++) {
		struct outlet *outlet = &outlets->items[w];

		outlet->lane = segment_lane(segment, outlets->group, acceptor, w);
		if (segment_map_arena(segment, &outlet->lane, err) != 0)
			return -1;
		outlet->answered = lane_released(&outlet->lane);
		outlet->pending.any_order = outlets->group == LANES_PUBLISH;
		outlet->wake = segment_wake(segment, to, w);
		outlet->writer = segment_writer(segment, to, w);
		outlets->count++;
	}
	return 0;
}

/* Whether this publisher is not busy. */
static bool
has_time(const struct outlet *outlet)
{
	const struct exchange *oldest = pending_oldest(&outlet->pending);

	return lane_bytes_used(&outlet->lane) < BUSY_BYTES &&
	       (oldest == NULL || clock_steady_us() - oldest->begun_us < BUSY_US);
}

struct outlet *
outlet_choose(struct outlets *outlets, uint64_t number)
{
	struct outlet *least = &outlets->items[0];

	if (outlets->group == LANES_EVENTS)
		return &outlets->items[number % outlets->count];
	for (uint32_t i = 0; i < outlets->count; i++) {
		struct outlet *outlet = &outlets->items[i];

		if (has_time(outlet))
			return outlet;
		if (lane_bytes_used(&outlet->lane) < lane_bytes_used(&least->lane))
			least = outlet;
	}
	return least;
}

bool
outlets_are_durable(const struct outlets *outlets)
{
	return outlets->ack == ACK_DURABLE || segment_file_gone(outlets->header);
}

void
outlet_refuse(const struct outlets *outlets, struct exchange *exchange, const char *text, enum counter reason)
{
	counter_add(outlets->slot, reason, 1);
	reply_busy(exchange->req, text);
}

static void
answer(const struct outlets *outlets, struct outlet *outlet, struct exchange *exchange, const struct parcel *parcel)
{
	outlet->waiting--;
	unpark(exchange->req);
	outlets->answer(outlets, exchange, parcel);
}

/*
 * Answers the due requests of an outlet, including those of refused or finished parcels that are not released. Returns
 * whether there was one.
 */
static bool
answer_due(const struct outlets *outlets, struct outlet *outlet)
{
	const uint32_t released = lane_released(&outlet->lane);
	struct pending item;
	bool any = false;

	while (pending_take(&outlet->pending, &outlet->lane, &item)) {
		struct parcel parcel;

		client_amounts_take(&outlet->clients, item.client, item.bytes);
		if (item.exchange == NULL)
			continue;
		lane_reread(&outlet->lane, item.position, &parcel);
		if ((parcel.flags & LANE_FINISHED) != 0)
			parcel.flags &= ~LANE_SPOOLED; /* that flag is its neighbours' */
		answer(outlets, outlet, item.exchange, &parcel);
		any = true;
	}
	/* Not the newest position: parcels released since then may be unanswered. */
	outlet->answered = released;
	return any;
}

/*
 * ACK=durable needs a working store or spool, because nothing could be acknowledged without one. With ACK=queued the
 * ring bridges an outage. A store that was never reached is probably a configuration error, so events are refused.
 */
bool
outlet_is_open(const struct outlets *outlets, const struct outlet *outlet, struct exchange *exchange)
{
	switch (store_report_state(&outlet->writer->process.store)) {
	case STORE_READY:
	case STORE_SPOOLING:
		return true;
	case STORE_UNAVAILABLE:
		if (!outlets_are_durable(outlets))
			return true;
		outlet_refuse(outlets, exchange,
		    "The store is unavailable, and no spool takes the events; nothing of this request was kept, try "
		    "again",
		    COUNTER_REFUSED_STORE);
		return false;
	default:
		outlet_refuse(outlets, exchange,
		    "The store has not been reached yet; nothing of this request was kept, try again",
		    COUNTER_REFUSED_CONNECTING);
		return false;
	}
}

char *
outlet_reserve(const struct outlets *outlets, struct outlet *outlet, size_t *available)
{
	/* Only needed if space was released; otherwise outlets_answer() answers once per turn. */
	if (outlet->answered != lane_released(&outlet->lane))
		(void)answer_due(outlets, outlet);
	return lane_reserve_behind(&outlet->lane, outlet->answered, available);
}

/* The client whose share the request uses. */
static uint64_t
client_of(const struct exchange *exchange)
{
	return exchange->key != NULL ? key_table_number(exchange->key) : limits_address(exchange->req);
}

bool
outlet_allows(const struct outlet *outlet, const struct exchange *exchange)
{
	return client_amounts_allow(client_amounts_of(&outlet->clients, client_of(exchange)),
	    outlet->lane.arena_bytes - lane_bytes_used(&outlet->lane));
}

bool
outlet_publish(struct outlets *outlets, struct outlet *outlet, struct exchange *exchange, size_t bytes)
{
	const bool durable = outlets_are_durable(outlets);
	const uint64_t client = client_of(exchange);
	const uint32_t position = lane_publish(&outlet->lane, bytes, exchange->events, durable ? LANE_AWAITED : 0);

	PROBE_PUBLISH(exchange->req, outlet->lane.control, position, exchange->events, bytes);
	wake_up(&outlet->wake);
	if (durable) {
		park(exchange->req);
		outlet->waiting++;
	}
	client_amounts_add(&outlet->clients, client, bytes);
	pending_push(&outlet->pending, (struct pending){.exchange = durable ? exchange : NULL,
					   .position = position,
					   .bytes = (uint32_t)bytes,
					   .client = client});
	return durable;
}

bool
outlets_answer(struct outlets *outlets)
{
	bool any = false;

	for (uint32_t w = 0; w < outlets->count; w++)
		if (answer_due(outlets, &outlets->items[w]))
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
		if (outlets->items[w].waiting > 0)
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

			if (item.exchange == NULL)
				continue;
			answer(outlets, &outlets->items[w], item.exchange, &(struct parcel){.flags = LANE_DISMISSED});
			any = true;
		}
	return any;
}
