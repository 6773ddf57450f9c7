/*
 * Opens a store and reopens it after failures, by a table of states and events.
 *
 * A store on a full disk opens but does not store. So after a failure, while events wait, only storing proves that the
 * store works (RETRYING, PROVING).
 */
#include "writer/store_link.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/probes.h"
#include "shm/counters.h"

#define UPKEEP_INTERVAL_MS (60 * 1000)
/* If the store ends a connection sooner than this after its opening, that is a failure, not an idle close. */
#define IDLE_LEAST_US 1000000
#define BACKOFF_FIRST_MS 100
#define BACKOFF_CAP_MS 5000

enum link_event {
	LINK_OPENED, /* while events wait */
	LINK_OPENED_IDLE, /* while no events wait */
	LINK_OPEN_FAILED,
	LINK_WORKED, /* a batch was stored, or upkeep succeeded while no events waited */
	LINK_FAILED, /* storing a batch, or upkeep, failed */
	LINK_CLOSED_IDLE, /* the store had closed an idle connection */
	LINK_NOTICED, /* events are spooled or refused */
	LINK_EVENTS
};

#define LINK_NEVER LINK_STATES
#define ROW(state, opened, opened_idle, open_failed, worked, failed, closed_idle, noticed)                             \
	[LINK_##state] = {LINK_##opened, LINK_##opened_idle, LINK_##open_failed, LINK_##worked, LINK_##failed,         \
	    LINK_##closed_idle, LINK_##noticed}

/* clang-format off */
static const enum link_state link_next[LINK_STATES][LINK_EVENTS] = {
	/*                OPENED    OPENED_IDLE  OPEN_FAILED  WORKED  FAILED       CLOSED_IDLE  NOTICED */
	ROW(CONNECTING,   READY,    READY,       CONNECTING,  NEVER,  NEVER,       NEVER,       CONNECTING),
	ROW(CLOSED,       READY,    READY,       CLOSED,      NEVER,  NEVER,       NEVER,       CLOSED),
	ROW(IDLE_CLOSED,  READY,    READY,       CLOSED,      NEVER,  NEVER,       NEVER,       IDLE_NOTICED),
	ROW(IDLE_NOTICED, READY,    READY,       CLOSED,      NEVER,  NEVER,       NEVER,       IDLE_NOTICED),
	ROW(READY,        NEVER,    NEVER,       NEVER,       READY,  FAILED_ONCE, IDLE_CLOSED, NEVER),
	ROW(FAILED_ONCE,  RETRYING, RETRYING,    UNAVAILABLE, NEVER,  NEVER,       NEVER,       UNAVAILABLE),
	ROW(RETRYING,     NEVER,    NEVER,       NEVER,       READY,  UNAVAILABLE, FAILED_ONCE, NEVER),
	ROW(UNAVAILABLE,  PROVING,  RETRYING,    UNAVAILABLE, NEVER,  NEVER,       NEVER,       UNAVAILABLE),
	ROW(PROVING,      NEVER,    NEVER,       NEVER,       READY,  UNAVAILABLE, UNAVAILABLE, NEVER),
};
/* clang-format on */

#define X(symbol, name, open, works) {name, open, works},
static const struct {
	const char *name;
	bool open, works;
} link_states[LINK_STATES] = {LINK_STATE_LIST(X)};
#undef X

const char *
link_state_name(enum link_state state)
{
	return link_states[state].name;
}

/* Only this function changes the state. */
static void
change_state(struct store_link *link, enum link_state state)
{
	enum link_state old = link->state;

	assert(state < LINK_STATES);
	if (state == old)
		return;
	link->state = state;
	log_debug("the store's state has changed", LOG_STR("from", link_states[old].name),
	    LOG_STR("to", link_states[state].name));
	if (link_states[state].works && !link_states[old].works) {
		log_info("the store is ready", LOG_STR("storage", link->sink->ops->name));
		store_report_set_error(&link->slot->process.store, "");
	}
}

static void
handle(struct store_link *link, enum link_event event)
{
	change_state(link, link_next[link->state][event]);
}

/* Records the beginning of an outage, unless one is recorded. */
static void
set_unavailable_since(struct store_link *link, int64_t us)
{
	if (link->slot->unavailable_since_us == 0)
		link->slot->unavailable_since_us = us;
}

int
store_link_init(struct store_link *link, struct sink *sink, struct writer_slot *slot, struct error *err)
{
	*link = (struct store_link){.slot = slot,
	    .sink = sink,
	    .state = LINK_CONNECTING,
	    .backoff = {.first_ms = BACKOFF_FIRST_MS, .cap_ms = BACKOFF_CAP_MS}};
	set_unavailable_since(link, clock_steady_us());
	return connector_init(&link->connector, sink, err);
}

void
store_link_set_reached(struct store_link *link)
{
	if (link->state == LINK_CONNECTING)
		change_state(link, LINK_CLOSED);
}

bool
store_link_open(const struct store_link *link)
{
	return link_states[link->state].open;
}

bool
store_link_works(const struct store_link *link)
{
	return link_states[link->state].works;
}

bool
store_link_reached(const struct store_link *link)
{
	return link->state != LINK_CONNECTING;
}

/* The store is unavailable: reports it and schedules the next opening. */
static void
back_off(struct store_link *link, const struct error *err)
{
	uint32_t wait_ms = backoff_next_ms(&link->backoff);

	link->open_at_us = clock_steady_us() + (int64_t)wait_ms * 1000;
	store_report_set_error(&link->slot->process.store, err->text);
	log_error("the store is unavailable", LOG_STR("storage", link->sink->ops->name), LOG_STR("error", err->text),
	    LOG_UINT("retry_in_ms", wait_ms));
}

/* The open store failed in a call that began at began_us. */
static void
on_failure(struct store_link *link, int64_t began_us, const struct error *err)
{
	set_unavailable_since(link, began_us);
	counter_add(&link->slot->process, COUNTER_STORAGE_ERRORS, 1);
	handle(link, LINK_FAILED);
	if (link->state == LINK_UNAVAILABLE) {
		back_off(link, err);
		return;
	}
	link->open_at_us = 0;
	log_warning("the store failed: opening it again", LOG_STR("storage", link->sink->ops->name),
	    LOG_STR("error", err->text));
}

/* A call that began at began_us found the connection closed by the store. */
static void
on_idle_closed(struct store_link *link, int64_t began_us, const struct error *err)
{
	if (began_us < link->opened_us + IDLE_LEAST_US) {
		on_failure(link, began_us, err);
		return;
	}
	set_unavailable_since(link, began_us);
	handle(link, LINK_CLOSED_IDLE);
	link->open_at_us = 0;
	log_info("the store has closed an idle connection: opening another", LOG_STR("storage", link->sink->ops->name),
	    LOG_STR("reason", err->text));
}

/*
 * A call on the open sink, begun at began_us, returned rc, with *err unless 0. proof: rc 0 proves that the store works.
 */
static void
on_result(struct store_link *link, int rc, bool proof, int64_t began_us, const struct error *err)
{
	if (rc == SINK_IDLE_CLOSED) {
		on_idle_closed(link, began_us, err);
	} else if (rc != 0) {
		on_failure(link, began_us, err);
	} else if (proof) {
		link->slot->unavailable_since_us = 0;
		backoff_reset(&link->backoff);
		handle(link, LINK_WORKED);
	}
}

/* The sink's open() returned rc, with *err unless 0. */
static void
on_opened(struct store_link *link, int rc, bool pending, const struct error *err)
{
	if (rc != 0) {
		counter_add(&link->slot->process, COUNTER_STORAGE_ERRORS, 1);
		handle(link, LINK_OPEN_FAILED);
		back_off(link, err);
		return;
	}
	link->opened_us = clock_steady_us();
	if (link->state == LINK_IDLE_CLOSED || link->state == LINK_IDLE_NOTICED)
		link->slot->unavailable_since_us = 0; /* an idle close is no outage */
	handle(link, pending ? LINK_OPENED : LINK_OPENED_IDLE);
}

void
store_link_connect(struct store_link *link, bool pending)
{
	const struct sink_ops *ops = link->sink->ops;
	struct error err;

	if (link->connector.running) {
		int rc = connector_result(&link->connector, &err);

		if (rc != CONNECTOR_BUSY)
			on_opened(link, rc, pending, &err);
	} else if (clock_steady_us() >= link->open_at_us) {
		if (ops->opens_in_thread)
			connector_start(&link->connector);
		else
			on_opened(link, ops->open(link->sink, &err), pending, &err);
	}
	if (link->reopen_pending && !link->connector.running)
		store_link_reopen_files(link);
}

int64_t
store_link_connect_at(const struct store_link *link)
{
	return link->connector.running ? INT64_MAX : link->open_at_us;
}

int
store_link_store(struct store_link *link, const struct batch *batch, struct sink_result *result)
{
	int64_t began_us = clock_steady_us();
	struct error err;

	PROBE_STORE_BEGIN(batch->count);
	int rc = link->sink->ops->store(link->sink, batch, result, &err);
	PROBE_STORE_END(batch->count, rc);
	if (rc == 0) {
		counter_add(&link->slot->process, COUNTER_BATCHES, 1);
		histogram_add(&link->slot->process, HISTOGRAM_COMMIT, (uint64_t)(clock_steady_us() - began_us));
		histogram_add(&link->slot->process, HISTOGRAM_BATCH, batch->count);
	}
	on_result(link, rc, true, began_us, &err);
	return rc == 0 ? 0 : -1;
}

void
store_link_committed(struct store_link *link)
{
	if (link->sink->ops->settled != NULL)
		link->sink->ops->settled(link->sink);
}

void
store_link_noticed(struct store_link *link)
{
	handle(link, LINK_NOTICED);
}

void
store_link_upkeep(struct store_link *link, bool pending)
{
	int64_t now = clock_steady_us();
	struct error err;

	if (!store_link_open(link) || now < link->upkeep_at_us)
		return;
	link->upkeep_at_us = now + UPKEEP_INTERVAL_MS * 1000;
	if (link->sink->ops->upkeep != NULL)
		on_result(link, link->sink->ops->upkeep(link->sink, &err), !pending, now, &err);
}

void
store_link_upkeep_soon(struct store_link *link)
{
	link->upkeep_at_us = 0;
}

int
store_link_watch(const struct store_link *link)
{
	const struct sink_ops *ops = link->sink->ops;

	return ops->watch != NULL ? ops->watch(link->sink) : -1;
}

void
store_link_reopen_files(struct store_link *link)
{
	link->reopen_pending = link->connector.running;
	if (!link->reopen_pending && link->sink->ops->reopen != NULL)
		link->sink->ops->reopen(link->sink);
}

void
store_link_close(struct store_link *link)
{
	link->sink->ops->close(link->sink);
}
