/*
 * The acceptor's loop. Each turn: answer what has been stored, say that we sleep if anything waits, let libh2o poll and
 * run its callbacks. Signals and the writers' wake-ups are descriptors of the same loop.
 */
#include "server/acceptor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_codes.h"
#include "base/mem.h"
#include "server/connection.h"
#include "server/error_responses.h"
#include "server/events.h"
#include "server/h2o_internals.h"
#include "server/drain.h"
#include "server/linger.h"
#include "server/routes.h"
#include "base/signals.h"
#include "shm/heartbeat.h"

/* Accepts per turn: a burst of new connections does not make the established ones wait. */
#define ACCEPTS_PER_TURN 16
#define ACCEPT_PAUSE_US (100 * 1000)
/* Short of descriptors those go first that have rested longest, if it is longer than this. */
#define MAKE_ROOM_RESTED_US (1000 * 1000)
/*
 * libh2o has one limit for a connection that rests and a request that dawdles, by a clock that people set: connection.c has
 * its own. Far beyond those, and short of the time since 1970, which libh2o subtracts it from.
 */
#define LIBH2O_TIMEOUT_MS (10 * 24 * 3600 * UINT64_C(1000))
/*
 * Requests come and go by the hundred with each batch that is stored. libc gives free memory back to the kernel as soon as
 * it is more than twice the largest block that it has mapped and unmapped so far: a tenth of the CPU of batches, were
 * there not one of this size at first.
 */
#define FIRST_BLOCK_BYTES ((size_t)2 << 20)
/*
 * Who connects before the store has been tried for the first time waits for that, not longer than this: the first requests
 * after a restart are not refused for want of a store that is there.
 */
#define FIRST_TRY_US (2 * 1000 * 1000)
#define FIRST_TRY_LOOK_MS 5

/* The listener stays readable: without a pause this would spin. Not a time-out of libh2o's, whose clock people set. */
static void
pause_accepting(struct acceptor *acceptor, int failure)
{
	int64_t now_us = clock_steady_us();
	uint64_t times = repeat_met(&acceptor->no_descriptors, now_us);

	if (times > 0)
		log_warning("cannot accept connections, pausing", LOG_STR("error", strerror(failure)),
		    LOG_UINT("connections", acceptor->connections), LOG_UINT("times", times));
	connections_close_resting(acceptor, now_us, MAKE_ROOM_RESTED_US, ACCEPTS_PER_TURN);
	acceptor_accept(acceptor, false);
	acceptor->paused_until_us = now_us + ACCEPT_PAUSE_US;
}

/* At every turn. Returns in how many milliseconds the next look is due, at most most_ms. */
static int32_t
look_at_pause(struct acceptor *acceptor, int64_t now_us, int32_t most_ms)
{
	uint64_t times = repeat_over(&acceptor->no_descriptors, now_us);

	if (times > 0)
		log_info("connections are accepted again", LOG_UINT("connections", acceptor->connections),
		    LOG_UINT("times", times));
	if (acceptor->paused_until_us == 0)
		return most_ms;
	if (now_us < acceptor->paused_until_us)
		return clock_wait_ms(acceptor->paused_until_us, now_us, most_ms);
	acceptor_accept(acceptor, true);
	return most_ms;
}

static void
on_connect(h2o_socket_t *listener, const char *err)
{
	struct acceptor *acceptor = listener->data;

	if (err != NULL)
		return;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		h2o_socket_t *socket = h2o_evloop_socket_accept(listener);

		if (socket != NULL) {
			connection_take(acceptor, socket);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			pause_accepting(acceptor, errno);
		return;
	}
}

void
acceptor_accept(struct acceptor *acceptor, bool on)
{
	acceptor->paused_until_us = 0;
	for (uint32_t l = 0; l < acceptor->listener_count; l++)
		if (on)
			h2o_socket_read_start(acceptor->listeners[l], on_connect);
		else
			h2o_socket_read_stop(acceptor->listeners[l]);
}

static void
on_signal(h2o_socket_t *socket, const char *err)
{
	struct acceptor *acceptor = socket->data;
	int signo;

	while ((signo = signals_next(acceptor->signal_fd)) != 0)
		if (signo == SIGTERM)
			drain_begin(acceptor);
}

static void
on_wake(h2o_socket_t *socket, const char *err)
{
	wake_drain(socket->data);
}

static h2o_socket_t *
watch(struct acceptor *acceptor, int fd, h2o_socket_cb callback, void *data)
{
	h2o_socket_t *socket = h2o_evloop_socket_create(acceptor->context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);

	socket->data = data;
	h2o_socket_read_start(socket, callback);
	return socket;
}

