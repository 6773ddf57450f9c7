/*
 * The writer's loop: gather what is there, store it, settle it in the ledger, gather what came meanwhile. No linger:
 * under load the batches grow by themselves. When the store is unavailable the batch stays on the ring for SPOOL_AFTER_MS and is
 * then spooled (writer/spool.h), and so is what comes meanwhile; when the store is back the spool is replayed beside
 * live traffic. What a full spool does not take waits on the ring; so it does without one. If a client waits for the answer
 * it is refused after STORE_TIMEOUT_MS; what was acknowledged, or may have been stored, waits on.
 */
#include "writer/loop.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "shm/heartbeat.h"
#include "shm/settle.h"
#include "writer/intake.h"
#include "writer/spool.h"
#include "writer/spool_read.h"
#include "writer/outage.h"

/* A spool that is full or broken is tried again after this, whatever waits. */
#define SPOOL_RETRY_MS 500
#define REPLAY_RETRY_MS 5000
#define SPOOL_LOOK_MS 1000
/* How often, while the store is unavailable, a look is taken whether the service drains. */
#define DRAIN_LOOK_MS 500

struct writer {
	const struct config *config;
	const struct segment *segment;
	uint32_t index;
	struct writer_slot *slot;
	struct intake intake;
	struct store store;
	struct spool spool;
	struct wake wake;
	int signal_fd;
	bool draining;
	bool spools; /* there is a spool that can be used */
	bool spool_failing; /* it did not take what it was given last */
	struct repeat spool_unusable, spool_refuses, replay_fails, spool_gone, waits_in_vain;
	int64_t spool_open_at_us, spool_at_us, replay_at_us; /* not before, after a failure */
	int64_t spool_look_at_us; /* when to look for the spool's file again */
};

static void
on_signals(struct writer *w)
{
	struct signalfd_siginfo info;

	while (read(w->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGTERM)
			w->draining = true;
		else if (info.ssi_signo == SIGHUP)
			store_reopen(&w->store);
	}
}

/* With SPOOL_MAX_BYTES=0 a spool of an earlier run is stored, and nothing added. */
static bool
may_spool(const struct writer *w)
{
	return w->spools && w->config->spool_max_bytes > 0;
}

static bool
spool_lets_in(const struct writer *w)
{
	if (!may_spool(w) || spool_low(&w->spool))
		return false;
	/* When nothing is left of what it did not take, something new has to try it again. */
	return !w->spool_failing || (!intake_pending(&w->intake) && clock_steady_us() >= w->spool_at_us);
}

/* Says to the acceptors whether to let events in. */
static void
tell_acceptors(struct writer *w)
{
	enum store_state state = STORE_UNAVAILABLE;

	if (w->store.ready) {
		state = STORE_READY;
		w->spool_failing = false;
	} else if (!w->store.reached) {
		state = STORE_CONNECTING;
	} else if (spool_lets_in(w)) {
		state = STORE_SPOOLING;
	}
	if (state != writer_store_state(w->slot))
		writer_set_store_state(w->slot, state);
}

/* Makes the draft true, and does what follows from it. */
static void
settle(struct writer *w)
{
	ledger_commit(&w->slot->ledger);
	settle_lanes(w->segment, w->index);
}

static void
count(struct ledger_page *draft, const struct sink_result *result)
{
	draft->counters[COUNTER_STORED] += result->stored;
	draft->counters[COUNTER_DUPLICATES] += result->duplicates;
	draft->counters[COUNTER_DEAD_LETTERED] += result->dead_lettered;
}

static void
store_batch(struct writer *w)
{
	struct intake *intake = &w->intake;
	struct sink_result result = {0};
	bool any = intake->count > 0; /* or all of it is damaged */

	if (any && store_put(&w->store, &(struct batch){intake->records, intake->count}, &result) != 0) {
		if (result.in_doubt)
			intake_doubt(intake);
		return;
	}

	struct ledger_page *draft = ledger_draft(&w->slot->ledger);

	count(draft, &result);
	intake_settle(intake, draft, FATE_STORED);
	settle(w);
	if (any)
		store_settled(&w->store);
}

