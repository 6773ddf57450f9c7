/*
 * Draining and handing over. What libh2o 2.2.5 does not do by itself: it neither tells nor closes idle connections when a
 * shutdown is requested, and cannot let go of one. Whether a connection waits for (the rest of) a request shows in its
 * socket: libh2o reads it then, and only then; what has come of it is the socket's input.
 */
#include "server/drain.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "server/connection.h"
#include "server/events.h"
#include "server/h2o_internals.h"
#include "server/listener.h"
#include "server/parked.h"

/*
 * Of DRAIN_TIMEOUT_SECONDS: halfway the writers begin to spool what is not stored, so that every answer is there soon
 * after, and at the end they need time to leave.
 */
#define SHARE_PERCENT 80
/* Handshakes under way end in the accept queue within this time, or their clients are far. */
#define HANDSHAKE_US (100 * 1000)
/* When the service stops, a connection may be silent so long before it is closed: requests on their way arrive. */
#define IDLE_US (1000 * 1000)
/* When only this process leaves, who connects waits for its successor meanwhile: a slow sender cannot hold it up longer. */
#define CHUNKED_US (5 * 1000 * 1000)
#define LOOK_MS 50

static void
close_listeners(struct acceptor *acceptor)
{
	for (uint32_t l = 0; l < acceptor->listener_count; l++)
		h2o_socket_close(acceptor->listeners[l]); /* this process's copy */
	acceptor->listener_count = 0;
}

static void
empty_queues(struct acceptor *acceptor)
{
	h2o_socket_t *socket;

	for (uint32_t l = 0; l < acceptor->listener_count; l++)
		while ((socket = h2o_evloop_socket_accept(acceptor->listeners[l])) != NULL)
			connection_take(acceptor, socket);
}

static bool
service_stops(const struct acceptor *acceptor)
{
	return segment_draining(acceptor->segment->header);
}

static int64_t
time_to_leave_us(const struct acceptor *acceptor)
{
	return (int64_t)acceptor->config->drain_timeout_seconds * 1000000 * SHARE_PERCENT / 100;
}

/*
 * From now on every answer says "Connection: close". Who is in the accept queue of the service's own socket has been
 * promised an answer by the kernel; when only this process leaves, its successor takes it.
 */
static void
drain_connections(struct acceptor *acceptor)
{
	acceptor->hands_over = false;
	acceptor->leaving_since_us = clock_steady_us();
	h2o_context_request_shutdown(&acceptor->context);
	if (!service_stops(acceptor))
		return;
	for (uint32_t l = 0; l < acceptor->listener_count; l++)
		listener_refuse(h2o_socket_get_fd(acceptor->listeners[l]));
	acceptor_accept(acceptor, true);
}

void
drain_begin(struct acceptor *acceptor)
{
	if (acceptor->leaving_since_us != 0)
		return;
	acceptor->leaving_since_us = clock_steady_us();
	segment_announce(acceptor->segment, acceptor->slot, PROCESS_DRAINING);
	acceptor_accept(acceptor, false);
	/* The queue of a service manager's socket outlives the service: the next one answers. */
	if (acceptor->listeners_passed)
		close_listeners(acceptor);
	acceptor->hands_over = !service_stops(acceptor);
	if (!acceptor->hands_over)
		drain_connections(acceptor);
}

static void
close_resting(struct acceptor *acceptor, int64_t now_us)
{
	int64_t idle_us = time_to_leave_us(acceptor) / 2;

	if (idle_us > IDLE_US)
		idle_us = IDLE_US;
	if (now_us - acceptor->leaving_since_us > idle_us)
		connections_close_resting(acceptor, now_us, idle_us, UINT32_MAX);
}

/* Connections that have just been added to the acceptor's batch: libh2o still has to let go of them. */
struct packing {
	struct acceptor *acceptor;
	h2o_socket_t *sockets[HANDOVER_MAX];
	uint32_t count;
	int rc;
	struct error err;
};

static int
pack(h2o_req_t *req, void *data)
{
	struct packing *packing = data;
	struct handover_batch *batch = &packing->acceptor->batch;
	h2o_socket_t *socket = req->conn->callbacks->get_socket(req->conn);
	struct handover_note note;

	if (!awaits_request(socket))
		return 0; /* later, when it has been answered */
	if (libh2o_is_chunked(socket->input)) {
		/* libh2o has dropped the sizes of its chunks: the successor could not read on. */
		if (clock_steady_us() - packing->acceptor->leaving_since_us > CHUNKED_US)
			(void)shutdown(h2o_socket_get_fd(socket), SHUT_RD);
		return 0;
	}
	note = (struct handover_note){.number = (uint32_t)req->conn->id, .bytes = (uint32_t)socket->input->size};
	packing->rc = handover_add(batch, h2o_socket_get_fd(socket), note, socket->input->bytes, &packing->err);
	if (packing->rc != 0)
		return 1;
	packing->sockets[packing->count++] = socket;
	return batch->count == HANDOVER_MAX;
}