static void
configure_http(struct acceptor *acceptor)
{
	h2o_hostconf_t *host;

	(void)snprintf(
	    acceptor->keep_alive, sizeof acceptor->keep_alive, "timeout=%u", acceptor->config->idle_timeout_seconds);
	h2o_config_init(&acceptor->globalconf);
	acceptor->globalconf.server_name = h2o_iovec_init(H2O_STRLIT("hooksd"));
	/* This libh2o predates the fix for HTTP/2 rapid reset. */
	acceptor->globalconf.http1.upgrade_to_http2 = 0;
	acceptor->globalconf.http1.req_timeout = LIBH2O_TIMEOUT_MS;
	/* One more than the limit: libh2o refuses a chunked body that reaches it, and events_post() knows the limit. */
	acceptor->globalconf.max_request_entity_size = acceptor->config->max_body_bytes + 1;
	host = h2o_config_register_host(&acceptor->globalconf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	error_responses_register(acceptor, host);
	routes_register(acceptor, host);
	h2o_context_init(&acceptor->context, h2o_evloop_create(), &acceptor->globalconf);
	acceptor->accept.ctx = &acceptor->context;
	acceptor->accept.hosts = acceptor->globalconf.hosts;
}

static int
map_lanes(struct acceptor *acceptor, uint32_t index)
{
	struct error err;

	for (uint32_t w = 0; w < acceptor->segment->counts[ROLE_WRITER]; w++) {
		acceptor->lanes[w] = segment_lane(acceptor->segment, LANES_EVENTS, index, w);
		if (segment_map_arena(acceptor->segment, &acceptor->lanes[w], &err) != 0) {
			log_error("cannot map a lane", LOG_STR("error", err.text));
			return -1;
		}
		acceptor->writers[w] = segment_wake(acceptor->segment, ROLE_WRITER, w);
	}
	return 0;
}

static void
listen_now(struct acceptor *acceptor, const struct listeners *listeners, uint32_t index)
{
	for (uint32_t l = 0; l < listeners->count; l++)
		if (listeners_serves(listeners, index, l))
			acceptor->listeners[acceptor->listener_count++] =
			    watch(acceptor, listeners->fds[l], on_connect, acceptor);
	segment_announce(acceptor->segment, acceptor->slot, PROCESS_READY);
}

/* Whether every writer knows by now if its store works. */
static bool
store_tried(const struct acceptor *acceptor)
{
	for (uint32_t w = 0; w < acceptor->segment->counts[ROLE_WRITER]; w++)
		if (!writer_store_tried(segment_writer(acceptor->segment, w)))
			return false;
	return true;
}

/* One turn of the loop, which sleeps for at most that long. Returns false when there is nothing left to serve. */
static bool
turn(struct acceptor *acceptor, const struct wake *wake, int32_t wait_ms)
{
	int64_t now_us = heartbeat(acceptor->slot, 0);
	bool waiting;

	usage_update(&acceptor->slot->usage, now_us);
	wait_ms = connections_look(acceptor, now_us, look_at_pause(acceptor, now_us, wait_ms));
	wait_ms = linger_look(acceptor, now_us, wait_ms);

	/* libh2o polls first and runs completed writes after that: answers written here must not wait for the poll. */
	if (events_answer(acceptor))
		wait_ms = 0;
	if (acceptor->leaving_since_us != 0) {
		int32_t look_ms = drain_step(acceptor);

		if (look_ms < 0)
			return false;
		if (wait_ms > look_ms)
			wait_ms = look_ms;
	}

	waiting = events_waiting(acceptor);
	if (waiting) {
		wake_arm(wake);
		/* Stored between the look above and the word that we sleep: no wake-up will come for it. */
		if (events_answer_due(acceptor))
			wait_ms = 0;
	}
	h2o_evloop_run(acceptor->context.loop, wait_ms);
	if (waiting)
		wake_disarm(wake);
	return true;
}

int
acceptor_main(const struct config *config, const struct segment *segment, uint32_t index,
    const struct listeners *listeners, const struct handover *handover)
{
	static struct acceptor acceptor; /* one per process, too large for the stack */
	struct wake wake = segment_wake(segment, ROLE_ACCEPTOR, index);
	int64_t first_try_us = clock_steady_us() + FIRST_TRY_US;

	acceptor.config = config;
	acceptor.segment = segment;
	acceptor.slot = segment_slot(segment, ROLE_ACCEPTOR, index);
	acceptor.signal_fd = signals_open(false);
	uuid_source_init(&acceptor.ids);
	libh2o_init_buffers();
	free(mem_new(FIRST_BLOCK_BYTES, 1));
	if (map_lanes(&acceptor, index) != 0)
		return EXIT_FAILED;
	configure_http(&acceptor);
	connections_init(&acceptor);
	linger_init(&acceptor);

	acceptor.wakes = watch(&acceptor, wake.fd, on_wake, &wake);
	handover_clear(&acceptor.batch);
	memcpy(acceptor.handover_fds, handover->fds[index], sizeof acceptor.handover_fds);
	drain_take_over(&acceptor);
	while (!store_tried(&acceptor) && clock_steady_us() < first_try_us)
		(void)turn(&acceptor, &wake, FIRST_TRY_LOOK_MS);
	acceptor.listeners_passed = listeners->passed;
	listen_now(&acceptor, listeners, index);
	/* Not earlier: whoever leaves knows its listeners. */
	acceptor.signals = watch(&acceptor, acceptor.signal_fd, on_signal, &acceptor);

	while (turn(&acceptor, &wake, heartbeat_period_ms(config->stuck_after_seconds)))
		;
	return EXIT_DRAINED;
}
