/*
 * The writer's loop: gather the events on the ring, store them, commit the ledger, and repeat. It does not linger:
 * under load the batches grow by themselves. Only a publisher rests after a transaction, for the transaction's duration
 * and at most 1 ms, because a transaction costs as much as twenty events and couriers need the CPU.
 *
 * If the store is unavailable, a batch stays on the ring for SPOOL_AFTER_MS; then it and all later events are spooled
 * (writer/spool.h). When the store is back, the spool is replayed beside live traffic. Events that the spool does not
 * take wait on the ring: requests with a waiting client are refused after STORE_TIMEOUT_MS; acknowledged events, and
 * those that may have been stored, stay. writer/writer_state.h decides. Published events blocked only by a locked order
 * have the same times, while others are stored.
 */
#include "writer/loop.h"

#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/signals.h"
#include "shm/heartbeat.h"
#include "shm/segment_lock.h"
#include "shm/settle.h"
#include "store/store.h"
#include "store/webhooks_store.h"
#include "writer/batches.h"
#include "writer/writer.h"

/* A batch of this many events is stored without a rest. */
#define REST_BELOW 200

/* The longest sleep while the store is unavailable, because the beginning of a drain wakes no writer. */
#define DRAIN_CHECK_MS 500

static const struct duty storing_events = {ROLE_WRITER, SPOOL_DIRECTORY, store_new, false, 0};
static const struct duty publishing = {ROLE_PUBLISHER, SPOOL_DIRECTORY_PUBLISHED, webhooks_sink_new, true, 1000};

static void
handle_signals(struct writer *w)
{
	int signo;

	while ((signo = signals_next(w->signal_fd)) != 0) {
		if (signo == SIGTERM)
			w->draining = true;
		else if (signo == SIGHUP)
			store_link_reopen_files(&w->store);
	}
}

static struct writer_view
view_now(const struct writer *w)
{
	return (struct writer_view){
	    .now_us = clock_steady_us(),
	    .draining = w->draining,
	    .pending = intake_pending(&w->intake),
	    .store_open = store_link_open(&w->store),
	    .store_reached = store_link_reached(&w->store),
	    .spool_takes = spool_link_takes(&w->spool),
	    .spool_failing = w->spool.state == SPOOL_FAILING,
	    .spool_retry_at_us = w->spool.append_at_us,
	    .connect_at_us = store_link_connect_at(&w->store),
	    .unavailable_since_us = w->slot->unavailable_since_us,
	    .store_until_us = store_env_until_us(&w->env.store),
	    .spool_after_us = (int64_t)w->config->spool_after_ms * 1000,
	    .refuse_after_us = (int64_t)w->config->store_timeout_ms * 1000,
	};
}

/* Publishes the store's state, by which acceptors accept or refuse events. */
static void
publish_store_state(struct writer *w)
{
	enum store_state state = STORE_UNAVAILABLE;

	if (store_link_works(&w->store))
		state = STORE_READY;
	else if (!store_link_reached(&w->store))
		state = STORE_CONNECTING;
	else if (spool_link_accepts(&w->spool, intake_pending(&w->intake)))
		state = STORE_SPOOLING;
	if (state != store_report_state(&w->slot->process.store))
		store_report_set_state(&w->slot->process.store, state);
}

/* Only this function changes the state. */
static void
change_state(struct writer *w, enum writer_state state)
{
	/* Even if the state is the same: the store may have been open in between. */
	if (state == WRITER_SPOOLING || state == WRITER_REFUSING)
		store_link_noticed(&w->store);
	if (state == w->state)
		return;
	log_debug("the writer's state has changed", LOG_STR("from", writer_state_name(w->state)),
	    LOG_STR("to", writer_state_name(state)));
	w->state = state;
}

/* ---- sleeping ---- */