static void
replay_batch(struct writer *w)
{
	struct spool_reader *reader = &w->spool.reader;
	struct sink_result result;
	struct error err;

	if (spool_next(&w->spool, &err) != 0) {
		int64_t now = clock_steady_us();
		uint64_t times = repeat_met(&w->replay_fails, now);

		if (times > 0)
			log_error("cannot replay the spool", LOG_STR("error", err.text), LOG_UINT("times", times));
		w->replay_at_us = now + REPLAY_RETRY_MS * 1000;
		return;
	}
	if (reader->count == 0 || store_put(&w->store, &(struct batch){reader->records, reader->count}, &result) != 0)
		return;

	struct ledger_page *draft = ledger_draft(&w->slot->ledger);

	count(draft, &result);
	spool_draft_replayed(&w->spool, draft);
	settle(w);
	spool_replay_committed(&w->spool);
	store_settled(&w->store);
	uint64_t failed = repeat_over(&w->replay_fails, clock_steady_us());
	if (failed > 0)
		log_info("the spool is replayed again", LOG_UINT("times", failed));
	if (!spool_waiting(&w->spool))
		log_info("the spool is empty again");
}

static bool
may_replay(const struct writer *w)
{
	return w->spools && w->store.open && !w->draining && spool_waiting(&w->spool) &&
	       clock_steady_us() >= w->replay_at_us;
}

/* That time, or earlier: draining, the store has only so much time left. */
static int64_t
before_drained(const struct writer *w, int64_t at_us)
{
	int64_t store_until_us = store_env_until_us(&w->store.env);

	return store_until_us < at_us ? store_until_us : at_us;
}

/*
 * When what is on the ring goes to the spool if the store is not back by then. What was acknowledged from the ring must not
 * be left there by a drain, whether the store was ever reached or not.
 */
static int64_t
spool_time(const struct writer *w)
{
	int64_t at_us = INT64_MAX;

	if (!may_spool(w))
		return INT64_MAX;
	if (w->store.reached)
		at_us = w->slot->unavailable_since_us + (int64_t)w->config->spool_after_ms * 1000;
	at_us = before_drained(w, at_us);
	return at_us > w->spool_at_us ? at_us : w->spool_at_us;
}

/* When clients have waited long enough for a store that is unavailable, if the spool cannot stand in for it. */
static int64_t
refuse_time(const struct writer *w)
{
	if (may_spool(w) && !w->spool_failing)
		return INT64_MAX;
	return before_drained(w, w->slot->unavailable_since_us + (int64_t)w->config->store_timeout_ms * 1000);
}

static void
spool_failed(struct writer *w, const struct error *err)
{
	int64_t now = clock_steady_us();
	uint64_t times = repeat_met(&w->spool_refuses, now);

	if (times > 0)
		log_error("the spool takes no more events", LOG_STR("error", err->text), LOG_UINT("times", times));
	w->spool_failing = true;
	w->spool_at_us = now + SPOOL_RETRY_MS * 1000;
	writer_set_store_error(w->slot, err->text);
}

static void
spool_batch(struct writer *w)
{
	struct intake *intake = &w->intake;
	bool any = intake->count > 0;
	struct error err;

	w->store.ready = false; /* it may have failed once only */
	if (any && spool_append(&w->spool, intake->records, intake->count, &err) != 0) {
		spool_failed(w, &err);
		if (ledger_append_open(&w->slot->ledger, APPEND_SPOOL))
			intake_doubt(intake);
		return;
	}
	w->spool_failing = w->spool_failing && !any;

	uint64_t refused = repeat_over(&w->spool_refuses, clock_steady_us());
	if (refused > 0)
		log_info("the spool takes events again", LOG_UINT("times", refused));

	struct ledger_page *draft = ledger_draft(&w->slot->ledger);

	draft->counters[COUNTER_SPOOLED] += intake->count;
	draft->spool_events += intake->count;
	intake_settle(intake, draft, FATE_SPOOLED);
	settle(w);
	if (any)
		spool_append_committed(&w->spool);
}

