/*
 * The writer's loop: gather what is there, store it, release it, gather what came meanwhile. No linger: under load the
 * batches grow by themselves. When the store is away the batch stays on the ring for SPOOL_AFTER_MS and is then spooled
 * (writer/spool.h), and so is what comes meanwhile; when the store is back the spool is replayed beside live traffic. A
 * store without a spool has its batch tried again, the same records in the same order, after a backoff.
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
#include "writer/opener.h"
#include "writer/sink_jsonl.h"
#include "writer/spool.h"

#define UPKEEP_INTERVAL_MS (60 * 1000)
/* A spool that is full or broken is tried again after this, whatever waits. */
#define SPOOL_RETRY_MS 500
#define REPLAY_RETRY_MS 5000

struct writer {
	const struct config *config;
	struct intake intake;
	struct sink *sink;
	struct opener opener;
	struct spool spool;
	struct process_slot *slot;
	struct wake wake;
	int signal_fd;
	bool open;
	bool failing; /* the store has failed since it last did something */
	bool draining;
	bool reopen; /* HUP came while the sink was being opened */
	bool reached; /* the store is known to have worked once: it is away, not misconfigured */
	bool spools; /* events go to the spool while the store is away */
	bool replays;
	bool spool_failing;
	int64_t away_since_us; /* 0: it works */
	int64_t open_at_us; /* the next try, unless one is under way */
	int64_t spool_at_us, replay_at_us; /* not before, after a failure */
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
		else if (info.ssi_signo == SIGHUP)
			w->reopen = true;
	}
	if (w->reopen && !w->opener.running) {
		w->reopen = false;
		if (w->sink->ops->reopen != NULL)
			w->sink->ops->reopen(w->sink);
	}
}

/* The store is away: says to the acceptors whether to let events in. */
static void
tell_away(struct writer *w)
{
	uint32_t state = STORE_AWAY;

	/* What the spool did not take has gone to the store since: let in what will try it again. */
	if (!intake_pending(&w->intake))
		w->spool_failing = false;
	if (!w->reached)
		state = STORE_CONNECTING;
	else if (w->spools && !w->spool_failing && !spool_low(&w->spool))
		state = STORE_SPOOLING;
	ck_pr_store_32(&w->slot->store_state, state);
}

/* The store cannot be reached: says so to everybody and sets the time of the next try. */
static void
store_away(struct writer *w, const struct error *err)
{
	uint32_t wait_ms = backoff_next_ms(&w->backoff);

	w->open_at_us = clock_steady_us() + (int64_t)wait_ms * 1000;
	(void)snprintf(w->slot->store_error, sizeof w->slot->store_error, "%s", err->text);
	tell_away(w);
	log_error("the store is away", LOG_STR("storage", w->sink->ops->name), LOG_STR("error", err->text),
	    LOG_UINT("retry_in_ms", wait_ms));
}

/*
 * The open store has failed in a call that began at that time. Once, a connection that broke is simply made again, and
 * clients notice nothing; a store that fails again without having stored anything in between is away.
 */
static void
store_failed(struct writer *w, int64_t began_us, const struct error *err)
{
	w->open = false;
	if (w->away_since_us == 0)
		w->away_since_us = began_us;
	counter_add(w->slot, COUNTER_STORAGE_ERRORS, 1);
	if (w->failing) {
		store_away(w, err);
		return;
	}
	w->failing = true;
	w->open_at_us = 0;
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
	w->away_since_us = 0;
	backoff_reset(&w->backoff);
	if (w->slot->store_state != STORE_READY)
		store_ready(w);
}

static void
opened(struct writer *w, int rc, const struct error *err)
{
	if (rc != 0) {
		counter_add(w->slot, COUNTER_STORAGE_ERRORS, 1);
		store_away(w, err);
		return;
	}
	w->open = true;
	w->reached = true;
	/* A full disk opens, too: with something to store at hand, storing it is what shows that the store works. */
	if (!w->failing || !intake_pending(&w->intake))
		store_ready(w);
}

