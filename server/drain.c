/*
 * Drains and hands over connections. libh2o does neither: its shutdown leaves idle connections alone, and it cannot
 * release a connection. A connection waits for a request, or for the rest of one, exactly while libh2o reads its
 * socket.
 */
#include "server/drain.h"

#include <assert.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "server/h2o_internals.h"
#include "server/client_limits.h"
#include "server/parked.h"

/*
 * An acceptor's share of DRAIN_TIMEOUT_SECONDS. At half the time writers begin to spool unstored events, so all answers
 * are ready soon after. The rest is for the writers to end.
 */
#define SHARE_PERCENT 80
/* Time for handshakes in flight to reach the accept queue. */
#define HANDSHAKE_US (100 * 1000)
/* When the service stops, a connection is closed after this silence, so that requests in flight still arrive. */
#define IDLE_US (1000 * 1000)
/*
 * When only this process is replaced, new connections wait for the successor. A slow client whose request cannot be
 * handed over (a chunked body, or TLS) may delay it by this much.
 */
#define SLOW_US (5 * 1000 * 1000)
#define STEP_MS 50

static const char *const state_names[DRAIN_STATES] = {
#define X(symbol, name) name,
    DRAIN_STATE_LIST(X)
#undef X
};

/* Only this function changes the state. */
static void
set_state(struct drain *drain, enum drain_state state)
{
	assert(state > drain->state);
	log_debug("drain", LOG_STR("from", state_names[drain->state]), LOG_STR("to", state_names[state]),
	    LOG_UINT("connections", acceptor_connections(drain->acceptor)));
	drain->state = state;
	if (state != DRAIN_LISTENERS_CLOSED)
		drain->since_us = clock_steady_us();
}

static bool
service_stops(const struct drain *drain)
{
	return segment_draining(drain->acceptor->segment->header);
}

static int64_t
time_limit_us(const struct drain *drain)
{
	return (int64_t)drain->acceptor->config->drain_timeout_seconds * 1000000 * SHARE_PERCENT / 100;
}

static void
close_listeners(struct drain *drain)
{
	acceptor_close_listeners(drain->acceptor);
	set_state(drain, DRAIN_LISTENERS_CLOSED);
}

/* Without a successor this process must answer the connections in the accept queues. The master refuses new ones. */
static void
begin_stop(struct drain *drain)
{
	drain->stops = true;
	drain->since_us = clock_steady_us();
	if (drain->state == DRAIN_CLOSING)
		acceptor_accept(drain->acceptor, true);
}

/*
 * From now on every answer has "Connection: close". Connections in the accept queues of the service's own sockets are
 * still accepted; when only this process is replaced, its successor accepts those after IDLE_US.
 */
static void
begin_closing(struct drain *drain)
{
	struct acceptor *acceptor = drain->acceptor;

	set_state(drain, DRAIN_CLOSING);
	h2o_context_request_shutdown(&acceptor->context);
	if (acceptor->accepting.count == 0)
		set_state(drain, DRAIN_LISTENERS_CLOSED);
	else
		acceptor_accept(acceptor, true);
}

void
drain_init(struct drain *drain, struct acceptor *acceptor, const int channel[2], bool listeners_passed)
{
	drain->acceptor = acceptor;
	drain->state = DRAIN_SERVING;
	drain->stops = false;
	drain->listeners_passed = listeners_passed;
	drain->to_successor = channel[0];
	drain->from_predecessor = channel[1];
	handover_clear(&drain->batch);
}

void
drain_begin(struct drain *drain)
{
	struct acceptor *acceptor = drain->acceptor;

	if (drain->state != DRAIN_SERVING)
		return;
	segment_announce(acceptor->segment, acceptor->slot, PROCESS_DRAINING);
	acceptor_accept(acceptor, false);
	/* A service manager's socket outlives the service: the next run answers its queue. */
	if (drain->listeners_passed)
		acceptor_close_listeners(acceptor);
	if (service_stops(drain) || acceptor->connections.tls != NULL)
		begin_closing(drain);
	else
		set_state(drain, DRAIN_HANDING_OVER);
}

static void
close_resting(struct drain *drain, int64_t now_us)
{
	int64_t idle_us = time_limit_us(drain) / 2;

	if (idle_us > IDLE_US)
		idle_us = IDLE_US;
	if (now_us - drain->since_us > idle_us)
		limits_close_resting(&drain->acceptor->connections, now_us, idle_us, UINT32_MAX);
}

/* Limits the successor's wait. */
static void
make_way(struct drain *drain, int64_t now_us)
{
	if (now_us - drain->since_us > IDLE_US)
		acceptor_accept(drain->acceptor, false);
	if (now_us - drain->since_us > SLOW_US)
		limits_close_arriving(&drain->acceptor->connections);
}

/* Connections just added to the batch, which libh2o must still release. */
struct packing {
	struct drain *drain;
	h2o_socket_t *sockets[HANDOVER_MAX];
	uint32_t count;
	int rc;
	struct error err;
};

