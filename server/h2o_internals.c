/*
 * Behaviour of libh2o that its documentation does not describe: of 2.2.5, and of the development towards 2.3 in June
 * 2026. A point that holds for one of the two versions names it. The files in brackets rely on the point. Check every
 * point against a new version of libh2o.
 *
 * The loop
 * - h2o_evloop_run() polls first, and then calls the callbacks of completed writes. After an answer that was given
 *   outside of a callback, run the loop once without waiting: otherwise these callbacks wait for the next event.
 *   (loop.c)
 * - libh2o's time-outs follow the wall clock: if the clock is set back by a day, they come a day late.
 *   http1.req_timeout limits both a connection that rests and a request that is slow. It is unsigned, and 2.2 subtracts
 *   it from the time since 1970. Acceptors therefore have limits of their own by the steady clock, and check them in
 *   each turn of the loop. (client_limits.c, linger.c)
 * - 2.3 keeps freed memory until h2o_cleanup_thread() has been called often enough. (libh2o_run())
 *
 * Connections
 * - libh2o reads a socket (h2o_socket_is_reading()) exactly while its connection waits for a request or for the rest of
 *   one. Only a parked connection is read for another reason. (parked.c, drain.c)
 * - While a request arrives, the socket's input holds all its bytes so far. libh2o changes only the case of header
 *   names, and removes the sizes of chunks. 2.3 removes the whole request from the input once it has parsed the head.
 *   In 2.3 the socket's data is the h2o_conn_t of that request. (drain.c, connection.c)
 * - The read callback of libh2o closes the connection if it is called with an error. (drain.c, connection.c)
 * - libh2o sets the read callback when it begins to wait for a request: in h2o_accept(), and in the callback of a
 *   written answer. The callback of a written "100 Continue" sets it again. At that moment libh2o also parses the bytes
 *   that have already arrived. (connection.c)
 * - libh2o numbers connections by a global counter, h2o_connection_id. (drain.c)
 * - libh2o frees a buffer whose bytes are all consumed, so a resting connection has no buffer. With mmap_settings it
 *   would keep buffers above 32 MiB in files below /tmp. (libh2o_init_buffers())
 *
 * TLS
 * - The SSL object of a socket is private. The BIO through which OpenSSL reads and writes has the socket as its data.
 * - libh2o collects what OpenSSL writes, and sends it only if SSL_accept() has not failed. So 2.2 drops the alert
 *   of a failed handshake, and the client would not learn the reason. The alert is usually the only unsent record. If
 *   the same call of SSL_accept() has also written a part of the handshake, libh2o_watch_tls() does not send the alert.
 * - h2o_socket_ssl_handshake() uses the socket's input as the beginning of the handshake. After the handshake the input
 *   holds the first bytes of a request. (handshake.c, connection.c)
 * - h2o_socket_close() sends close_notify to the client, and then calls on_close. (connection.c)
 * - libh2o ends a connection on which OpenSSL wants to write while libh2o reads. This happens to a client that
 *   renegotiates (TLS 1.2) or asks for new keys (TLS 1.3).
 * - libh2o may call the read callback without new input: after a part of a record, or after an empty record.
 *   (connection.c)
 * - After a client's close_notify, libh2o still collects the bytes that the client sends. It neither decodes them nor
 *   reports an error. (connection.c, handshake.c)
 * - h2o_socket_close() stops reading, and waits until the close_notify is written. A client that takes no bytes keeps
 *   the socket open. (connection.c, client_limits.c)
 *
 * Requests
 * - libh2o does not read a connection while its request is being answered. It notices that the client has gone only
 *   when it writes the answer, so a request pointer stays valid until h2o_send(). (parked.c, reply.c)
 * - After h2o_send() a parked connection may be read before the answer is written. Reading moves the buffer that
 *   req->entity points into, so no code may read a body after the reply. (parked.c, reply.c)
 * - libh2o uses the first of several Content-Length headers. It prefers Transfer-Encoding to Content-Length. It hides
 *   both headers from handlers. It accepts a bare LF as the end of a line. It answers a request that its parser refuses
 *   with a plain-text 400, which passes no filter. (head.c)
 * - In a chunked body libh2o accepts any bytes after the size of a chunk, and any lines after the last chunk.
 *   (chunks.c)
 * - libh2o decodes a chunked body in place, from where its last read ended. After its callback returns, the next bytes
 *   arrive at the end of the input: the input's size is their offset. (connection.c)
 * - libh2o writes "100 Continue" before it reads the first byte of a body, and reads nothing until that is written.
 *   (connection.c)
 * - 2.3 treats CONNECT, and an Upgrade to anything but HTTP/2, as the beginning of a tunnel. (head.c, h2o_compat.h)
 * - libh2o refuses a chunked body whose size reaches max_request_entity_size, and a declared body whose size exceeds
 *   it. (loop.c, body.c)
 *
 * Answers
 * - libh2o closes the connection after an answer without res.content_length. (reply.c)
 * - libh2o closes the connection right after its own error answers. If the client has sent unread bytes, the close is a
 *   reset. (error_responses.c, linger.c)
 * - After h2o_context_request_shutdown() each later request is the last one of its connection. Requests that already
 *   wait for their answers are not, and idle connections stay open. (reply.c, drain.c)
 *
 * This service turns HTTP/2 off, because 2.2 is older than the fix for rapid reset.
 */
