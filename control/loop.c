/*
 * The loop of control. Each turn: take frames, give complete requests to the workers, send their answers, sleep until
 * something comes. It never waits for a store or for an acceptor.
 */
#include "control/loop.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_codes.h"
#include "base/log.h"
#include "base/signals.h"
#include "store/db_turn.h"
#include "control/key_loader.h"
#include "control/peer.h"
#include "control/store_log.h"
#include "control/streams.h"
#include "api/secrets.h"
#include "control/upkeep.h"
#include "control/workers.h"
#include "shm/counters.h"
#include "shm/heartbeat.h"

/* How often to look for readers that take nothing. */
#define STALLED_LOOK_MS 500
/* A reply may push out another whose reader has taken nothing for this long. */
#define PUSH_OUT_US (1000 * 1000)
/* How long the threads may take to end; their statements are short. */
#define STOP_US (2 * 1000 * 1000)
/* How long this process stays after BYE, in addition to the time that its calls may take. */
#define LEAVE_US (2 * 1000 * 1000 + READER_PATIENCE_US)
#define LEAVE_LOOK_MS 50

struct control {
	const struct segment *segment;
	struct process_slot *slot;
	const struct config *config;
	struct store_log store_log;
	struct db_turn env;
	struct db_env hook_env; /* of reading hook events: nobody has turns there */
	struct secrets secrets;
	struct key_loader *keys;
	struct upkeep *upkeep; /* NULL: no API */
	struct streams *streams; /* of webhooks; NULL: no API */
	struct streams *hook_streams; /* of hook events; NULL: not served */
	struct workers workers;
	struct peers peers;
	struct peer items[CHANNELS_MAX];
	uint32_t count; /* of peers */
	int signal_fd;
	int32_t period_ms; /* between heartbeats */
	int64_t leave_by_us; /* steady; 0: not leaving */
};

static void
begin_to_leave(struct control *control)
{
	if (control->leave_by_us != 0)
		return;
	segment_announce(control->segment, control->slot, PROCESS_DRAINING);
	control->peers.leaving = true;
	workers_end_tests(&control->workers);
	if (control->streams != NULL)
		streams_end(control->streams);
	if (control->hook_streams != NULL)
		streams_end(control->hook_streams);
	control->leave_by_us = clock_steady_us() + control->peers.timeout_us + LEAVE_US;
	for (uint32_t i = 0; i < control->count; i++)
		peer_say_bye(&control->items[i]);
}

static void
handle_signals(struct control *control)
{
	int signo;

	while ((signo = signals_next(control->signal_fd)) != 0)
		if (signo == SIGTERM)
			begin_to_leave(control);
}

/* Takes the workers' answers. If all replies together are too large, drops one that nobody reads. */
static void
take_replies(struct control *control)
{
	int64_t now = clock_steady_us();
	struct call *call;

	while ((call = workers_done(&control->workers)) != NULL) {
		counter_add(
		    control->slot, call->reply.status == 503 ? COUNTER_MANAGEMENT_FAILED : COUNTER_MANAGEMENT_DONE, 1);
		while (call->state != CALL_LEFT && peers_have_no_room(&control->peers, &call->reply) &&
		       peer_cut_off_longest(control->items, control->count, PUSH_OUT_US, now))
			;
		peer_finished(call);
	}
}

static bool
may_leave(const struct control *control, int64_t now)
{
	if (control->leave_by_us == 0)
		return false;
	if (now >= control->leave_by_us)
		return true;
	for (uint32_t i = 0; i < control->count; i++)
		if (!peer_may_leave(&control->items[i]))
			return false;
	return true;
}

/* Sleeps until a frame, a reply or a signal comes, a full channel has room, or it is time to look around. */
static void
wait_for_work(struct control *control)
{
	struct pollfd fds[CHANNELS_MAX + 4];
	int32_t wait_ms = control->period_ms;

	for (uint32_t i = 0; i < control->count; i++)
		fds[i] = (struct pollfd){.fd = control->items[i].fd,
		    .events = (short)(control->items[i].blocked ? POLLIN | POLLOUT : POLLIN)};
	fds[control->count] = (struct pollfd){.fd = control->signal_fd, .events = POLLIN};
	fds[control->count + 1] = (struct pollfd){.fd = control->workers.done_fd, .events = POLLIN};
	fds[control->count + 2] =
	    (struct pollfd){.fd = control->streams != NULL ? streams_fd(control->streams) : -1, .events = POLLIN};
	fds[control->count + 3] = (struct pollfd){
	    .fd = control->hook_streams != NULL ? streams_fd(control->hook_streams) : -1, .events = POLLIN};
	if (control->peers.open > 0 && wait_ms > STALLED_LOOK_MS)
		wait_ms = STALLED_LOOK_MS;
	if (control->leave_by_us != 0)
		wait_ms = LEAVE_LOOK_MS;
	(void)poll(fds, control->count + 4, wait_ms);
}