/* Sleeps until a parcel, a signal, the sink's upkeep or the next heartbeat. */
static void
wait_for_work(struct writer *w)
{
	struct pollfd fds[] = {
	    {.fd = w->signal_fd, .events = POLLIN},
	    {.fd = w->wake.fd, .events = POLLIN},
	    {.fd = store_link_watch(&w->store), .events = POLLIN},
	};

	wake_arm(&w->wake);
	/* A parcel published before wake_arm() causes no wake-up. */
	if (!intake_pending(&w->intake))
		(void)poll(fds, sizeof fds / sizeof *fds, heartbeat_period_ms(w->config->stuck_after_seconds));
	wake_disarm(&w->wake);
	if (fds[1].revents != 0)
		wake_drain(&w->wake);
	if (fds[2].revents != 0)
		store_link_upkeep_soon(&w->store);
}

/* Sleeps while the store is not open: until a signal, the connector's result, a first parcel, or the next due time. */
static void
wait_for_store(struct writer *w)
{
	struct pollfd fds[] = {
	    {.fd = w->signal_fd, .events = POLLIN},
	    {.fd = w->store.connector.fd, .events = POLLIN},
	    {.fd = w->wake.fd, .events = POLLIN},
	};
	int32_t most_ms = heartbeat_period_ms(w->config->stuck_after_seconds);

	wake_arm(&w->wake);

	struct writer_view view = view_now(w);

	if (view.pending)
		fds[2].fd = -1; /* more parcels change nothing */
	if (most_ms > DRAIN_CHECK_MS)
		most_ms = DRAIN_CHECK_MS;

	int32_t wait_ms = clock_wait_ms(writer_wait_until(&view), view.now_us, most_ms);

	if (wait_ms > 0)
		(void)poll(fds, sizeof fds / sizeof *fds, wait_ms);
	wake_disarm(&w->wake);
	if (fds[2].revents != 0)
		wake_drain(&w->wake);
}

/* ---- turns ---- */

/* Gathers waiting events, and those that come during the writer's rest. */
static bool
gather_enough(struct writer *w)
{
	bool any = intake_gather(&w->intake);
	int64_t left_us = any ? w->rested_us - clock_steady_us() : 0;

	if (left_us <= 0 || w->intake.count >= REST_BELOW || w->draining)
		return any;

	const struct timespec rest = {.tv_nsec = left_us * 1000};

	(void)nanosleep(&rest, NULL);
	return intake_gather(&w->intake);
}

/* Stores the gathered batch and sets the end of the rest. */
static void
store_timed(struct writer *w)
{
	int64_t begun_us = clock_steady_us(), ended_us, most_us = w->duty->rest_most_us;

	batches_store(w);
	if (w->duty->publishes && store_link_open(&w->store))
		batches_spool_waiting(w);
	ended_us = clock_steady_us();
	w->rested_us = ended_us + (ended_us - begun_us < most_us ? ended_us - begun_us : most_us);
}

/*
 * Stores one batch from the ring and one from the spool, or sleeps if there is neither. A drain leaves the spool alone.
 */
static void
store_turn(struct writer *w)
{
	bool any = gather_enough(w);

	if (any)
		store_timed(w);
	if (!w->draining && store_link_open(&w->store) && spool_link_replays(&w->spool))
		batches_replay(w);
	else if (!any && !w->draining)
		wait_for_work(w);
}

/* Opens store and spool if they are closed, and runs their upkeep if they are open. */
static void
upkeep(struct writer *w)
{
	bool pending = intake_pending(&w->intake);

	spool_link_upkeep(&w->spool, store_link_works(&w->store));
	/* Before the next attempt to open the store: if the sandbox is stale, only a successor's attempt can work. */
	if (!store_link_works(&w->store) && clock_steady_us() >= store_link_connect_at(&w->store) &&
	    spool_link_is_recoverable(&w->spool))
		sandbox_end_if_stale();
	if (spool_link_found_any(&w->spool))
		store_link_set_reached(&w->store);
	if (!store_link_open(&w->store) && (pending || !w->draining))
		store_link_connect(&w->store, pending);
	store_link_upkeep(&w->store, pending);
}

