/*
 * libh2o has no hook between two requests, but the callbacks of its sockets can be replaced. It sets the one for
 * reading when it begins to wait for a request: when it takes a socket, and in the callback of an answer that has been
 * written. At both moments ours takes its place, and calls libh2o's when a head is whole. For the second moment the
 * callback of the answer is replaced also, each time an answer is given to libh2o. With TLS libh2o's HTTP takes the
 * socket when the handshake has been made; before that a callback of ours sees whether the first byte is one of TLS.
 *
 * While a chunked body arrives another callback of ours stays in that place: it reads what has come, and then calls
 * libh2o's. That takes the bytes between the chunks away, so what has not been read yet begins where the input ended
 * after that call. A client may wait for "100 Continue" before it sends its body. libh2o sets its callback anew when it
 * has written that, so the callback of that write is replaced, too.
 */
#include "server/connection.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/chunks.h"
#include "server/client_log.h"
#include "server/h2o_internals.h"
#include "server/head.h"
#include "server/parked.h"
#include "server/raw_reply.h"
#include "server/route.h"
#include "server/tls.h"
#include "shm/counters.h"

struct connection {
	struct connections *all;
	h2o_socket_t *socket; /* its on_close.data is this connection */
	h2o_linklist_t link; /* resting: of a connection that waits for a request; busy: one arrives or is answered */
	int64_t since_us; /* steady: when it entered that list, which is sorted by it */
	bool is_http; /* libh2o has it; before that a handshake comes, or nothing has come yet */
	bool client_is_known; /* by its certificate */
	struct head head; /* of the request that arrives */
	struct chunks chunks; /* of its body, if that is chunked */
	size_t chunks_at; /* where the bytes of the socket's input begin that chunks has not read */
	struct exchange *exchange; /* of the request that is being answered; NULL: libh2o did not hand it on */
	size_t request_bytes; /* of the socket's input: the request that has been answered */
	bool stays_open; /* after that answer */
	char *refusal; /* the answer that is being written without libh2o's knowledge; NULL: none */
	int lingers; /* duplicate of the descriptor, for when the socket is closed; -1: none */
};

#define TLS_HANDSHAKE 0x16 /* the first byte of a record that holds a part of a handshake */

_Static_assert(
    HEAD_FIELDS_MAX <= H2O_MAX_HEADERS && HEAD_BYTES_MAX <= H2O_MAX_REQLEN, "libh2o takes every head that passes here");

/*
 * The callbacks of libh2o, the same for all connections: for bytes that have come, for an answer that is written, and
 * for a "100 Continue" that is written.
 */
static h2o_socket_cb libh2o_read, libh2o_written, libh2o_continued;

