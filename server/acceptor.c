/*
 * Accepts connections. Near MAX_CONNECTIONS the longest resting ones are closed. If that is not enough, further ones
 * are surplus (server/client_limits.h). Lingering ones do not count. When all surplus connections are being answered,
 * or the process is out of descriptors, accepting pauses: a client in the accept queue costs nothing, and is served as
 * soon as another connection ends.
 */
#include "server/acceptor.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "server/client_limits.h"
#include "shm/counters.h"

/* Accepts per turn, so that a burst of new connections does not delay the established ones. */
#define ACCEPTS_PER_TURN 16
#define ACCEPT_PAUSE_US (100 * 1000)
/* Connections that have rested for this long may be closed to make room, the longest resting first. */
#define MAKE_ROOM_RESTED_US (1000 * 1000)
/* Make room when 1/NEARLY of MAX_CONNECTIONS is left, because closing a connection takes a turn of the loop. */
#define NEARLY 16

uint32_t
acceptor_connections(const struct acceptor *acceptor)
{
	return acceptor->connections.count + acceptor->linger.count;
}

/*
 * The listener stays readable, so without a pause the loop would spin. Not by a time-out of libh2o, because those
 * follow the wall clock.
 */
static void
pause_accepting(struct acceptor *acceptor, int64_t now_us)
{
	limits_close_resting(&acceptor->connections, now_us, MAKE_ROOM_RESTED_US, ACCEPTS_PER_TURN);
	acceptor_accept(acceptor, false);
	acceptor->accepting.paused_until_us = now_us + ACCEPT_PAUSE_US;
}

static void
pause_without_descriptors(struct acceptor *acceptor, int failure)
{
	int64_t now_us = clock_steady_us();
	uint64_t times = repeat_met(&acceptor->accepting.no_descriptors, now_us);

	if (times > 0)
		log_warning("cannot accept connections, pausing", LOG_STR("error", strerror(failure)),
		    LOG_UINT("connections", acceptor_connections(acceptor)), LOG_UINT("times", times));
	pause_accepting(acceptor, now_us);
}

static bool
is_full(const struct acceptor *acceptor)
{
	return acceptor->connections.count >= acceptor->config->max_connections;
}

static void
note_full(struct acceptor *acceptor)
{
	uint64_t times = repeat_met(&acceptor->accepting.full, clock_steady_us());

	if (times > 0)
		log_warning("MAX_CONNECTIONS is reached: new connections are refused",
		    LOG_UINT("connections", acceptor->connections.count), LOG_UINT("times", times));
}

int32_t
acceptor_step(struct acceptor *acceptor, int64_t now_us, int32_t most_ms)
{
	struct accepting *accepting = &acceptor->accepting;
	uint64_t times = repeat_over(&accepting->no_descriptors, now_us);

	if (times > 0)
		log_info("connections are accepted again", LOG_UINT("connections", acceptor_connections(acceptor)),
		    LOG_UINT("times", times));
	if ((times = repeat_over(&accepting->full, now_us)) > 0)
		log_info("there are fewer connections than MAX_CONNECTIONS again",
		    LOG_UINT("connections", acceptor_connections(acceptor)), LOG_UINT("times", times));
	level_set(acceptor->slot, LEVEL_CONNECTIONS, acceptor_connections(acceptor));
	if (accepting->paused_until_us == 0)
		return most_ms;
	if (now_us < accepting->paused_until_us)
		return clock_wait_ms(accepting->paused_until_us, now_us, most_ms);
	acceptor_accept(acceptor, true);
	return most_ms;
}

/* Near MAX_CONNECTIONS closes one resting connection for each new one. */
static void
make_room(struct acceptor *acceptor)
{
	const uint32_t most = acceptor->config->max_connections;

	if (acceptor->connections.count + most / NEARLY >= most)
		limits_close_resting(&acceptor->connections, clock_steady_us(), MAKE_ROOM_RESTED_US, 1);
}

static void
on_connect(h2o_socket_t *listener, const char *err)
{
	struct acceptor *acceptor = listener->data;

	if (err != NULL)
		return;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		const bool full = is_full(acceptor);
		h2o_socket_t *socket;

		if (full && !limits_take_surplus(&acceptor->connections)) {
			note_full(acceptor);
			pause_accepting(acceptor, clock_steady_us());
			return;
		}
		socket = h2o_evloop_socket_accept(listener);
		if (socket != NULL) {
			connection_take(&acceptor->connections, socket, full, 0);
			if (full)
				note_full(acceptor);
			make_room(acceptor);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			pause_without_descriptors(acceptor, errno);
		return;
	}
}

void
acceptor_listen(struct acceptor *acceptor, int fd)
{
	h2o_socket_t *socket = h2o_evloop_socket_create(acceptor->context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);

	socket->data = acceptor;
	h2o_socket_read_start(socket, on_connect);
	acceptor->accepting.listeners[acceptor->accepting.count++] = socket;
}

void
acceptor_accept(struct acceptor *acceptor, bool on)
{
	acceptor->accepting.paused_until_us = 0;
	for (uint32_t l = 0; l < acceptor->accepting.count; l++)
		if (on)
			h2o_socket_read_start(acceptor->accepting.listeners[l], on_connect);
		else
			h2o_socket_read_stop(acceptor->accepting.listeners[l]);
}

void
acceptor_empty_queues(struct acceptor *acceptor)
{
	h2o_socket_t *socket;

	for (uint32_t l = 0; l < acceptor->accepting.count; l++)
		while ((socket = h2o_evloop_socket_accept(acceptor->accepting.listeners[l])) != NULL)
			connection_take(&acceptor->connections, socket, false, 0);
}

void
acceptor_close_listeners(struct acceptor *acceptor)
{
	for (uint32_t l = 0; l < acceptor->accepting.count; l++)
		h2o_socket_close(acceptor->accepting.listeners[l]);
	acceptor->accepting.count = 0;
}