/* Hands over every connection that is not being answered, in batches as full as can be. Returns 0 or <0. */
static int
hand_over(struct acceptor *acceptor, struct error *err)
{
	bool full;

	do {
		struct packing packing = {.acceptor = acceptor};

		libh2o_foreach_request(&acceptor->context, pack, &packing);
		/* To libh2o it looks as if the client had gone. Its descriptor is not the last one: nothing is closed. */
		for (uint32_t i = 0; i < packing.count; i++)
			libh2o_let_go(packing.sockets[i]);
		if (packing.rc != 0) {
			*err = packing.err;
			return -1;
		}
		full = acceptor->batch.count == HANDOVER_MAX;
		if ((full || acceptor->connections == 0) && acceptor->batch.count > 0 &&
		    handover_send(acceptor->handover_fds[0], &acceptor->batch, err) != 0)
			return -1;
	} while (full);
	return 0;
}

/* Appends that range of the file to the socket's input. Returns whether it could. */
static bool
fill_input(h2o_socket_t *socket, int file, off_t at, size_t len)
{
	h2o_iovec_t space;

	if (len == 0)
		return true;
	space = h2o_buffer_reserve(&socket->input, len);
	if (file < 0 || space.base == NULL || files_read_at(file, space.base, len, at) != 0)
		return false;
	socket->input->size += len;
	return true;
}

/* Serves the connections of the batch, which is empty then. */
static void
go_on_with(struct acceptor *acceptor, struct handover_batch *batch)
{
	const uint64_t next = libh2o_next_connection();
	uint32_t without_descriptor = 0, unread = 0;
	off_t at = 0;

	for (uint32_t i = 0; i < batch->count; at += batch->notes[i++].bytes) {
		const struct handover_note *note = &batch->notes[i];
		h2o_socket_t *socket;

		if (batch->fds[i] < 0) {
			without_descriptor++;
			continue;
		}
		socket = h2o_evloop_socket_create(
		    acceptor->context.loop, batch->fds[i], H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
		if (!fill_input(socket, batch->bytes_fd, at, note->bytes)) {
			unread++;
			h2o_socket_close(socket);
			continue;
		}
		/* The number decides the lane, and so keeps the order of events. */
		libh2o_set_next_connection(note->number);
		connection_take(acceptor, socket);
	}
	libh2o_set_next_connection(next);
	if (without_descriptor > 0)
		log_warning("no descriptors left for connections that were handed over",
		    LOG_UINT("connections", without_descriptor));
	if (unread > 0)
		log_warning("cannot read what was handed over with connections", LOG_UINT("connections", unread));
	if (batch->bytes_fd >= 0)
		close(batch->bytes_fd);
	handover_clear(batch);
}

void
drain_take_over(struct acceptor *acceptor)
{
	static struct handover_batch batch; /* large */
	struct error err;

	for (;;) {
		if (handover_receive(acceptor->handover_fds[1], &batch, &err) != 0) {
			log_warning("connections are lost", LOG_STR("error", err.text));
			return;
		}
		if (batch.count == 0)
			return;
		go_on_with(acceptor, &batch);
	}
}

int32_t
drain_step(struct acceptor *acceptor)
{
	int64_t now_us = clock_steady_us();
	bool stops = service_stops(acceptor);
	struct error err;

	if (acceptor->hands_over && stops) {
		/* There will be no successor: what was handed over comes back. */
		drain_take_over(acceptor);
		go_on_with(acceptor, &acceptor->batch);
		drain_connections(acceptor);
	}
	if (acceptor->hands_over && hand_over(acceptor, &err) != 0) {
		log_warning("closing connections instead of handing them over", LOG_STR("error", err.text));
		go_on_with(acceptor, &acceptor->batch);
		drain_connections(acceptor);
	}
	if (!acceptor->hands_over)
		close_resting(acceptor, now_us);
	if (stops && now_us - acceptor->leaving_since_us > HANDSHAKE_US) {
		empty_queues(acceptor);
		close_listeners(acceptor);
	}
	if (acceptor->connections == 0 && (!stops || acceptor->listener_count == 0))
		return -1;
	if (now_us - acceptor->leaving_since_us >= time_to_leave_us(acceptor)) {
		if (events_give_up(acceptor))
			return 0;
		log_warning("drain time-out: closing connections", LOG_UINT("connections", acceptor->connections));
		if (acceptor->batch.count > 0)
			(void)handover_send(acceptor->handover_fds[0], &acceptor->batch, &err);
		return -1;
	}
	return LOOK_MS;
}