static struct connection *
connection_of(const h2o_req_t *req)
{
	return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

static void
enter(struct connection *connection, h2o_linklist_t *list)
{
	if (h2o_linklist_is_linked(&connection->link))
		h2o_linklist_unlink(&connection->link);
	h2o_linklist_insert(list, &connection->link); /* at its end */
	connection->since_us = clock_steady_us();
}

static void
on_close(void *data)
{
	struct connection *connection = data;

	connection->all->count--;
	h2o_linklist_unlink(&connection->link);
	if (connection->lingers >= 0)
		linger_on(connection->all->linger, connection->lingers);
	free(connection->refusal);
	free(connection);
}

/* Whether what has come looks like a request to the management API, whose errors differ. */
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

/* When libh2o closes the socket it says so to a client of TLS; only after that may linger_on() end the connection. */
static void
linger_when_closed(struct connection *connection)
{
	/* Without a descriptor the client may miss the reason, nothing worse. */
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

/* The connection is closed when the answer is written. libh2o must have no answer to it under way, nor a handshake. */
static void
refuse(struct connection *connection, int status, const char *why, enum counter reason)
{
	h2o_socket_t *socket = connection->socket;
	h2o_iovec_t answer;

	counter_add(connection->all->slot, reason, 1);
	counter_add(connection->all->slot, COUNTER_HTTP_OTHER_4XX, 1);
	client_log_refusal(socket, status, why);
	connection->refusal = mem_new(RAW_REPLY_BYTES, 1);
	answer.base = connection->refusal;
	answer.len = raw_reply(answer.base, status, why, asks_api(socket->input));
	linger_when_closed(connection);
	h2o_socket_read_stop(socket);
	h2o_socket_write(socket, &answer, 1, on_refused);
}

static void read_chunks(struct connection *connection);

static void
on_chunks(h2o_socket_t *socket, const char *err)
{
	struct connection *connection = socket->on_close.data;

	if (err != NULL)
		libh2o_read(socket, err);
	else if (socket->input->size > connection->chunks_at) /* else a record of TLS has come in part */
		read_chunks(connection);
}

/* libh2o has read what had come of a chunked body. If it waits for more, that comes here first. */
static void
await_chunks(struct connection *connection)
{
	h2o_socket_t *socket = connection->socket;

	if (!awaits_request(socket))
		return; /* it has refused the body as too large */
	(void)libh2o_swap_on_read(socket, on_chunks);
	connection->chunks_at = socket->input->size;
}

static void
on_continued(h2o_socket_t *socket, const char *err)
{
	struct connection *connection = socket->on_close.data;

	libh2o_continued(socket, err);
	if (err == NULL) /* else the connection is gone */
		await_chunks(connection);
}

/* Gives libh2o what has come of a request, all of which has been read here. */
static void
pass_on(struct connection *connection)
{
	h2o_socket_t *socket = connection->socket;

	(void)libh2o_swap_on_read(socket, libh2o_read);
	libh2o_read(socket, NULL);
}

/* Reads what has come of a chunked body, and passes it on. */
static void
read_chunks(struct connection *connection)
{
	const h2o_buffer_t *input = connection->socket->input;
	size_t used;

	switch (chunks_read(
	    &connection->chunks, input->bytes + connection->chunks_at, input->size - connection->chunks_at, &used)) {
	case CHUNKS_WHOLE:
		pass_on(connection);
		break;
	case CHUNKS_PARTIAL:
		pass_on(connection);
		if (!connection->head.expects)
			await_chunks(connection);
		else
			libh2o_continued = libh2o_swap_on_written(connection->socket, on_continued);
		connection->head.expects = false;
		break;
	case CHUNKS_REFUSED:
		refuse(connection, 400, connection->chunks.why, COUNTER_REJECTED_HTTP);
		break;
	}
}

/* Takes away empty lines before a request. Returns whether a byte of the request itself has come. */
static bool
begins(h2o_socket_t *socket)
{
	const h2o_buffer_t *input = socket->input;

	h2o_buffer_consume(&socket->input, head_empty_lines(input->bytes, input->size));
	input = socket->input;
	return input->size > 1 || (input->size == 1 && input->bytes[0] != '\r');
}

static void
on_read(h2o_socket_t *socket, const char *err)
{
	struct connection *connection = socket->on_close.data;
	struct head *head = &connection->head;

	if (err != NULL) {
		libh2o_read(socket, err);
		return;
	}
	if (head->searched == 0) {
		if (!begins(socket))
			return;
		enter(connection, &connection->all->busy);
	}
	switch (head_read(head, socket->input->bytes, socket->input->size)) {
	case HEAD_PARTIAL:
		break;
	case HEAD_WHOLE:
		connection->chunks_at = head->line;
		if (head->has_coding)
			read_chunks(connection);
		else
			pass_on(connection);
		break;
	case HEAD_REFUSED:
		refuse(connection, head->status, head->why, COUNTER_REJECTED_HTTP);
		break;
	}
}

/* libh2o waits for a request: the connection is ours until its head is whole. early: what of it has come already. */
static void
rest(struct connection *connection, h2o_buffer_t *early)
{
	h2o_socket_t *socket = connection->socket;

	connection->head = (struct head){0};
	connection->chunks = (struct chunks){0};
	connection->exchange = NULL;
	libh2o_read = libh2o_swap_on_read(socket, on_read);
	enter(connection, &connection->all->resting);
	if (early != NULL) {
		libh2o_show_input(socket, early);
		on_read(socket, NULL);
	}
}

static void
on_written(h2o_socket_t *socket, const char *err)
{
	struct connection *connection = socket->on_close.data;
	h2o_buffer_t *early;

	if (err != NULL || !connection->stays_open) {
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

	/* The end of the body is the end of what libh2o will consume, also when it has dropped the sizes of chunks. */
	connection->request_bytes = req->entity.base != NULL
					? (size_t)(req->entity.base + req->entity.len - socket->input->bytes)
					: connection->head.line;
	connection->stays_open = libh2o_keeps_open(req);
	libh2o_written = libh2o_swap_on_written(socket, on_written);
}

bool
connection_reads_chunks(const h2o_req_t *req)
{
	return libh2o_on_read(connection_of(req)->socket) == on_chunks;
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
	connection_of(req)->exchange = exchange;
}

struct exchange *
connection_exchange(const h2o_req_t *req)
{
	return connection_of(req)->exchange;
}

/* From now on libh2o reads requests. What the socket has as input already is the beginning of one. */
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
	linger_when_closed(connection); /* or the alert is lost, which says why */
	h2o_socket_close(socket);
}

static void
on_session(h2o_socket_t *socket, const SSL *ssl)
{
	struct connection *connection = socket->on_close.data;

	connection->client_is_known = tls_client_is_known(ssl);
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
	enter(connection, &connection->all->busy);
	if (socket->input->bytes[0] == TLS_HANDSHAKE)
		h2o_socket_ssl_handshake(socket, connection->all->tls, NULL, on_handshake);
	else
		refuse(connection, 400, "This port speaks TLS: use https:// here", COUNTER_REJECTED_HTTP);
}

void
connections_init(struct connections *connections)
{
	connections->count = 0;
	h2o_linklist_init_anchor(&connections->resting);
	h2o_linklist_init_anchor(&connections->busy);
	if (connections->tls != NULL)
		libh2o_watch_handshakes(connections->tls, on_session);
}

void
connection_take(struct connections *connections, h2o_socket_t *socket)
{
	struct connection *connection = mem_new(1, sizeof *connection);

	connection->all = connections;
	connection->socket = socket;
	connection->lingers = -1;
	socket->on_close.cb = on_close;
	socket->on_close.data = connection;
	connections->count++;
	if (connections->tls == NULL) {
		begin_http(connection);
		return;
	}
	enter(connection, &connections->resting);
	h2o_socket_read_start(socket, on_first_bytes);
}

static struct connection *
longest_in(h2o_linklist_t *list)
{
	return h2o_linklist_is_empty(list) ? NULL : H2O_STRUCT_FROM_MEMBER(struct connection, link, list->next);
}

void
connections_close_resting(struct connections *connections, int64_t now_us, int64_t rested_us, uint32_t most)
{
	struct connection *connection;

	while (most-- > 0 && (connection = longest_in(&connections->resting)) != NULL &&
	       now_us - connection->since_us >= rested_us) {
		/* What the kernel has buffered is still read; then libh2o sees the end, and closes. */
		(void)shutdown(h2o_socket_get_fd(connection->socket), SHUT_RD);
		enter(connection, &connections->resting);
	}
}

static void
refuse_as_late(struct connection *connection)
{
	char why[96];

	(void)snprintf(why, sizeof why, "The request did not arrive within %u seconds (REQUEST_TIMEOUT_SECONDS)",
	    connection->all->config->request_timeout_seconds);
	refuse(connection, 408, why, COUNTER_REJECTED_TIMEOUT);
}

/* Returns whether any was refused. */
static bool
refuse_late(struct connections *connections, int64_t now_us, int64_t limit_us)
{
	struct connection *connection;
	bool refused = false;

	while ((connection = longest_in(&connections->busy)) != NULL && now_us - connection->since_us >= limit_us) {
		/* A request that is being answered gets the whole time once more. */
		enter(connection, &connections->busy);
		if (!awaits_request(connection->socket))
			continue;
		if (connection->is_http)
			refuse_as_late(connection);
		else
			libh2o_let_go(connection->socket); /* nothing can be said in a handshake */
		refused = true;
	}
	return refused;
}

void
connections_close_arriving(struct connections *connections)
{
	for (h2o_linklist_t *link = connections->busy.next; link != &connections->busy; link = link->next) {
		struct connection *connection = H2O_STRUCT_FROM_MEMBER(struct connection, link, link);

		if (awaits_request(connection->socket))
			(void)shutdown(h2o_socket_get_fd(connection->socket), SHUT_RD);
	}
}

int32_t
connections_step(struct connections *connections, int64_t now_us, int32_t most_ms)
{
	const int64_t rest_us = (int64_t)connections->config->idle_timeout_seconds * 1000000;
	const int64_t arrive_us = (int64_t)connections->config->request_timeout_seconds * 1000000;
	const struct connection *longest;

	connections_close_resting(connections, now_us, rest_us, UINT32_MAX);
	if (refuse_late(connections, now_us, arrive_us))
		most_ms = 0; /* libh2o polls before it looks whether the refusals are written */
	if ((longest = longest_in(&connections->resting)) != NULL)
		most_ms = clock_wait_ms(longest->since_us + rest_us, now_us, most_ms);
	if ((longest = longest_in(&connections->busy)) != NULL)
		most_ms = clock_wait_ms(longest->since_us + arrive_us, now_us, most_ms);
	return most_ms;
}
