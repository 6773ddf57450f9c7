/*
 * libh2o has no hook between two requests, but its sockets' callbacks can be replaced. It sets the read callback when
 * it begins to wait for a request: in h2o_accept() and in the callback of a written answer. Both times connection.c
 * replaces it, and calls libh2o's callback once a head is complete. To notice the second time, it also replaces the
 * write callback whenever libh2o gets an answer. With TLS, h2o_accept() follows the handshake (handshake.c).
 *
 * While a body arrives, another callback stays in place: it counts the bytes, checks a chunked body, and then calls
 * libh2o's callback. libh2o removes the bytes between chunks, or all bytes, so the next unchecked byte is where the
 * input ended after that call. A client may wait for "100 Continue" before its body. libh2o sets its read callback
 * again after writing that, so the callback of that write is replaced, too. A libh2o that moves bodies gets a body of
 * known length only when it is complete, because until then the request can be handed over.
 */
#include "server/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "base/probes.h"
#include "server/chunks.h"
#include "server/client_limits.h"
#include "server/client_log.h"
#include "server/h2o_internals.h"
#include "server/handshake.h"
#include "server/parked.h"
#include "server/raw_reply.h"
#include "server/route.h"
#include "server/tls.h"
#include "shm/counters.h"

_Static_assert(
    HEAD_FIELDS_MAX <= H2O_MAX_HEADERS && HEAD_BYTES_MAX <= H2O_MAX_REQLEN, "libh2o takes every head that passes here");

/* libh2o's callbacks for received bytes and for a written answer; they are the same for all connections. */
static h2o_socket_cb libh2o_read, libh2o_written;

static void
on_close(void *data)
{
	struct connection *connection = data;
	struct connections *all = connection->all;

	all->count--;
	if (all->passed_on == connection)
		all->passed_on = NULL;
	h2o_linklist_unlink(&connection->link);
	limits_leave(connection);
	if (connection->lingers >= 0)
		linger_on(all->linger, connection->lingers);
	free(connection->refusal);
	free(connection);
}

/* Whether the input looks like a request to the management API, whose errors have another form. */
static bool
asks_api(const h2o_buffer_t *input)
{
	const char *target = input->size > 0 ? memchr(input->bytes, ' ', input->size) : NULL, *end;

	if (target++ == NULL)
		return false;
	end = input->bytes + input->size;
	for (const char *at = target; at < end; at++)
		if (*at == ' ' || *at == '?' || *at == '\r' || *at == '\n')
			end = at;
	return route_is_of_api(target, (size_t)(end - target));
}

static void
on_refused(h2o_socket_t *socket, const char *err)
{
	const struct connection *connection = socket->on_close.data;

	if (connection->is_http)
		libh2o_read(socket, h2o_socket_error_closed);
	else
		h2o_socket_close(socket);
}

/* Stores what the form of a refusal depends on, while the head is still in the input. */
static void
note_head(struct connection *connection)
{
	const h2o_buffer_t *input = connection->socket->input;

	connection->asks_api = asks_api(input);
	connection->asks_head = connection->head.method_len == 4 && memcmp(input->bytes, "HEAD", 4) == 0;
}

/* Answers and then closes the connection. libh2o must not be answering or shaking hands on it. */
static void
refuse(struct connection *connection, int status, const char *why, enum counter reason)
{
	h2o_socket_t *socket = connection->socket;
	h2o_iovec_t answer;

	counter_add(connection->all->slot, reason, 1);
	counter_add(connection->all->slot, status >= 500 ? COUNTER_HTTP_OTHER_5XX : COUNTER_HTTP_OTHER_4XX, 1);
	client_log_refusal(socket, status, why);
	if (!connection->head_is_gone)
		note_head(connection);
	connection->refusal = mem_new(RAW_REPLY_BYTES, 1);
	answer.base = connection->refusal;
	answer.len = raw_reply(answer.base, status, why, connection->asks_api);
	if (connection->asks_head)
		answer.len = (size_t)(strstr(answer.base, "\r\n\r\n") + 4 - answer.base);
	connection->answered = true;
	connection_linger(connection);
	h2o_socket_read_stop(socket);
	h2o_socket_write(socket, &answer, 1, on_refused);
}

static void on_body(h2o_socket_t *socket, const char *err);
static void await_body(struct connections *all);

static void
on_aside_written(h2o_socket_t *socket, const char *err)
{
	struct connection *connection = socket->on_close.data;
	struct connections *all = connection->all;

	if (libh2o_goes_on(err)) {
		connection->aside(socket, err);
		return;
	}
	all->passed_on = connection;
	connection->aside(socket, err);
	await_body(all);
}

/*
 * After libh2o's callback, which may have closed the connection: replaces the read callback again if libh2o awaits
 * more.
 */