static void
refuse_waiting(struct writer *w)
{
	w->store.ready = false; /* it may have failed once only */
	tell_acceptors(w);

	struct ledger_page *draft = ledger_draft(&w->slot->ledger);
	uint64_t events = intake_refuse(&w->intake, draft);

	settle(w);
	if (events == 0)
		return;

	uint64_t times = repeat_met(&w->waits_in_vain, clock_steady_us());

	if (times > 0)
		log_warning("requests have waited for the store in vain: answered with 503", LOG_UINT("events", events),
		    LOG_UINT("times", times));
}

/* Sleeps until there is a parcel, a signal, something for the sink to look at, or the next heartbeat is due. */
static void
wait_for_work(struct writer *w)
{
	struct pollfd fds[] = {
	    {.fd = w->signal_fd, .events = POLLIN},
	    {.fd = w->wake.fd, .events = POLLIN},
	    {.fd = store_watch(&w->store), .events = POLLIN},
	};

	wake_arm(&w->wake);
	/* Published between the last look and the word that we sleep: no wake-up will come for it. */
	if (!intake_pending(&w->intake))
		(void)poll(fds, sizeof fds / sizeof *fds, heartbeat_period_ms(w->config->stuck_after_seconds));
	wake_disarm(&w->wake);
	if (fds[1].revents != 0)
		wake_drain(&w->wake);
	if (fds[2].revents != 0)
		store_upkeep_soon(&w->store);
}

/* Sleeps while the store is unavailable: until a signal, something to spool or refuse, or an end or a time of an opening. */
static void
wait_for_store(struct writer *w)
{
	int64_t until_us = w->store.connector.running ? INT64_MAX : w->store.open_at_us;
	int64_t spool_us = spool_time(w), refuse_us = refuse_time(w);
	struct pollfd fds[] = {
	    {.fd = w->signal_fd, .events = POLLIN},
	    {.fd = w->store.connector.fd, .events = POLLIN},
	    {.fd = w->wake.fd, .events = POLLIN},
	};

	wake_arm(&w->wake);
	if (intake_pending(&w->intake)) {
		fds[2].fd = -1; /* what else comes changes nothing */
		until_us = spool_us < until_us ? spool_us : until_us;
		/* Afterwards nobody waits, but for who was let in just before the acceptors were told. */
		if (refuse_us > clock_steady_us() && refuse_us < until_us)
			until_us = refuse_us;
	}
	int64_t left_ms = (until_us - clock_steady_us() + 999) / 1000;
	int64_t most_ms = heartbeat_period_ms(w->config->stuck_after_seconds);

	/* Nobody wakes us when draining begins. */
	if (most_ms > DRAIN_LOOK_MS)
		most_ms = DRAIN_LOOK_MS;
	if (left_ms > 0)
		(void)poll(fds, sizeof fds / sizeof *fds, (int)(left_ms < most_ms ? left_ms : most_ms));
	wake_disarm(&w->wake);
	if (fds[2].revents != 0)
		wake_drain(&w->wake);
}

/* The spool of this writer. Without a usable one events wait on the ring. */
static void
open_spool(struct writer *w)
{
	struct spool_options options = {.data_dir = w->config->data_dir,
	    .writer = w->index,
	    .writers = w->segment->counts[ROLE_WRITER],
	    .max_bytes = w->config->spool_max_bytes / w->segment->counts[ROLE_WRITER],
	    .slot = w->slot};
	struct error err;

	/* A predecessor's word: the store has worked. */
	w->store.reached = writer_store_state(w->slot) != STORE_CONNECTING;
	w->spool_open_at_us = INT64_MAX;
	if (w->store.sink->ops->discards)
		return; /* it would swallow what another run has kept */
	if (spool_open(&w->spool, &options, &err) != 0) {
		int64_t now = clock_steady_us();
		uint64_t times = repeat_met(&w->spool_unusable, now);

		if (times > 0)
			log_error("the spool cannot be used", LOG_STR("error", err.text), LOG_UINT("times", times));
		spool_close(&w->spool);
		w->spool_open_at_us = now + REPLAY_RETRY_MS * 1000;
		return;
	}
	if (w->spool_unusable.times > 0)
		log_info("the spool can be used again", LOG_UINT("times", w->spool_unusable.times));
	w->spools = true;
	if (spool_waiting(&w->spool))
		log_info("events wait in the spool", LOG_UINT("events", ledger_page(&w->slot->ledger)->spool_events),
		    LOG_UINT("bytes", w->spool.bytes));
	w->store.reached = w->store.reached || w->spool.found_any; /* and so says a spool */
}