#include "server/h2o_internals.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/ssl.h>

#include "base/mem.h"

/*
 * libh2o has one time-out for resting connections and slow requests, by the wall clock; client_limits.c has better
 * ones. So this is far above those, and below the time since 1970, because 2.2 subtracts it from that.
 */
#define TIMEOUT_MS (10 * 24 * 3600 * UINT64_C(1000))

void
libh2o_init_buffers(void)
{
	h2o_socket_buffer_prototype._initial_buf.capacity = LIBH2O_READ_BYTES;
	h2o_socket_buffer_prototype.mmap_settings = NULL;
}

void
libh2o_configure(h2o_globalconf_t *config)
{
	config->http1.upgrade_to_http2 = 0;
	config->http1.req_timeout = TIMEOUT_MS;
#if !LIBH2O_IS_2_2
	config->http1.req_io_timeout = TIMEOUT_MS;
#endif
}

#if LIBH2O_IS_2_2

void
libh2o_run(h2o_loop_t *loop, int64_t now_us, int32_t wait_ms)
{
	h2o_evloop_run(loop, wait_ms);
}

size_t
libh2o_moved_bytes(h2o_socket_t *socket)
{
	return 0;
}

void
libh2o_foreach_request(h2o_context_t *context, int (*call)(h2o_req_t *req, void *data), void *data)
{
	(void)context->globalconf->http1.callbacks.foreach_request(context, call, data);
}

#else

/*
 * After the wall clock was set back, libh2o's wheel of timers writes a line to stderr in each turn until the clock
 * reaches its former time. A new wheel starts at the present time. The old wheel is not freed, because timers are still
 * linked in it; they would only close connections.
 */
static void
follow_clock(h2o_loop_t *loop)
{
	static uint64_t before_ms;

	if (h2o_now(loop) < before_ms)
		loop->_timeouts = h2o_timerwheel_create(3, h2o_now(loop)); /* 3 levels, as in libh2o */
	before_ms = h2o_now(loop);
}

void
libh2o_run(h2o_loop_t *loop, int64_t now_us, int32_t wait_ms)
{
	const uint32_t most_ms = h2o_cleanup_thread((uint64_t)now_us / 1000, NULL);

	follow_clock(loop);
	(void)h2o_evloop_run(loop, (uint32_t)wait_ms < most_ms ? wait_ms : (int32_t)most_ms);
}

static int
add_body(h2o_req_t *req, void *bytes)
{
	*(size_t *)bytes += req->req_body_bytes_received;
	return 0;
}

size_t
libh2o_moved_bytes(h2o_socket_t *socket)
{
	h2o_conn_t *conn = socket->data;
	size_t bytes = 0;

	(void)conn->callbacks->foreach_request(conn, add_body, &bytes);
	return bytes;
}

void
libh2o_foreach_request(h2o_context_t *context, int (*call)(h2o_req_t *req, void *data), void *data)
{
	h2o_linklist_t *const lists[] = {&context->_conns.idle, &context->_conns.active};
	int rc = 0;

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		for (h2o_linklist_t *at = lists[i]->next; rc == 0 && at != lists[i]; at = at->next) {
			h2o_conn_t *conn = H2O_STRUCT_FROM_MEMBER(h2o_conn_t, _conns, at);

			rc = conn->callbacks->foreach_request(conn, call, data);
		}
}

#endif