static void
turn(struct control *control)
{
	int64_t now = heartbeat(control->slot, 0);

	usage_update(&control->slot->usage, now);
	handle_signals(control);
	for (uint32_t i = 0; i < control->count; i++)
		peer_receive(&control->items[i]);
	take_replies(control);
	if (control->streams != NULL)
		streams_clear_fd(control->streams);
	if (control->hook_streams != NULL)
		streams_clear_fd(control->hook_streams);
	for (uint32_t i = 0; i < control->count; i++) {
		if (control->peers.open > 0)
			peer_cut_off_stalled(&control->items[i], now);
		peer_send(&control->items[i]);
	}
	level_set(control->slot, LEVEL_CONTROL_QUEUE, call_queue_count(&control->workers.queue));
	store_log_look(&control->store_log, control->config, control->slot, now);
	wait_for_work(control);
}

/* Opens what the threads share, and starts them. Returns 0 or <0. */
static int
start_threads(struct control *control, const struct config *config, struct error *err)
{
	struct control_context context = {.config = config,
	    .segment = control->segment,
	    .slot = control->slot,
	    .env = &control->env.env,
	    .secrets = &control->secrets,
	    .keys = control->keys = key_loader_new(control->segment->keys)};
	/* A segment of an earlier run may have a slot for this process although the API is off now. */
	const bool api = config_api_is_on(config);

	secrets_open(&control->secrets, config);
	if (db_turn_open(&control->env, config, control->segment, control->slot, err) != 0)
		return -1;
	if (api && (control->streams = streams_start(
			&streams_of_webhooks, config, control->segment, control->slot, context.env, err)) == NULL)
		return -1;
	if (config_streams_hook_events(config) &&
	    (control->hook_streams = streams_start(
		 &streams_of_hook_events, config, control->segment, control->slot, &control->hook_env, err)) == NULL)
		return -1;
	context.streams = control->streams;
	context.hook_streams = control->hook_streams;
	if (workers_start(&control->workers, &context, err) != 0)
		return -1;
	if (api)
		control->upkeep = upkeep_start(config, context.segment, context.env, control->keys, err);
	return api && control->upkeep == NULL ? -1 : 0;
}

/* Returns whether all threads have ended, so that their resources can be released. */
static bool
stop_threads(struct control *control)
{
	int64_t until_us = clock_steady_us() + STOP_US;
	bool ended = workers_stop(&control->workers, until_us);

	if (control->upkeep != NULL && !upkeep_stop(control->upkeep, until_us))
		ended = false;
	if (control->streams != NULL && !streams_stop(control->streams, until_us))
		ended = false;
	if (control->hook_streams != NULL && !streams_stop(control->hook_streams, until_us))
		ended = false;
	if (!ended)
		return false;
	secrets_close(&control->secrets);
	key_loader_free(control->keys);
	db_turn_close(&control->env);
	return true;
}

int
control_main(const struct config *config, const struct segment *segment, const struct channels *frames)
{
	static struct control control; /* large, and threads may outlive this function */
	struct process_slot *slot = segment_slot(segment, ROLE_CONTROL, 0);
	struct error err;

	control = (struct control){.segment = segment,
	    .slot = slot,
	    .config = config,
	    .count = frames->count,
	    .signal_fd = signals_open(false),
	    .period_ms = heartbeat_period_ms(config->stuck_after_seconds),
	    .peers = {.workers = &control.workers,
		.start = slot_starts(slot),
		.timeout_us = (int64_t)config->store_timeout_ms * 1000}};
	if (start_threads(&control, config, &err) != 0) {
		log_error("cannot start", LOG_STR("error", err.text));
		_exit(EXIT_FAILED); /* exit() would tear down libraries that started threads use */
	}
	for (uint32_t i = 0; i < control.count; i++)
		peer_init(
		    &control.items[i], &control.peers, frames->ends[i][1], segment_slot(segment, ROLE_ACCEPTOR, i));
	segment_announce(segment, slot, PROCESS_READY);
	while (!may_leave(&control, clock_steady_us()))
		turn(&control);
	if (!stop_threads(&control))
		_exit(EXIT_DRAINED); /* exit() would tear down what a thread uses */
	return EXIT_DRAINED;
}
