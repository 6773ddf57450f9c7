/*
 * A callback of ours checks that the first byte is TLS. Then libh2o makes the handshake. libh2o does not tell whether
 * the client has shown a valid certificate, nor when the client ends its side, so hooks into OpenSSL do.
 */
#include "server/handshake.h"

#include "server/client_limits.h"
#include "server/client_log.h"
#include "server/h2o_internals.h"
#include "server/tls.h"
#include "shm/counters.h"

#define TLS_HANDSHAKE 0x16 /* the first byte of a handshake record */

static void
on_handshake(h2o_socket_t *socket, const char *err)
{
	struct connection *connection = socket->on_close.data;
	struct process_slot *slot = connection->all->slot;

	if (err == NULL) {
		counter_add(
		    slot, h2o_socket_get_ssl_session_reused(socket) == 1 ? COUNTER_TLS_RESUMED : COUNTER_TLS_FULL, 1);
		connection->all->begin(connection);
		return;
	}
	counter_add(slot, COUNTER_TLS_FAILED, 1);
	client_log_handshake(socket, err);
	connection_linger(connection); /* otherwise a reset may lose the alert with the reason */
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
	struct connections *all = connection->all;

	if (err != NULL) {
		h2o_socket_close(socket);
		return;
	}
	if (socket->input->size == 0)
		return;
	limits_enter(connection, &all->busy);
	if (socket->input->bytes[0] == TLS_HANDSHAKE)
		libh2o_begin_handshake(socket, all->tls, on_handshake);
	else
		all->refuse(connection, 400, "This port speaks TLS: use https:// here", COUNTER_REJECTED_HTTP);
}

void
handshakes_init(struct connections *connections, connection_begin *begin)
{
	static const struct libh2o_tls_events events = {.handshake_done = on_session, .ended = on_end};

	connections->begin = begin;
	libh2o_watch_tls(connections->tls, &events);
}

void
handshake_await(struct connection *connection)
{
	limits_enter(connection, &connection->all->resting);
	h2o_socket_read_start(connection->socket, on_first_bytes);
}