static void
await_body(struct connections *all)
{
	struct connection *connection = all->passed_on;
	h2o_socket_t *socket;

	all->passed_on = NULL;
	if (connection == NULL || connection->exchange != NULL || connection->answered)
		return;
	socket = connection->socket;
	if (awaits_request(socket)) {
		(void)libh2o_swap_on_read(socket, on_body);
		connection->seen = socket->input->size;
	} else if (h2o_socket_is_writing(socket)) {
		connection->aside = libh2o_swap_on_written(socket, on_aside_written);
	}
}

/* Whether libh2o gets the parts of the body as they arrive, instead of the complete body. */
static bool
comes_in_parts(const struct connection *connection)
{
	const struct head *head = &connection->head;

	return !LIBH2O_MOVES_BODIES || head->has_coding || head->expects ||
	       head->body_bytes > connection->all->config->max_body_bytes;
}

/* Passes the checked bytes of a request to libh2o, or awaits more of its body first. */
static void
pass_on(struct connection *connection)
{
	struct connections *all = connection->all;
	h2o_socket_t *socket = connection->socket;

	if (!comes_in_parts(connection)) {
		if (socket->input->size - connection->head.line < connection->head.body_bytes) {
			(void)libh2o_swap_on_read(socket, on_body);
			connection->seen = socket->input->size;
			return;
		}
	} else if (LIBH2O_MOVES_BODIES && !connection->head_is_gone) {
		note_head(connection);
		connection->head_is_gone = true;
	}
	all->passed_on = connection;
	libh2o_read(socket, NULL);
	await_body(all);
}

static const char too_large[] =
    "The body is longer than this path takes: only those of events take more than 65536 bytes";

/* Checks the received bytes of a body and passes them on. */
static void
read_body(struct connection *connection)
{
	const h2o_buffer_t *input = connection->socket->input;
	const size_t at = connection->seen;
	size_t used = 0;

	if (connection->head.has_coding &&
	    chunks_read(&connection->chunks, input->bytes + at, input->size - at, &used) == CHUNKS_REFUSED)
		refuse(connection, 400, connection->chunks.why, COUNTER_REJECTED_HTTP);
	else if (connection->head.body_bytes > connection->most_body || connection->chunks.data > connection->most_body)
		refuse(connection, 413, too_large, COUNTER_REJECTED_BODY_SIZE);
	else
		pass_on(connection);
}

/* A whole head was read: refuses the request, or passes it on. */
static void
begin_body(struct connection *connection)
{
	struct refusal refusal;

	connection->seen = connection->head.line;
	if (connection->all->refuses(connection, &refusal))
		refuse(connection, refusal.status, refusal.text, refusal.reason);
	else
		read_body(connection);
}

/* Whether the client has gone. If so, libh2o closes the connection, perhaps with a close_notify. */
static bool
closes(struct connection *connection, const char *err)
{
	h2o_socket_t *socket = connection->socket;

	if (err == NULL && connection->ended && socket->input->size == connection->seen)
		err = h2o_socket_error_closed; /* libh2o misses this end */
	if (err == NULL)
		return false;
	connection->answered = true;
	libh2o_read(socket, err);
	return true;
}

static void
on_body(h2o_socket_t *socket, const char *err)
{
	struct connection *connection = socket->on_close.data;

	if (closes(connection, err))
		return;
	if (socket->input->size == connection->seen)
		return; /* only a partial TLS record has come */
	if (limits_buffer(connection, libh2o_held_bytes(socket)))
		read_body(connection);
}

/* Removes empty lines before a request. Returns whether a byte of the request itself has come. */
static bool
begins(h2o_socket_t *socket)
{
	const h2o_buffer_t *input = socket->input;

	h2o_buffer_consume(&socket->input, head_empty_lines(input->bytes, input->size));
	input = socket->input;
	return input->size > 1 || (input->size == 1 && input->bytes[0] != '\r');
}

/* Handles the head by the state of head_read(). */
static void
take_head(struct connection *connection, int state)
{
	const uint64_t most = connection->all->config->max_header_bytes;
	const struct head *head = &connection->head;
	const h2o_buffer_t *input = connection->socket->input;

	if (state == HEAD_REFUSED) {
		refuse(connection, head->status, head->why, COUNTER_REJECTED_HTTP);
	} else if ((state == HEAD_WHOLE ? head->line : input->size) > most) {
		refuse(connection, head->lines == 0 ? 414 : 431,
		    head->lines == 0 ? "The request's first line is too long (MAX_HEADER_BYTES)"
				     : "The headers are too large (MAX_HEADER_BYTES)",
		    COUNTER_REJECTED_HTTP);
	} else if (state == HEAD_WHOLE) {
		begin_body(connection);
	}
}

static void
begin_request(struct connection *connection)
{
	if (connection->has_begun)
		return;
	connection->has_begun = true;
	limits_enter(connection, &connection->all->busy);
}

