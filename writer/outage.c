/* Opening, failing and opening again. */
#include "writer/outage.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/store.h"

#define UPKEEP_INTERVAL_MS (60 * 1000)
#define REST_LEAST_US 1000000

static void
set_unavailable_since(struct store *store, int64_t us)
{
	if (store->slot->unavailable_since_us == 0)
		store->slot->unavailable_since_us = us;
}

int
store_init(struct store *store, const struct config *config, const struct segment *segment, struct writer_slot *slot,
    struct error *err)
{
	*store = (struct store){.slot = slot, .backoff = {.first_ms = 100, .cap_ms = 5000}};
	set_unavailable_since(store, clock_steady_us());
	store_env_init(&store->env, segment, slot);
	store->sink = store_new(config, &store->env.sink_env);
	return connector_init(&store->connector, store->sink, err);
}

static void
mark_unavailable(struct store *store, const struct error *err)
{
	uint32_t wait_ms = backoff_next_ms(&store->backoff);

	store->ready = false;
	store->open_at_us = clock_steady_us() + (int64_t)wait_ms * 1000;
	writer_set_store_error(store->slot, err->text);
	log_error("the store is unavailable", LOG_STR("storage", store->sink->ops->name), LOG_STR("error", err->text),
	    LOG_UINT("retry_in_ms", wait_ms));
}

/* The open store is open no more since a call that began at that time. */
static void
closed(struct store *store, int64_t began_us)
{
	store->open = false;
	set_unavailable_since(store, began_us);
}

/* It has failed in that call. */
static void
failed(struct store *store, int64_t began_us, const struct error *err)
{
	closed(store, began_us);
	counter_add(&store->slot->process, COUNTER_STORAGE_ERRORS, 1);
	if (store->failing) {
		mark_unavailable(store, err);
		return;
	}
	store->failing = true;
	store->open_at_us = 0;
	log_warning("the store failed: opening it again", LOG_STR("storage", store->sink->ops->name),
	    LOG_STR("error", err->text));
}

/* It has ended the connection because that was idle. An end right after the beginning is no rest. */
static void
had_rested(struct store *store, int64_t began_us, const struct error *err)
{
	if (began_us < store->opened_us + REST_LEAST_US) {
		failed(store, began_us, err);
		return;
	}
	closed(store, began_us);
	store->rested = true;
	store->open_at_us = 0;
	log_info("the store has closed an idle connection: opening another", LOG_STR("storage", store->sink->ops->name),
	    LOG_STR("reason", err->text));
}

static void
not_done(struct store *store, int rc, int64_t began_us, const struct error *err)
{
	if (rc == SINK_RESTED)
		had_rested(store, began_us, err);
	else
		failed(store, began_us, err);
}

static void
ready(struct store *store)
{
	if (!store->ready)
		log_info("the store is ready", LOG_STR("storage", store->sink->ops->name));
	store->ready = true;
	writer_set_store_error(store->slot, "");
}

static void
works(struct store *store)
{
	store->failing = false;
	store->slot->unavailable_since_us = 0;
	backoff_reset(&store->backoff);
	ready(store);
}

static void
opened(struct store *store, int rc, bool pending, const struct error *err)
{
	bool rested = store->rested;

	store->rested = false;
	if (rc != 0) {
		counter_add(&store->slot->process, COUNTER_STORAGE_ERRORS, 1);
		mark_unavailable(store, err);
		return;
	}
	store->open = true;
	store->opened_us = clock_steady_us();
	store->reached = true;
	if (rested)
		store->slot->unavailable_since_us = 0; /* it was not unavailable */
	/* A full disk opens, too: with something to store at hand, storing it is what shows that the store works. */
	if (!store->failing || !pending)
		ready(store);
}

void
store_try_open(struct store *store, bool pending)
{
	const struct sink_ops *ops = store->sink->ops;
	struct error err;

	if (store->connector.running) {
		int rc = connector_result(&store->connector, &err);

		if (rc != CONNECTOR_BUSY)
			opened(store, rc, pending, &err);
	} else if (clock_steady_us() >= store->open_at_us) {
		if (ops->remote)
			connector_start(&store->connector);
		else
			opened(store, ops->open(store->sink, &err), pending, &err);
	}
	if (store->reopen && !store->connector.running)
		store_reopen(store);
}

int
store_put(struct store *store, const struct batch *batch, struct sink_result *result)
{
	int64_t began_us = clock_steady_us();
	struct error err;

	int rc = store->sink->ops->store(store->sink, batch, result, &err);
	if (rc != 0) {
		not_done(store, rc, began_us, &err);
		return -1;
	}
	counter_add(&store->slot->process, COUNTER_BATCHES, 1);
	histogram_add(&store->slot->process, HISTOGRAM_COMMIT, (uint64_t)(clock_steady_us() - began_us));
	histogram_add(&store->slot->process, HISTOGRAM_BATCH, batch->count);
	works(store);
	return 0;
}

void
store_settled(struct store *store)
{
	if (store->sink->ops->settled != NULL)
		store->sink->ops->settled(store->sink);
}

void
store_upkeep(struct store *store, bool pending)
{
	int64_t now = clock_steady_us();
	struct error err;

	if (!store->open || now < store->upkeep_at_us)
		return;
	store->upkeep_at_us = now + UPKEEP_INTERVAL_MS * 1000;
	if (store->sink->ops->upkeep == NULL)
		return;
	int rc = store->sink->ops->upkeep(store->sink, &err);
	if (rc != 0)
		not_done(store, rc, now, &err);
	else if (!pending)
		works(store); /* what waits to be stored would show that it does not */
}

void
store_upkeep_soon(struct store *store)
{
	store->upkeep_at_us = 0;
}

int
store_watch(const struct store *store)
{
	const struct sink_ops *ops = store->sink->ops;

	return ops->watch != NULL ? ops->watch(store->sink) : -1;
}

void
store_reopen(struct store *store)
{
	store->reopen = store->connector.running;
	if (!store->reopen && store->sink->ops->reopen != NULL)
		store->sink->ops->reopen(store->sink);
}

void
store_close(struct store *store)
{
	store->sink->ops->close(store->sink);
}