h2o_socket_cb
libh2o_swap_on_read(h2o_socket_t *socket, h2o_socket_cb callback)
{
	h2o_socket_cb before = socket->_cb.read;

	assert(before != NULL);
	socket->_cb.read = callback;
	return before;
}

h2o_socket_cb
libh2o_swap_on_written(h2o_socket_t *socket, h2o_socket_cb callback)
{
	h2o_socket_cb before = socket->_cb.write;

	assert(before != NULL);
	socket->_cb.write = callback;
	return before;
}

void
libh2o_let_go(h2o_socket_t *socket)
{
	socket->_cb.read(socket, h2o_socket_error_closed);
}

h2o_buffer_t *
libh2o_hide_input(h2o_socket_t *socket)
{
	h2o_buffer_t *input = socket->input;

	if (input->size == 0)
		return NULL;
	h2o_buffer_init(&socket->input, &h2o_socket_buffer_prototype);
	return input;
}

h2o_buffer_t *
libh2o_hide_early_bytes(h2o_socket_t *socket, size_t request_bytes)
{
	h2o_buffer_t *input = socket->input;

	if (request_bytes == 0)
		return libh2o_hide_input(socket);
	if (input->size <= request_bytes)
		return NULL;
	h2o_buffer_consume(&input, request_bytes);
	h2o_buffer_init(&socket->input, &h2o_socket_buffer_prototype);
	/* libh2o only consumes that many bytes; it no longer reads them. */
	if (h2o_buffer_reserve(&socket->input, 1).base == NULL)
		mem_none(1);
	socket->input->size = request_bytes;
	return input;
}

void
libh2o_show_input(h2o_socket_t *socket, h2o_buffer_t *hidden)
{
	assert(socket->input->size == 0);
	socket->input = hidden;
}

uint64_t
libh2o_next_connection(void)
{
	return h2o_connection_id + 1;
}

void
libh2o_set_next_connection(uint64_t number)
{
	h2o_connection_id = number - 1;
}

void
libh2o_close_if_shutting_down(h2o_req_t *req)
{
	if (req->conn->ctx->shutdown_requested)
		req->http1_is_persistent = 0;
}

/* ---- TLS ---- */

static const struct libh2o_tls_events *tls_events;

#if LIBH2O_IS_2_2

/* Longer than any record with only an alert, encrypted or not. */
#define ALERT_RECORD_MAX 64

/* OpenSSL's last write. A failing handshake writes its alert and calls on_step() within one call of libh2o. */
static struct {
	size_t len; /* 0: more than an alert */
	char bytes[ALERT_RECORD_MAX];
} last_written;

static long
on_bio(BIO *bio, int operation, const char *bytes, size_t len, int number, long more, int result, size_t *processed)
{
	if (operation == BIO_CB_WRITE) {
		last_written.len = len <= ALERT_RECORD_MAX ? len : 0;
		memcpy(last_written.bytes, bytes, last_written.len);
	}
	return result;
}

static void
await_alert(const SSL *ssl, bool awaits)
{
	BIO_set_callback_ex(SSL_get_rbio(ssl), awaits ? on_bio : NULL);
}

static void
send_alert(h2o_socket_t *socket)
{
	(void)send(h2o_socket_get_fd(socket), last_written.bytes, last_written.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

#else

static void
await_alert(const SSL *ssl, bool awaits)
{
}

static void
send_alert(h2o_socket_t *socket)
{
}

#endif

static void
on_step(const SSL *ssl, int where, int what)
{
	h2o_socket_t *socket = BIO_get_data(SSL_get_rbio(ssl));

	if (where & SSL_CB_HANDSHAKE_START) {
		await_alert(ssl, true);
	} else if (where & SSL_CB_HANDSHAKE_DONE) {
		await_alert(ssl, false);
		tls_events->handshake_done(socket, ssl);
	} else if (where == SSL_CB_READ_ALERT && (what & 0xff) != SSL_AD_USER_CANCELLED) {
		tls_events->ended(socket); /* user_canceled is followed by a close_notify */
	} else if (where == SSL_CB_WRITE_ALERT && what >> 8 == SSL3_AL_FATAL && SSL_in_init(ssl)) {
		send_alert(socket);
	}
}

void
libh2o_watch_tls(SSL_CTX *context, const struct libh2o_tls_events *events)
{
	tls_events = events;
	SSL_CTX_set_info_callback(context, on_step);
}