/* Begins to open the store when it is time, and ends it when that is done. */
static void
open_store(struct writer *w)
{
	struct error err;

	if (w->opener.running) {
		int rc = opener_result(&w->opener, &err);

		if (rc != OPENER_BUSY)
			opened(w, rc, &err);
	} else if (clock_steady_us() >= w->open_at_us) {
		if (w->sink->ops->remote)
			opener_start(&w->opener);
		else
			opened(w, w->sink->ops->open(w->sink, &err), &err);
	}
}

static int
store(struct writer *w, const struct record *const *records, uint32_t count)
{
	struct sink_result result = {0};
	int64_t began_us = clock_steady_us();
	struct error err;

	if (count > 0 && w->sink->ops->store(w->sink, records, count, &result, &err) != 0) {
		store_failed(w, began_us, &err);
		return -1;
	}
	store_works(w);
	/* Counted before the release: a client that has its 202 finds its events in the sums. */
	counter_add(w->slot, COUNTER_STORED, result.stored);
	counter_add(w->slot, COUNTER_DUPLICATES, result.duplicates);
	counter_add(w->slot, COUNTER_DEAD_LETTERED, result.dead_lettered);
	counter_add(w->slot, COUNTER_BATCHES, 1);
	return 0;
}

static void
released(struct writer *w)
{
	if (w->sink->ops->released != NULL)
		w->sink->ops->released(w->sink);
}

static void
store_batch(struct writer *w)
{
	if (store(w, w->intake.records, w->intake.count) != 0)
		return;
	intake_release(&w->intake, false);
	if (w->intake.count > 0)
		released(w);
}

/* The intake holds nothing unreleased: what a sink notes about the release is then nothing, too. */
static void
replay_batch(struct writer *w)
{
	struct error err;

	if (spool_next(&w->spool, &err) != 0) {
		log_error("cannot replay the spool", LOG_STR("error", err.text));
		w->replay_at_us = clock_steady_us() + REPLAY_RETRY_MS * 1000;
		return;
	}
	if (w->spool.reader.count == 0 || store(w, w->spool.reader.records, w->spool.reader.count) != 0)
		return;
	spool_stored(&w->spool);
	released(w);
	if (!spool_waiting(&w->spool))
		log_info("the spool is empty again");
}

static bool
may_replay(const struct writer *w)
{
	return w->replays && w->open && !w->draining && spool_waiting(&w->spool) &&
	       clock_steady_us() >= w->replay_at_us;
}

/*
 * When what is on the ring goes to the spool if the store is not back by then. Draining, the store has no more time:
 * what was acknowledged from the ring must not be left there.
 */
static int64_t
spool_time(const struct writer *w)
{
	int64_t after_us = w->away_since_us + (int64_t)w->config->spool_after_ms * 1000;

	if (!w->spools || !(w->reached || w->draining))
		return INT64_MAX;
	return w->draining || w->spool_at_us > after_us ? w->spool_at_us : after_us;
}