/* Reads the received bytes of a request, if any. */
static void
read_request(struct connection *connection)
{
	h2o_socket_t *socket = connection->socket;
	const bool begun = connection->head.searched > 0 || begins(socket);
	int state;

	connection->seen = socket->input->size;
	if (!begun)
		return;
	begin_request(connection);
	state = head_read(&connection->head, socket->input->bytes, socket->input->size);
	if (limits_buffer(connection, socket->input->size))
		take_head(connection, state);
}

static void
on_read(h2o_socket_t *socket, const char *err)
{
	struct connection *connection = socket->on_close.data;

	if (closes(connection, err))
		return;
	if (connection->all->tls != NULL && socket->input->size == connection->seen)
		begin_request(connection); /* only a partial TLS record has come */
	else
		read_request(connection);
}

/* libh2o waits for a request: takes over reading until the head is complete. early: received bytes of the request. */
static void
rest(struct connection *connection, h2o_buffer_t *early)
{
	h2o_socket_t *socket = connection->socket;

	connection->head = (struct head){0};
	connection->chunks = (struct chunks){0};
	connection->has_begun = connection->answered = connection->unread = connection->head_is_gone = false;
	connection->exchange = NULL;
	connection->seen = 0;
	if (connection->ssl != NULL)
		connection->records_at = tls_bytes_read(connection->ssl);
	(void)limits_buffer(connection, 0);
	libh2o_read = libh2o_swap_on_read(socket, on_read);
	limits_enter(connection, &connection->all->resting);
	if (early != NULL) {
		libh2o_show_input(socket, early);
		read_request(connection);
	}
}

/* Whether the client has sent bytes after the answered request. */
static bool
has_more(const struct connection *connection)
{
	h2o_socket_t *socket = connection->socket;
	int unread = 0;

	return socket->input->size > connection->request_bytes ||
	       (ioctl(h2o_socket_get_fd(socket), FIONREAD, &unread) == 0 && unread > 0);
}

static void
on_written(h2o_socket_t *socket, const char *err)
{
	struct connection *connection = socket->on_close.data;
	h2o_buffer_t *early;

	if (libh2o_goes_on(err)) {
		libh2o_written(socket, err);
		return;
	}
	if (err != NULL || !connection->stays_open) {
		if (err == NULL && has_more(connection))
			connection_linger(connection); /* otherwise a reset may lose the answer */
		libh2o_written(socket, err);
		return;
	}
	early = libh2o_hide_early_bytes(socket, connection->request_bytes);
	libh2o_written(socket, NULL);
	rest(connection, early);
}

void
connection_answered(h2o_req_t *req)
{
	struct connection *connection = connection_of(req);
	h2o_socket_t *socket = connection->socket;

	connection->request_bytes = libh2o_bytes_of_answered(req, socket, connection->head.line);
	connection->stays_open = libh2o_keeps_open(req);
	PROBE_ANSWER(req, req->res.status);
	connection->answered = true;
	libh2o_written = libh2o_swap_on_written(socket, on_written);
}

bool
connection_is_apart(const h2o_req_t *req)
{
	const struct connection *connection = connection_of(req);

	return (connection->head.has_coding || connection->head_is_gone) &&
	       libh2o_on_read(connection->socket) == on_body;
}

bool
connection_client_is_known(const h2o_req_t *req)
{
	return connection_of(req)->client_is_known;
}

void
connection_set_exchange(h2o_req_t *req, struct exchange *exchange)
{
	struct connection *connection = connection_of(req);

	connection->exchange = exchange;
	buffered_keep(&connection->all->buffered, &connection->buffered);
}

struct exchange *
connection_exchange(const h2o_req_t *req)
{
	return connection_of(req)->exchange;
}

/* Begins HTTP on the connection. The socket's input is the beginning of a request. */
static void
begin_http(struct connection *connection)
{
	h2o_buffer_t *early = libh2o_hide_input(connection->socket);

	connection->is_http = true;
	h2o_accept(connection->all->accept, connection->socket);
	rest(connection, early);
}

void
connections_init(struct connections *connections)
{
	connections->refuse = refuse;
	connections->count = connections->surplus_count = 0;
	h2o_linklist_init_anchor(&connections->resting);
	h2o_linklist_init_anchor(&connections->busy);
	h2o_linklist_init_anchor(&connections->surplus);
	buffered_init(&connections->buffered);
	crypto_random(connections->seed, sizeof connections->seed);
	if (connections->tls != NULL)
		handshakes_init(connections, begin_http);
}

void
connection_take(struct connections *connections, h2o_socket_t *socket, bool full, uint64_t key)
{
	struct connection *connection = mem_new(1, sizeof *connection);

	connection->all = connections;
	connection->socket = socket;
	connection->lingers = -1;
	if (!limits_admit(connection, full)) {
		free(connection);
		h2o_socket_close(socket);
		return;
	}
	limits_set_key(connection, key);
	socket->on_close.cb = on_close;
	socket->on_close.data = connection;
	connections->count++;
	if (connections->tls == NULL)
		begin_http(connection);
	else
		handshake_await(connection);
}
