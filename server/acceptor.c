/*
 * The acceptor's loop. Each turn: answer what has been stored, say that we sleep if anything waits, let libh2o poll and
 * run its callbacks. Signals and the writers' wake-ups are descriptors of the same loop.
 */
#include "server/acceptor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/edge.h"
#include "server/events.h"
#include "server/process.h"
#include "server/routes.h"
#include "shm/heartbeat.h"

/* Accepts per turn: a burst of new connections does not make the established ones wait. */
#define ACCEPTS_PER_TURN 16
#define ACCEPT_PAUSE_MS 100
#define REQUEST_TIMEOUT_MS (30 * 1000)
/* Of DRAIN_TIMEOUT_SECONDS: the rest is for the writers. */
#define DRAIN_SHARE_PERCENT 60
#define ROLL_DRAIN_US (2 * 1000 * 1000)
/* Draining, a connection without a request is idle once it is this old; looked at this often. */
#define FIRST_REQUEST_US (300 * 1000)
#define DRAIN_LOOK_MS 50

static void
on_connection_closed(void *data)
{
	((struct acceptor *)data)->connections--;
}

static void
take(struct acceptor *acceptor, h2o_socket_t *socket)
{
	socket->on_close.cb = on_connection_closed;
	socket->on_close.data = acceptor;
	acceptor->connections++;
	h2o_accept(&acceptor->accept, socket);
}

static void on_pause_over(h2o_timeout_entry_t *entry);

static void
on_connect(h2o_socket_t *listener, const char *err)
{
	struct acceptor *acceptor = listener->data;

	if (err != NULL)
		return;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		h2o_socket_t *socket = h2o_evloop_socket_accept(listener);

		if (socket != NULL) {
			take(acceptor, socket);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			/* The listener stays readable: without a pause this would spin. */
			log_warning("cannot accept connections, pausing", LOG_STR("error", strerror(errno)),
			    LOG_UINT("connections", acceptor->connections));
			for (uint32_t l = 0; l < acceptor->listener_count; l++)
				h2o_socket_read_stop(acceptor->listeners[l]);
			h2o_timeout_unlink(&acceptor->pause_entry);
			acceptor->pause_entry.cb = on_pause_over;
			h2o_timeout_link(acceptor->context.loop, &acceptor->pause_timeout, &acceptor->pause_entry);
		}
		return;
	}
}

static void
on_pause_over(h2o_timeout_entry_t *entry)
{
	struct acceptor *acceptor = H2O_STRUCT_FROM_MEMBER(struct acceptor, pause_entry, entry);

	for (uint32_t l = 0; l < acceptor->listener_count; l++)
		h2o_socket_read_start(acceptor->listeners[l], on_connect);
}

/*
 * When the service stops, requests on their way get their share of the drain's time. When this process is only
 * replaced, new connections wait for its successor meanwhile: who has sent half a request must not hold them up.
 */
static int64_t
drain_time_us(const struct acceptor *acceptor)
{
	int64_t share_us = (int64_t)acceptor->config->drain_timeout_seconds * 1000000 * DRAIN_SHARE_PERCENT / 100;

	if (ck_pr_load_32(&acceptor->segment->header->draining) != 0 || share_us < ROLL_DRAIN_US)
		return share_us;
	return ROLL_DRAIN_US;
}

static void
begin_drain(struct acceptor *acceptor)
{
	h2o_socket_t *socket;

	if (acceptor->drain_deadline_us != 0)
		return;
	acceptor->drain_deadline_us = clock_steady_us() + drain_time_us(acceptor);
	segment_announce(acceptor->segment, acceptor->slot, PROCESS_DRAINING);
	h2o_timeout_unlink(&acceptor->pause_entry);
	for (uint32_t l = 0; l < acceptor->listener_count; l++) {
		/*
		 * Who is in the queue already has been promised an answer by the kernel. The queue of a socket that the
		 * service manager holds outlives this service: its successor answers.
		 */
		while (
		    !acceptor->listeners_passed && (socket = h2o_evloop_socket_accept(acceptor->listeners[l])) != NULL)
			take(acceptor, socket);
		h2o_socket_close(acceptor->listeners[l]); /* this process's copy: the master keeps the socket */
	}
	acceptor->listener_count = 0;
	h2o_context_request_shutdown(&acceptor->context); /* from now on: Connection: close */
}