static void
spool_batch(struct writer *w)
{
	struct error err;
	int rc = w->intake.count > 0 ? spool_append(&w->spool, w->intake.records, w->intake.count, &err) : 0;

	if (rc == 0) {
		w->spool_failing = false;
		counter_add(w->slot, COUNTER_SPOOLED, w->intake.count);
		intake_release(&w->intake, true);
		tell_away(w);
		return;
	}

	bool news = !w->spool_failing;

	w->spool_failing = true;
	w->spool_at_us = clock_steady_us() + SPOOL_RETRY_MS * 1000;
	(void)snprintf(w->slot->store_error, sizeof w->slot->store_error, "%s", err.text);
	tell_away(w);
	if (news)
		log_error("the spool takes no more events", LOG_STR("error", err.text));
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
		store_failed(w, now, &err);
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

/* Sleeps while the store is away, until there is a signal, something to spool, or an end or a time of an opening. */
static void
wait_for_store(struct writer *w)
{
	int64_t until_us = w->opener.running ? INT64_MAX : w->open_at_us;
	int64_t spool_us = spool_time(w);
	struct pollfd fds[] = {
	    {.fd = w->signal_fd, .events = POLLIN},
	    {.fd = w->opener.fd, .events = POLLIN},
	    {.fd = w->wake.fd, .events = POLLIN},
	};

	wake_arm(&w->wake);
	if (intake_pending(&w->intake)) {
		fds[2].fd = -1; /* what else comes changes nothing */
		until_us = spool_us < until_us ? spool_us : until_us;
	}
	int64_t left_ms = (until_us - clock_steady_us() + 999) / 1000;
	int64_t beat_ms = heartbeat_period_ms(w->config->stuck_after_seconds);

	if (left_ms > 0)
		(void)poll(fds, sizeof fds / sizeof *fds, (int)(left_ms < beat_ms ? left_ms : beat_ms));
	wake_disarm(&w->wake);
	if (fds[2].revents != 0)
		wake_drain(&w->wake);
}

/* The spool of this writer. Without a usable one events wait on the ring, as for a store that has none. */
static void
open_spool(struct writer *w, uint32_t index)
{
	struct error err;
	bool found;

	/* A predecessor's word: the store has worked. */
	w->reached = w->slot->store_state != STORE_CONNECTING;
	if (w->config->storage == STORAGE_NULL)
		return; /* it would swallow what another run has kept */
	if (spool_open(&w->spool, w->config->data_dir, index, w->intake.segment->writers,
		w->config->spool_max_bytes / w->intake.segment->writers, w->slot, &found, &err) != 0) {
		log_error("the spool cannot be used", LOG_STR("error", err.text));
		return;
	}
	w->replays = true;
	w->spools = w->sink->ops->remote;
	if (spool_waiting(&w->spool))
		log_info("events wait in the spool", LOG_UINT("events", w->slot->levels[LEVEL_SPOOL_EVENTS]),
		    LOG_UINT("bytes", w->spool.bytes));
	w->reached = w->reached || found; /* and so says a spool */
	if (w->spools && w->reached)
		tell_away(w);
}

int
writer_main(const struct config *config, const struct segment *segment, uint32_t index, int signal_fd)
{
	static struct writer w; /* one per process; a thread may still look at it when this returns */
	struct error err;

	w = (struct writer){.config = config,
	    .slot = segment_writer(segment, index),
	    .wake = segment_wake_writer(segment, index),
	    .signal_fd = signal_fd,
	    .away_since_us = clock_steady_us(),
	    .backoff = {.first_ms = 100, .cap_ms = 5000}};
	if (intake_open(&w.intake, segment, index, &err) != 0) {
		log_error("cannot map the lanes", LOG_STR("error", err.text));
		return 1;
	}
	w.sink = make_sink(&w);
	if (opener_init(&w.opener, w.sink, &err) != 0) {
		log_error("cannot start", LOG_STR("error", err.text));
		return 1;
	}
	open_spool(&w, index);
	segment_announce(segment, w.slot, PROCESS_READY);

	for (;;) {
		heartbeat(w.slot, 0);
		on_signals(&w);
		if (!w.open && !(w.draining && !intake_pending(&w.intake)))
			open_store(&w);
		if (w.open)
			upkeep_if_due(&w);
		if (w.open) {
			bool any = intake_gather(&w.intake);

			if (any)
				store_batch(&w);
			/* Beside live traffic: one batch of each in turn. */
			if (may_replay(&w))
				replay_batch(&w);
			else if (!any && w.draining)
				break;
			else if (!any)
				wait_for_work(&w);
		} else if (clock_steady_us() >= spool_time(&w) && intake_gather(&w.intake)) {
			spool_batch(&w);
		} else if (w.draining && !intake_pending(&w.intake)) {
			break;
		} else {
			wait_for_store(&w);
		}
	}
	if (w.opener.running)
		_exit(0); /* not through exit(): the thread uses what that would tear down */
	w.sink->ops->close(w.sink);
	if (w.replays)
		spool_close(&w.spool);
	intake_close(&w.intake);
	return 0;
}
