/* Each list is in the order of time, so its first connection is the next to end. */
#include "server/client_limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "server/h2o_internals.h"
#include "server/parked.h"
#include "server/tls.h"

/* The time for a surplus connection's request. */
#define SURPLUS_US (2 * 1000 * 1000)
/* Requests are measured after 1/SLOW_AFTER of REQUEST_TIMEOUT_SECONDS, and LOOKS times per time-out. */
#define SLOW_AFTER 3
#define LOOKS 30
/*
 * The most connections that end in one turn of the loop: other requests wait during the turn, and are read after it.
 * Thousands of slow requests are refused at eight a millisecond, so that most of the CPU is left for other requests.
 */
#define ENDS_PER_TURN 8
#define NEXT_PART_US 1000

static struct connection *
first_in(h2o_linklist_t *list)
{
	return h2o_linklist_is_empty(list) ? NULL : H2O_STRUCT_FROM_MEMBER(struct connection, link, list->next);
}

/* Refuses the arriving request of a connection. During a handshake it can only be closed. */
static void
end_awaited(struct connection *connection, int status, const char *why, enum counter reason)
{
	connection->all->has_ended = true;
	buffered_set(&connection->all->buffered, &connection->buffered, 0);
	if (connection->is_http) {
		connection->all->refuse(connection, status, why, reason);
	} else {
		counter_add(connection->all->slot, reason, 1);
		libh2o_let_go(connection->socket);
	}
}

void
limits_enter(struct connection *connection, h2o_linklist_t *list)
{
	if (connection->surplus != SURPLUS_NONE)
		list = &connection->all->surplus;
	if (h2o_linklist_is_linked(&connection->link))
		h2o_linklist_unlink(&connection->link);
	h2o_linklist_insert(list, &connection->link); /* at the end */
	connection->since_us = clock_steady_us();
}

/* ---- numbers of connections ---- */

static const struct surplus_refusal surplus_refusal[] = {
    [SURPLUS_LIMIT] = {503, "The service has as many connections as it takes (MAX_CONNECTIONS): try again later",
	COUNTER_CONNECTIONS_REFUSED_LIMIT},
    [SURPLUS_ADDRESS] = {429,
	"Your address has as many connections as one may have (MAX_ADDRESS_CONNECTIONS): use these, or fewer",
	COUNTER_CONNECTIONS_REFUSED_ADDRESS},
};

static void
refuse_one_surplus(struct connection *connection)
{
	const struct surplus_refusal *refusal = &surplus_refusal[connection->surplus];

	end_awaited(connection, refusal->status, refusal->text, refusal->counter);
}

/* The surplus connection that has awaited a request for longest; NULL: all are being answered. */
static struct connection *
oldest_awaited(const struct connections *connections)
{
	for (h2o_linklist_t *at = connections->surplus.next; at != &connections->surplus; at = at->next) {
		struct connection *connection = H2O_STRUCT_FROM_MEMBER(struct connection, link, at);

		if (awaits_request(connection->socket))
			return connection;
	}
	return NULL;
}

static bool
has_surplus_place(const struct connections *connections)
{
	return connections->surplus_count < SURPLUS_MAX;
}

bool
limits_take_surplus(const struct connections *connections)
{
	return has_surplus_place(connections) || oldest_awaited(connections) != NULL;
}

static void
count_surplus(struct connections *connections)
{
	struct connection *oldest;

	if (!has_surplus_place(connections) && (oldest = oldest_awaited(connections)) != NULL)
		refuse_one_surplus(oldest);
	connections->surplus_count++;
}

bool
limits_admit(struct connection *connection, bool full)
{
	struct connections *all = connection->all;
	const uint32_t most = all->config->max_address_connections;

	if (full)
		connection->surplus = SURPLUS_LIMIT;
	connection->address = address_number(h2o_socket_get_fd(connection->socket), all->seed);
	if (most > 0) {
		if (client_amounts_of(&all->addresses, connection->address) >= most) {
			connection->surplus = SURPLUS_ADDRESS;
			if (!has_surplus_place(all)) {
				counter_add(all->slot, COUNTER_CONNECTIONS_REFUSED_ADDRESS, 1);
				return false;
			}
		}
		client_amounts_add(&all->addresses, connection->address, 1);
	}
	if (connection->surplus != SURPLUS_NONE)
		count_surplus(all);
	return true;
}

void
limits_set_key(struct connection *connection, uint64_t key)
{
	if (connection->key != 0)
		client_amounts_take(&connection->all->keys, connection->key, 1);
	if (key != 0)
		client_amounts_add(&connection->all->keys, key, 1);
	connection->key = key;
}

void
limits_leave(struct connection *connection)
{
	struct connections *all = connection->all;

	if (all->config->max_address_connections > 0)
		client_amounts_take(&all->addresses, connection->address, 1);
	limits_set_key(connection, 0);
	all->surplus_count -= connection->surplus != SURPLUS_NONE;
	buffered_set(&all->buffered, &connection->buffered, 0);
}