static int
close_if_idle(h2o_req_t *req, void *unused)
{
	h2o_socket_t *socket = req->conn->callbacks->get_socket(req->conn);
	int64_t connected_us = (int64_t)req->conn->connected_at.tv_sec * 1000000 + req->conn->connected_at.tv_usec;

	/*
	 * No byte of a request is held, and the first one has had its time to come. Shutting down the reading side, instead
	 * of closing, lets a request that is in the kernel's buffer already be read and answered; otherwise libh2o sees the
	 * end and closes.
	 */
	if (socket->input->size == 0 && clock_wall_us() - connected_us > FIRST_REQUEST_US)
		(void)shutdown(h2o_socket_get_fd(socket), SHUT_RD);
	return 0;
}

static void
on_signal(h2o_socket_t *socket, const char *err)
{
	struct acceptor *acceptor = socket->data;
	int signo;

	while ((signo = signals_next(acceptor->signal_fd)) != 0)
		if (signo == SIGTERM)
			begin_drain(acceptor);
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

	h2o_config_init(&acceptor->globalconf);
	acceptor->globalconf.server_name = h2o_iovec_init(H2O_STRLIT("hooksd"));
	/* This libh2o predates the fix for HTTP/2 rapid reset. */
	acceptor->globalconf.http1.upgrade_to_http2 = 0;
	acceptor->globalconf.http1.req_timeout = REQUEST_TIMEOUT_MS;
	/* One more than the limit: libh2o refuses a chunked body that reaches it, and events_post() knows the limit. */
	acceptor->globalconf.max_request_entity_size = acceptor->config->max_body_bytes + 1;
	host = h2o_config_register_host(&acceptor->globalconf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	edge_register(acceptor, host);
	routes_register(acceptor, host);
	h2o_context_init(&acceptor->context, h2o_evloop_create(), &acceptor->globalconf);
	acceptor->accept.ctx = &acceptor->context;
	acceptor->accept.hosts = acceptor->globalconf.hosts;
}

static int
map_lanes(struct acceptor *acceptor, uint32_t index)
{
	struct error err;

	for (uint32_t w = 0; w < acceptor->segment->writers; w++) {
		if (segment_map_lane(acceptor->segment, index, w, &acceptor->lanes[w], &err) != 0) {
			log_error("cannot map a lane", LOG_STR("error", err.text));
			return -1;
		}
		acceptor->writers[w] = segment_wake_writer(acceptor->segment, w);
	}
	return 0;
}

/* One turn of the loop. Returns false when there is nothing left to serve. */
static bool
turn(struct acceptor *acceptor, const struct wake *wake)
{
	int32_t wait_ms = heartbeat_period_ms(acceptor->config->stuck_after_seconds);
	bool waiting;

	heartbeat(acceptor->slot, 0);

	/* libh2o polls first and runs completed writes after that: answers written here must not wait for the poll. */
	if (events_answer(acceptor))
		wait_ms = 0;
	if (acceptor->drain_deadline_us != 0) {
		int64_t left_us = acceptor->drain_deadline_us - clock_steady_us();

		acceptor->globalconf.http1.callbacks.foreach_request(&acceptor->context, close_if_idle, NULL);
		if (acceptor->connections == 0)
			return false;
		if (left_us <= 0) {
			log_warning(
			    "drain time-out: closing connections", LOG_UINT("connections", acceptor->connections));
			return false;
		}
		if (wait_ms > DRAIN_LOOK_MS)
			wait_ms = DRAIN_LOOK_MS;
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
acceptor_main(
    const struct config *config, const struct segment *segment, uint32_t index, const struct listeners *listeners)
{
	static struct acceptor acceptor; /* one per process, too large for the stack */
	struct wake wake = segment_wake_acceptor(segment, index);

	acceptor.config = config;
	acceptor.segment = segment;
	acceptor.slot = segment_acceptor(segment, index);
	acceptor.signal_fd = signals_open(false);
	uuid_source_init(&acceptor.ids);
	if (map_lanes(&acceptor, index) != 0)
		return EXIT_FAILED;
	configure_http(&acceptor);
	h2o_timeout_init(acceptor.context.loop, &acceptor.pause_timeout, ACCEPT_PAUSE_MS);

	acceptor.signals = watch(&acceptor, acceptor.signal_fd, on_signal, &acceptor);
	acceptor.wakes = watch(&acceptor, wake.fd, on_wake, &wake);
	acceptor.listeners_passed = listeners->passed;
	for (uint32_t l = 0; l < listeners->count; l++)
		if (listeners_serves(listeners, index, l))
			acceptor.listeners[acceptor.listener_count++] =
			    watch(&acceptor, listeners->fds[l], on_connect, &acceptor);
	segment_announce(segment, acceptor.slot, PROCESS_READY);

	while (turn(&acceptor, &wake))
		;
	return EXIT_DRAINED;
}