static int
pack(h2o_req_t *req, void *data)
{
	struct packing *packing = data;
	struct handover_batch *batch = &packing->drain->batch;
	h2o_socket_t *socket = libh2o_socket_of(req->conn);
	struct handover_note note;

	if (!awaits_request(socket))
		return 0; /* later, after its answer */
	if (connection_is_apart(req)) {
		/* The successor could not continue a half-read request. */
		if (clock_steady_us() - packing->drain->since_us > SLOW_US)
			(void)shutdown(h2o_socket_get_fd(socket), SHUT_RD);
		return 0;
	}
	note = (struct handover_note){
	    .number = (uint32_t)req->conn->id, .bytes = (uint32_t)socket->input->size, .key = limits_key(req)};
	packing->rc = handover_add(batch, h2o_socket_get_fd(socket), note, socket->input->bytes, &packing->err);
	if (packing->rc != 0)
		return 1;
	packing->sockets[packing->count++] = socket;
	return batch->count == HANDOVER_MAX;
}

/* Hands over every connection that is not being answered, in full batches. Returns 0 or <0. */
static int
hand_over(struct drain *drain, struct error *err)
{
	struct acceptor *acceptor = drain->acceptor;
	bool full;

	do {
		struct packing packing = {.drain = drain};

		libh2o_foreach_request(&acceptor->context, pack, &packing);
		for (uint32_t i = 0; i < packing.count; i++)
			libh2o_let_go(packing.sockets[i]); /* the copy in the batch keeps the connection open */
		if (packing.rc != 0) {
			*err = packing.err;
			return -1;
		}
		full = drain->batch.count == HANDOVER_MAX;
		if ((full || acceptor_connections(acceptor) == 0) && drain->batch.count > 0 &&
		    handover_send(drain->to_successor, &drain->batch, err) != 0)
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

/* Serves the connections of the batch and empties it. */
static void
serve_batch(struct acceptor *acceptor, struct handover_batch *batch)
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
		/* The number selects the lane, so keeping it keeps the order of events. */
		libh2o_set_next_connection(note->number);
		connection_take(&acceptor->connections, socket, false, note->key);
	}
	libh2o_set_next_connection(next);
	if (without_descriptor > 0)
		log_warning("no descriptors left for connections that were handed over",
		    LOG_UINT("connections", without_descriptor));
	if (unread > 0)
		log_warning("cannot read the received bytes of connections that were handed over",
		    LOG_UINT("connections", unread));
	if (batch->bytes_fd >= 0)
		close(batch->bytes_fd);
	handover_clear(batch);
}

void
drain_take_over(struct drain *drain)
{
	static struct handover_batch batch; /* large */
	struct error err;

	for (;;) {
		if (handover_receive(drain->from_predecessor, &batch, &err) != 0) {
			log_warning("connections are lost", LOG_STR("error", err.text));
			return;
		}
		if (batch.count == 0)
			return;
		serve_batch(drain->acceptor, &batch);
	}
}

/* A step in HANDING_OVER, which may leave that state. */
static void
step_handing_over(struct drain *drain)
{
	struct error err;

	if (service_stops(drain)) {
		/* There will be no successor: take the handed-over connections back. */
		drain_take_over(drain);
	} else {
		if (hand_over(drain, &err) == 0)
			return;
		log_warning("closing connections instead of handing them over", LOG_STR("error", err.text));
	}
	serve_batch(drain->acceptor, &drain->batch);
	begin_closing(drain);
}

/*
 * Whether nothing is left to serve. If the service continues, open listeners do not matter: the successor has them,
 * too.
 */
static bool
is_done(const struct drain *drain)
{
	return acceptor_connections(drain->acceptor) == 0 &&
	       (!service_stops(drain) || drain->state == DRAIN_LISTENERS_CLOSED);
}

int32_t
drain_step(struct drain *drain, int32_t most_ms)
{
	struct acceptor *acceptor = drain->acceptor;
	int64_t now_us = clock_steady_us();
	struct error err;

	control_link_end_streams(&acceptor->control);
	if (drain->state == DRAIN_HANDING_OVER)
		step_handing_over(drain);
	if (drain->state != DRAIN_HANDING_OVER && service_stops(drain) && !drain->stops)
		begin_stop(drain);
	if (drain->state != DRAIN_HANDING_OVER)
		close_resting(drain, now_us);
	if (drain->state != DRAIN_HANDING_OVER && !service_stops(drain))
		make_way(drain, now_us);
	if (drain->state == DRAIN_CLOSING && service_stops(drain) && now_us - drain->since_us > HANDSHAKE_US) {
		acceptor_empty_queues(acceptor);
		close_listeners(drain);
	}
	if (is_done(drain))
		return -1;
	if (now_us - drain->since_us >= time_limit_us(drain)) {
		if (outlets_give_up(&acceptor->events) || outlets_give_up(&acceptor->publishes) ||
		    control_link_give_up(&acceptor->control))
			return 0;
		log_warning(
		    "drain time-out: closing connections", LOG_UINT("connections", acceptor_connections(acceptor)));
		if (drain->batch.count > 0)
			(void)handover_send(drain->to_successor, &drain->batch, &err);
		return -1;
	}
	return most_ms < STEP_MS ? most_ms : STEP_MS;
}