const struct surplus_refusal *
limits_surplus(const h2o_req_t *req)
{
	enum surplus surplus = connection_of(req)->surplus;

	return surplus != SURPLUS_NONE ? &surplus_refusal[surplus] : NULL;
}

uint64_t
limits_address(const h2o_req_t *req)
{
	return connection_of(req)->address;
}

uint64_t
limits_key(const h2o_req_t *req)
{
	return connection_of(req)->key;
}

bool
limits_allow_key(const h2o_req_t *req, uint64_t key)
{
	struct connection *connection = connection_of(req);
	const struct connections *all = connection->all;
	const uint32_t most = all->config->max_connections;

	if (connection->key == key)
		return true;
	if (!client_amounts_allow(client_amounts_of(&all->keys, key), most > all->count ? most - all->count : 0)) {
		counter_add(all->slot, COUNTER_CONNECTIONS_REFUSED_KEY, 1);
		return false;
	}
	limits_set_key(connection, key);
	return true;
}

/* ---- bytes ---- */

/* Cuts off an unread answer: libh2o finds the connection closed at its next write. */
static void
cut_off(struct connection *connection)
{
	counter_add(connection->all->slot, COUNTER_CONNECTIONS_REFUSED_UNREAD, 1);
	buffered_set(&connection->all->buffered, &connection->buffered, 0);
	(void)shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
}

static void
end_buffering(struct connection *connection)
{
	if (awaits_request(connection->socket))
		end_awaited(connection, 503, "Requests take as much memory as they may (MAX_BUFFERED_BYTES): try again",
		    COUNTER_REFUSED_MEMORY);
	else
		cut_off(connection);
}

/* Ends connections until their bytes fit. Returns false at once if `last` is the next to end. */
static bool
make_room(struct connections *connections, const struct connection *last)
{
	struct buffered_part *part;

	while (connections->buffered.bytes > connections->config->max_buffered_bytes &&
	       (part = buffered_oldest(&connections->buffered)) != NULL) {
		struct connection *connection = H2O_STRUCT_FROM_MEMBER(struct connection, buffered, part);

		if (connection == last)
			return false;
		end_buffering(connection);
	}
	return true;
}

/* The bytes of the complete request, by its head. */
static size_t
needs(const struct connection *connection, size_t counted)
{
	const uint64_t most = connection->all->config->max_body_bytes;
	uint64_t body = connection->head.body_bytes;

	if (body > most)
		body = most;
	return counted > body ? counted : body;
}

bool
limits_buffer(struct connection *connection, size_t bytes)
{
	/* Most requests fit into the first read buffer. */
	const size_t counted = bytes > LIBH2O_READ_BYTES ? bytes : 0;
	struct connections *all = connection->all;

	if (counted == 0 && connection->buffered.bytes == 0)
		return true;
	buffered_set(&all->buffered, &connection->buffered, counted);
	/* Refuse it if it cannot fit beside the kept bytes, even if all others end. */
	if (all->buffered.kept + needs(connection, counted) <= all->config->max_buffered_bytes &&
	    make_room(all, connection))
		return true;
	end_buffering(connection);
	return false;
}

void
limits_buffer_answer(const h2o_req_t *req, size_t bytes)
{
	struct connection *connection = connection_of(req);

	if (bytes <= LIBH2O_READ_BYTES)
		return;
	buffered_set(&connection->all->buffered, &connection->buffered, connection->buffered.bytes + bytes);
	(void)make_room(connection->all, connection);
}

/* ---- times ---- */

void
limits_close_resting(struct connections *connections, int64_t now_us, int64_t rested_us, uint32_t most)
{
	struct connection *connection;

	while (most-- > 0 && (connection = first_in(&connections->resting)) != NULL &&
	       now_us - connection->since_us >= rested_us) {
		h2o_socket_t *socket = connection->socket;

		/*
		 * SHUT_RD: libh2o still reads the kernel's buffer, then sees the end and closes. If it no longer reads,
		 * it has closed already, and waits for the client to read the close_notify: SHUT_RDWR.
		 */
		(void)shutdown(h2o_socket_get_fd(socket), h2o_socket_is_reading(socket) ? SHUT_RD : SHUT_RDWR);
		limits_enter(connection, &connections->resting);
	}
}

void
limits_close_arriving(struct connections *connections)
{
	for (h2o_linklist_t *at = connections->busy.next; at != &connections->busy; at = at->next) {
		struct connection *connection = H2O_STRUCT_FROM_MEMBER(struct connection, link, at);

		if (awaits_request(connection->socket))
			(void)shutdown(h2o_socket_get_fd(connection->socket), SHUT_RD);
	}
}

