/*
 * libh2o has no hook between two requests, but its sockets' callbacks can be replaced. It sets the read callback when
 * it begins to wait for a request: in h2o_accept() and in the callback of a written answer. Both times connection.c
 * replaces it, and calls libh2o's callback once a head is complete. To notice the second time, it also replaces the
 * write callback whenever libh2o gets an answer. With TLS, h2o_accept() follows the handshake; before that a callback
 * of ours checks that the first byte is TLS.
 *
 * While a body arrives, another callback stays in place: it counts the bytes, checks a chunked body, and then calls
 * libh2o's callback. libh2o removes the bytes between chunks, so the next unchecked byte is where the input ended after
 * that call. A client may wait for "100 Continue" before its body. libh2o sets its read callback again after writing
 * that, so the callback of that write is replaced, too.
 */
#include "server/connection.h"

#include <fcntl.h>
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
#include "server/parked.h"
#include "server/raw_reply.h"
#include "server/route.h"
#include "server/tls.h"
#include "shm/counters.h"

#define TLS_HANDSHAKE 0x16 /* the first byte of a handshake record */

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

/* Lingering must wait for libh2o's close, because that sends close_notify to a TLS client. */
static void
linger_when_closed(struct connection *connection)
{
	/* Without a descriptor the client may miss the answer, nothing worse. */
	if (connection->lingers < 0)
		connection->lingers = fcntl(h2o_socket_get_fd(connection->socket), F_DUPFD_CLOEXEC, 0);
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

/* Answers and then closes the connection. libh2o must not be answering or shaking hands on it. */
static void
refuse(struct connection *connection, int status, const char *why, enum counter reason)
{
	h2o_socket_t *socket = connection->socket;
	h2o_iovec_t answer;

	counter_add(connection->all->slot, reason, 1);
	counter_add(connection->all->slot, status >= 500 ? COUNTER_HTTP_OTHER_5XX : COUNTER_HTTP_OTHER_4XX, 1);
	client_log_refusal(socket, status, why);
	connection->refusal = mem_new(RAW_REPLY_BYTES, 1);
	answer.base = connection->refusal;
	answer.len = raw_reply(answer.base, status, why, asks_api(socket->input));
	if (connection->head.method_len == 4 && memcmp(socket->input->bytes, "HEAD", 4) == 0)
		answer.len = (size_t)(strstr(answer.base, "\r\n\r\n") + 4 - answer.base);
	connection->answered = true;
	linger_when_closed(connection);
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
		connection->chunks_at = socket->input->size;
	} else if (h2o_socket_is_writing(socket)) {
		connection->aside = libh2o_swap_on_written(socket, on_aside_written);
	}
}

/* Passes the checked bytes of a request to libh2o. */
static void
pass_on(struct connection *connection)
{
	struct connections *all = connection->all;

	all->passed_on = connection;
	libh2o_read(connection->socket, NULL);
	await_body(all);
}

static const char too_large[] =
    "The body is longer than this path takes: only those of events take more than 65536 bytes";

/* Checks the received bytes of a body and passes them on. */
static void
read_body(struct connection *connection)
{
	const h2o_buffer_t *input = connection->socket->input;
	const size_t at = connection->chunks_at;
	size_t used = 0;

	if (connection->head.has_coding &&
	    chunks_read(&connection->chunks, input->bytes + at, input->size - at, &used) == CHUNKS_REFUSED)
		refuse(connection, 400, connection->chunks.why, COUNTER_REJECTED_HTTP);
	else if (connection->head.body_bytes > connection->most_body ||
		 at + used - connection->head.line > connection->most_body)
		refuse(connection, 413, too_large, COUNTER_REJECTED_BODY_SIZE);
	else
		pass_on(connection);
}

/* A whole head was read: refuses the request, or passes it on. */
static void
begin_body(struct connection *connection)
{
	struct refusal refusal;

	connection->chunks_at = connection->head.line;
	if (connection->all->judge(connection, &refusal))
		refuse(connection, refusal.status, refusal.text, refusal.reason);
	else
		read_body(connection);
}

