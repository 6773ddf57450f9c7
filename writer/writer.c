/*
 * The writer's loop: gather what is there, store it, release it, gather what came meanwhile. No linger: under load the
 * batches grow by themselves. When the store is away the batch stays on the ring and is tried again, the same records
 * in the same order, after a backoff.
 */
#include "writer/writer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "shm/heartbeat.h"
#include "writer/intake.h"
#include "writer/sink_jsonl.h"

#define UPKEEP_INTERVAL_MS (60 * 1000)

struct writer {
	const struct config *config;
	struct intake intake;
	struct sink *sink;
	struct process_slot *slot;
	struct wake wake;
	int signal_fd;
	bool open;
	bool failing; /* the store has failed since it last did something */
	bool draining;
	int64_t upkeep_at_us;
	struct backoff backoff;
};

static struct sink *
make_sink(struct writer *w)
{
	switch (w->config->storage) {
	case STORAGE_POSTGRES:
		return sink_postgres_new(w->config, w->slot);
	case STORAGE_JSONL:
		return sink_jsonl_new(w->config, &w->intake);
	default:
		return sink_null_new();
	}
}

static void
on_signals(struct writer *w)
{
	struct signalfd_siginfo info;

	while (read(w->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGTERM)
			w->draining = true;
		else if (info.ssi_signo == SIGHUP && w->sink->ops->reopen != NULL)
			w->sink->ops->reopen(w->sink);
	}
}

/* Backoff: sleeps that long; only a signal cuts it short. */
static void
pause_ms(struct writer *w, uint32_t ms)
{
	struct pollfd fd = {.fd = w->signal_fd, .events = POLLIN};

	heartbeat(w->slot, ms / 1000 + 1);
	(void)poll(&fd, 1, (int)ms);
	on_signals(w);
}

/* The store cannot be reached: says so to everybody and waits before the next try. */
static void
store_away(struct writer *w, const struct error *err)
{
	uint32_t wait_ms = backoff_next_ms(&w->backoff);

	(void)snprintf(w->slot->store_error, sizeof w->slot->store_error, "%s", err->text);
	if (w->slot->store_state == STORE_READY)
		ck_pr_store_32(&w->slot->store_state, STORE_AWAY);
	log_error("the store is away", LOG_STR("storage", w->sink->ops->name), LOG_STR("error", err->text),
	    LOG_UINT("retry_in_ms", wait_ms));
	pause_ms(w, wait_ms);
}

/*
 * The open store has failed. Once, a connection that broke is simply made again, and clients notice nothing; a store
 * that fails again without having stored anything in between is away.
 */
static void
store_failed(struct writer *w, const struct error *err)
{
	w->open = false;
	counter_add(w->slot, COUNTER_STORAGE_ERRORS, 1);
	if (w->failing) {
		store_away(w, err);
		return;
	}
	w->failing = true;
	log_warning(
	    "the store failed: opening it again", LOG_STR("storage", w->sink->ops->name), LOG_STR("error", err->text));
}

static void
store_ready(struct writer *w)
{
	w->slot->store_error[0] = '\0';
	ck_pr_store_32(&w->slot->store_state, STORE_READY);
	log_info("the store is ready", LOG_STR("storage", w->sink->ops->name));
}

static void
store_works(struct writer *w)
{
	w->failing = false;
	backoff_reset(&w->backoff);
	if (w->slot->store_state != STORE_READY)
		store_ready(w);
}

static void
open_store(struct writer *w)
{
	struct error err;

	if (w->sink->ops->open(w->sink, &err) != 0) {
		counter_add(w->slot, COUNTER_STORAGE_ERRORS, 1);
		store_away(w, &err);
		return;
	}
	w->open = true;
	/* A full disk opens, too: with something to store at hand, storing it is what shows that the store works. */
	if (!w->failing || !intake_pending(&w->intake))
		store_ready(w);
}

static void
store_batch(struct writer *w)
{
	struct sink_result result = {0};
	struct error err;

	if (w->intake.count > 0 &&
	    w->sink->ops->store(w->sink, w->intake.records, w->intake.count, &result, &err) != 0) {
		store_failed(w, &err);
		return;
	}
	store_works(w);
	/* Counted before the release: a client that has its 202 finds its events in the sums. */
	counter_add(w->slot, COUNTER_STORED, result.stored);
	counter_add(w->slot, COUNTER_DUPLICATES, result.duplicates);
	counter_add(w->slot, COUNTER_DEAD_LETTERED, result.dead_lettered);
	counter_add(w->slot, COUNTER_BATCHES, 1);
	intake_release(&w->intake);
	if (w->intake.count > 0 && w->sink->ops->released != NULL)
		w->sink->ops->released(w->sink);
}

static void
upkeep_if_due(struct writer *w)
{
	int64_t now = clock_steady_us();
	struct error err;

	if (now < w->upkeep_at_us)
		return;
	w->upkeep_at_us = now + UPKEEP_INTERVAL_MS * 1000;
	if (w->sink->ops->upkeep == NULL)
		return;
	if (w->sink->ops->upkeep(w->sink, &err) == 0)
		store_works(w);
	else
		store_failed(w, &err);
}

/* Sleeps until there is a parcel, a signal, something for the sink to look at, or the next heartbeat is due. */
static void
wait_for_work(struct writer *w)
{
	const struct sink_ops *ops = w->sink->ops;
	struct pollfd fds[] = {
	    {.fd = w->signal_fd, .events = POLLIN},
	    {.fd = w->wake.fd, .events = POLLIN},
	    {.fd = ops->watch != NULL ? ops->watch(w->sink) : -1, .events = POLLIN},
	};

	wake_arm(&w->wake);
	/* Published between the last look and the word that we sleep: no wake-up will come for it. */
	if (!intake_pending(&w->intake))
		(void)poll(fds, sizeof fds / sizeof *fds, heartbeat_period_ms(w->config->stuck_after_seconds));
	wake_disarm(&w->wake);
	if (fds[1].revents != 0)
		wake_drain(&w->wake);
	if (fds[2].revents != 0)
		w->upkeep_at_us = 0;
}

int
writer_main(const struct config *config, const struct segment *segment, uint32_t index, int signal_fd)
{
	struct writer w = {.config = config,
	    .slot = segment_writer(segment, index),
	    .wake = segment_wake_writer(segment, index),
	    .signal_fd = signal_fd,
	    .backoff = {.first_ms = 100, .cap_ms = 5000}};
	struct error err;

	if (intake_open(&w.intake, segment, index, &err) != 0) {
		log_error("cannot map the lanes", LOG_STR("error", err.text));
		return 1;
	}
	w.sink = make_sink(&w);
	segment_announce(segment, w.slot, PROCESS_READY);

	for (;;) {
		heartbeat(w.slot, 0);
		on_signals(&w);
		if (!w.open) {
			if (w.draining && !intake_pending(&w.intake))
				break;
			open_store(&w);
			continue;
		}
		upkeep_if_due(&w);
		if (w.open && intake_gather(&w.intake))
			store_batch(&w);
		else if (w.open && w.draining)
			break;
		else if (w.open)
			wait_for_work(&w);
	}
	w.sink->ops->close(w.sink);
	intake_close(&w.intake);
	return 0;
}