static void
turn(struct writer *w)
{
	usage_update(&w->slot->process.usage, heartbeat(&w->slot->process, 0));
	handle_signals(w);
	upkeep(w);

	struct writer_view view = view_now(w);

	change_state(w, writer_next_state(&view));
	publish_store_state(w);
	switch (w->state) {
	case WRITER_STORING:
		store_turn(w);
		break;
	case WRITER_SPOOLING:
		if (intake_gather(&w->intake))
			(void)batches_spool(w);
		break;
	case WRITER_REFUSING:
		batches_refuse(w, true);
		if (!w->draining || intake_pending(&w->intake))
			wait_for_store(w);
		break;
	case WRITER_WAITING:
		wait_for_store(w);
		break;
	default:
		break;
	}
}

/* ---- beginning and end ---- */

static void
take_over(const struct writer *w)
{
	segment_append_lock(w->segment);
	settle_take_over(w->segment, w->duty->role, w->index);
	segment_append_unlock(w->segment);
}

/* Cuts off an earlier run's unfinished appends to a JSONL file, if this run has another store. */
static void
cut_off_appends(struct writer *w)
{
	struct error err;

	if (!w->duty->publishes && !w->store.sink->ops->journaled &&
	    store_env_cut_off_appends(&w->env.store, w->config->jsonl_path, &err) != 0)
		log_warning(
		    "cannot cut off the previous run's append to its JSONL file: its events may be stored twice",
		    LOG_STR("error", err.text));
}

/* Makes the store and the spool. Returns 0 or <0. */
static int
open_outlets(struct writer *w, struct error *err)
{
	uint32_t writers = w->segment->counts[w->duty->role];
	const struct spool_options options = {
	    .data_dir = w->config->data_dir,
	    .directory = w->duty->spool_directory,
	    .writer = w->index,
	    .writers = writers,
	    .max_bytes = w->config->spool_max_bytes / writers,
	    .slot = w->slot,
	};
	/* Read the predecessor's state first. */
	bool reached = store_report_state(&w->slot->process.store) != STORE_CONNECTING;

	store_env_init(&w->env.store, w->segment, w->slot);
	if (w->duty->publishes && publish_env_open(&w->env, w->config, w->index, err) != 0)
		return -1;
	if (store_link_init(&w->store, w->duty->new_sink(w->config, &w->env.store.sink_env), w->slot, err) != 0)
		return -1;
	/* Without webhooks a publisher only spools what waits on an adopted segment, so that it can be made anew. */
	if (reached || (w->duty->publishes && !config_api_is_on(w->config)))
		store_link_set_reached(&w->store);
	cut_off_appends(w);
	/* Do not replay another run's spool into a store that keeps nothing. */
	spool_link_init(&w->spool, &options, !w->store.sink->ops->discards);
	return 0;
}

static void
finish(struct writer *w)
{
	spool_link_close(&w->spool);
	if (w->store.connector.running)
		_exit(0); /* exit() would destroy state in use by the connector's thread */
	store_link_close(&w->store);
	publish_env_close(&w->env);
	intake_close(&w->intake);
	replay_free(&w->replay);
}

static int
run(const struct duty *duty, const struct config *config, const struct segment *segment, uint32_t index, int signal_fd)
{
	static struct writer w; /* static, because the connector's thread may outlive this function */
	struct error err;

	w = (struct writer){.duty = duty,
	    .config = config,
	    .segment = segment,
	    .index = index,
	    .slot = segment_writer(segment, duty->role, index),
	    .wake = segment_wake(segment, duty->role, index),
	    .signal_fd = signal_fd};
	take_over(&w);
	if (intake_open(&w.intake, segment, duty->role, index, &err) != 0) {
		log_error("cannot map the lanes", LOG_STR("error", err.text));
		return 1;
	}
	if (open_outlets(&w, &err) != 0) {
		log_error("cannot start", LOG_STR("error", err.text));
		return 1;
	}
	segment_announce(segment, &w.slot->process, PROCESS_READY);
	while (w.state != WRITER_DRAINED)
		turn(&w);
	finish(&w);
	return 0;
}

int
writer_main(const struct config *config, const struct segment *segment, uint32_t index, int signal_fd)
{
	return run(&storing_events, config, segment, index, signal_fd);
}

int
publisher_main(const struct config *config, const struct segment *segment, uint32_t index, int signal_fd)
{
	return run(&publishing, config, segment, index, signal_fd);
}