/* Whether the client has gone. If so, libh2o closes the connection, perhaps with a close_notify. */
static bool
closes(struct connection *connection, const char *err)
{
	h2o_socket_t *socket = connection->socket;

	if (err == NULL && connection->ended && socket->bytes_read == 0)
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
	if (socket->input->size == connection->chunks_at)
		return; /* only a partial TLS record has come */
	if (limits_hold(connection, socket->input->size))
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
	int state;

	if (connection->head.searched == 0 && !begins(socket))
		return;
	begin_request(connection);
	state = head_read(&connection->head, socket->input->bytes, socket->input->size);
	if (limits_hold(connection, socket->input->size))
		take_head(connection, state);
}

static void
on_read(h2o_socket_t *socket, const char *err)
{
	struct connection *connection = socket->on_close.data;

	if (closes(connection, err))
		return;
	if (connection->all->tls != NULL && socket->bytes_read == 0)
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
	connection->has_begun = connection->answered = connection->unread = false;
	connection->exchange = NULL;
	if (connection->ssl != NULL)
		connection->records_at = tls_bytes_read(connection->ssl);
	(void)limits_hold(connection, 0);
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

	if (err != NULL || !connection->stays_open) {
		if (err == NULL && has_more(connection))
			linger_when_closed(connection); /* otherwise a reset may lose the answer */
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

	/* libh2o will consume up to the body's end, even after removing the sizes of chunks. */
	connection->request_bytes = req->entity.base != NULL
					? (size_t)(req->entity.base + req->entity.len - socket->input->bytes)
					: connection->head.line;
	connection->stays_open = libh2o_keeps_open(req);
	PROBE_ANSWER(req, req->res.status);
	connection->answered = true;
	libh2o_written = libh2o_swap_on_written(socket, on_written);
}

bool
connection_reads_chunks(const h2o_req_t *req)
{
	const struct connection *connection = connection_of(req);

	return connection->head.has_coding && libh2o_on_read(connection->socket) == on_body;
}

void
connection_linger(const h2o_req_t *req)
{
	linger_when_closed(connection_of(req));
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
	held_keep(&connection->all->held, &connection->holder);
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

static void
on_handshake(h2o_socket_t *socket, const char *err)
{
	struct connection *connection = socket->on_close.data;
	struct process_slot *slot = connection->all->slot;

	if (err == NULL) {
		counter_add(
		    slot, h2o_socket_get_ssl_session_reused(socket) == 1 ? COUNTER_TLS_RESUMED : COUNTER_TLS_FULL, 1);
		begin_http(connection);
		return;
	}
	counter_add(slot, COUNTER_TLS_FAILED, 1);
	client_log_handshake(socket, err);
	linger_when_closed(connection); /* otherwise a reset may lose the alert with the reason */
	h2o_socket_close(socket);
}

static void
on_session(h2o_socket_t *socket, const SSL *ssl)
{
	struct connection *connection = socket->on_close.data;

	connection->ssl = ssl;
	connection->client_is_known = tls_client_is_known(ssl);
}

static void
on_end(h2o_socket_t *socket)
{
	struct connection *connection = socket->on_close.data;

	connection->ended = true;
}

static void
on_first_bytes(h2o_socket_t *socket, const char *err)
{
	struct connection *connection = socket->on_close.data;

	if (err != NULL) {
		h2o_socket_close(socket);
		return;
	}
	if (socket->input->size == 0)
		return;
	limits_enter(connection, &connection->all->busy);
	if (socket->input->bytes[0] == TLS_HANDSHAKE)
		h2o_socket_ssl_handshake(socket, connection->all->tls, NULL, on_handshake);
	else
		refuse(connection, 400, "This port speaks TLS: use https:// here", COUNTER_REJECTED_HTTP);
}

void
connections_init(struct connections *connections)
{
	static const struct libh2o_tls_events events = {.handshake_done = on_session, .ended = on_end};

	connections->refuse = refuse;
	connections->count = connections->surplus_count = 0;
	h2o_linklist_init_anchor(&connections->resting);
	h2o_linklist_init_anchor(&connections->busy);
	h2o_linklist_init_anchor(&connections->surplus);
	held_init(&connections->held);
	crypto_random(connections->seed, sizeof connections->seed);
	if (connections->tls != NULL)
		libh2o_watch_tls(connections->tls, &events);
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
	if (connections->tls == NULL) {
		begin_http(connection);
		return;
	}
	limits_enter(connection, &connections->resting);
	h2o_socket_read_start(socket, on_first_bytes);
}