static void
refuse_as_late(struct connection *connection)
{
	char why[96];

	(void)snprintf(why, sizeof why, "The request did not arrive within %u seconds (REQUEST_TIMEOUT_SECONDS)",
	    connection->all->config->request_timeout_seconds);
	end_awaited(connection, 408, why, COUNTER_REJECTED_TIMEOUT);
}

/* A request being answered gets the whole time once more, and so does an answer, from its beginning. */
static void
end_late(struct connections *connections, int64_t before_us)
{
	struct connection *connection;
	uint32_t most = ENDS_PER_TURN;

	while (most-- > 0 && (connection = first_in(&connections->busy)) != NULL && connection->since_us <= before_us) {
		limits_enter(connection, &connections->busy);
		if (connection->unread)
			cut_off(connection);
		connection->unread = connection->answered;
		if (awaits_request(connection->socket))
			refuse_as_late(connection);
	}
}

/* A surplus connection being answered gets the time once more, and so does its answer. */
static void
refuse_surplus(struct connections *connections, int64_t before_us)
{
	struct connection *connection;

	while ((connection = first_in(&connections->surplus)) != NULL && connection->since_us <= before_us) {
		limits_enter(connection, &connections->surplus);
		if (connection->unread)
			cut_off(connection);
		connection->unread = connection->answered;
		if (awaits_request(connection->socket))
			refuse_one_surplus(connection);
	}
}

/* The received bytes of the request. A partial TLS record counts, although it is not in the socket's input yet. */
static uint64_t
arrived(const struct connection *connection)
{
	const uint64_t bytes = libh2o_held_bytes(connection->socket);
	uint64_t records = 0;

	if (connection->ssl != NULL)
		records = tls_bytes_read(connection->ssl) - connection->records_at;
	return records > bytes ? records : bytes;
}

/*
 * Refuses requests that have received less than the rate demands for the time after the first part. Handshakes are
 * exempt and have the whole time. Returns whether all requests were looked at.
 */
static bool
refuse_slow(struct connections *connections, int64_t now_us, int64_t first_us)
{
	const uint64_t rate = connections->config->min_request_rate;
	uint32_t refused = 0;
	h2o_linklist_t *next;
	char why[160];

	(void)snprintf(why, sizeof why,
	    "The request arrives at less than %" PRIu64
	    " bytes a second (MIN_REQUEST_RATE), and a third of REQUEST_TIMEOUT_SECONDS has passed",
	    rate);
	for (h2o_linklist_t *at = connections->busy.next; at != &connections->busy; at = next) {
		struct connection *connection = H2O_STRUCT_FROM_MEMBER(struct connection, link, at);
		int64_t beyond_us = now_us - connection->since_us - first_us;

		next = at->next;
		if (beyond_us < 0)
			break;
		if (!connection->is_http || !awaits_request(connection->socket) ||
		    arrived(connection) >= rate * (uint64_t)beyond_us / 1000000)
			continue;
		end_awaited(connection, 408, why, COUNTER_REJECTED_SLOW);
		if (++refused == ENDS_PER_TURN)
			return false;
	}
	return true;
}

static int32_t
wait_for(h2o_linklist_t *list, int64_t time_us, int64_t now_us, int32_t most_ms)
{
	const struct connection *first = first_in(list);

	return first != NULL ? clock_wait_ms(first->since_us + time_us, now_us, most_ms) : most_ms;
}

int32_t
limits_step(struct connections *connections, int64_t now_us, int32_t most_ms)
{
	const int64_t rest_us = (int64_t)connections->config->idle_timeout_seconds * 1000000;
	const int64_t arrive_us = (int64_t)connections->config->request_timeout_seconds * 1000000;

	connections->has_ended = false;
	level_set(connections->slot, LEVEL_BUFFERED_BYTES, connections->buffered.bytes);
	limits_close_resting(connections, now_us, rest_us, ENDS_PER_TURN);
	end_late(connections, now_us - arrive_us);
	refuse_surplus(connections, now_us - SURPLUS_US);
	if (connections->config->min_request_rate > 0 && !h2o_linklist_is_empty(&connections->busy)) {
		if (now_us >= connections->look_at_us) {
			bool all = refuse_slow(connections, now_us, arrive_us / SLOW_AFTER);

			connections->look_at_us = now_us + (all ? arrive_us / LOOKS : NEXT_PART_US);
		}
		most_ms = clock_wait_ms(connections->look_at_us, now_us, most_ms);
	}
	if (connections->has_ended)
		return 0; /* libh2o polls before it completes the refusals' writes */
	most_ms = wait_for(&connections->resting, rest_us, now_us, most_ms);
	most_ms = wait_for(&connections->surplus, SURPLUS_US, now_us, most_ms);
	return wait_for(&connections->busy, arrive_us, now_us, most_ms);
}