/* What was acknowledged as spooled must stand in a file that somebody else would find. */
static void
look_at_spool(struct writer *w)
{
	int64_t now = clock_steady_us();
	struct error err;
	uint64_t times;

	w->spool_look_at_us = now + SPOOL_LOOK_MS * 1000;
	if (spool_restore_file(&w->spool, &err) == 0)
		return;
	w->spool_look_at_us = now + REPLAY_RETRY_MS * 1000;
	if ((times = repeat_met(&w->spool_gone, now)) > 0)
		log_error("a spool file was removed and cannot be made again: a stop would lose its events",
		    LOG_STR("error", err.text), LOG_UINT("times", times));
}

/* What the predecessor has left half done. */
static void
take_over(const struct writer *w)
{
	segment_append_lock(w->segment);
	settle_take_over(w->segment, w->index);
	segment_append_unlock(w->segment);
}

/* What an earlier run has left in a JSONL file that is not this run's store. */
static void
cut_off_appends(struct writer *w)
{
	struct error err;

	if (!w->store.sink->ops->journaled &&
	    store_env_cut_off_appends(&w->store.env, w->config->jsonl_path, &err) != 0)
		log_warning("events of the previous run may stand in its JSONL file, too", LOG_STR("error", err.text));
}

int
writer_main(const struct config *config, const struct segment *segment, uint32_t index, int signal_fd)
{
	static struct writer w; /* one per process; a thread may still look at it when this returns */
	struct error err;

	w = (struct writer){.config = config,
	    .segment = segment,
	    .index = index,
	    .slot = segment_writer(segment, index),
	    .wake = segment_wake(segment, ROLE_WRITER, index),
	    .signal_fd = signal_fd};
	take_over(&w);
	if (intake_open(&w.intake, segment, index, &err) != 0) {
		log_error("cannot map the lanes", LOG_STR("error", err.text));
		return 1;
	}
	if (store_init(&w.store, config, segment, w.slot, &err) != 0) {
		log_error("cannot start", LOG_STR("error", err.text));
		return 1;
	}
	cut_off_appends(&w);
	open_spool(&w);
	segment_announce(segment, &w.slot->process, PROCESS_READY);

	for (;;) {
		usage_note(&w.slot->process.usage, heartbeat(&w.slot->process, 0));
		on_signals(&w);
		if (clock_steady_us() >= w.spool_open_at_us)
			open_spool(&w);
		if (w.spools && clock_steady_us() >= w.spool_look_at_us)
			look_at_spool(&w);
		if (!w.store.open && !(w.draining && !intake_pending(&w.intake)))
			store_try_open(&w.store, intake_pending(&w.intake));
		store_upkeep(&w.store, intake_pending(&w.intake));
		tell_acceptors(&w);
		if (w.store.open) {
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
		} else {
			if (clock_steady_us() >= refuse_time(&w))
				refuse_waiting(&w);
			if (w.draining && !intake_pending(&w.intake))
				break;
			wait_for_store(&w);
		}
	}
	if (w.spools)
		look_at_spool(&w);
	if (w.store.connector.running)
		_exit(0); /* not through exit(): the thread uses what that would tear down */
	store_close(&w.store);
	if (w.spools)
		spool_close(&w.spool);
	intake_close(&w.intake);
	return 0;
}
