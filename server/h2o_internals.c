/*
 * What libh2o does and its documentation does not say, as of 2.2.5 and of the development towards 2.3 in June 2026.
 * Where the two differ the point says so. Each point is relied upon by the file named there; a new version of libh2o
 * has to be checked against all of them.
 *
 * The loop
 * - h2o_evloop_run() polls first and runs completed writes afterwards. After answering from outside a callback, run it
 *   once without waiting, or the completion of the answers waits for the next event. (loop.c)
 * - Its time-outs follow the wall clock: set back by a day, they come a day late. http1.req_timeout, one limit for a
 *   connection that rests and for a request that is slow, is unsigned, and 2.2 subtracts it from the time since 1970.
 *   Acceptors have limits of their own, by the steady clock, and look at them in each turn of the loop. (connection.c,
 *   linger.c)
 * - 2.3 keeps the memory that it frees, until h2o_cleanup_thread() has been called often enough.
 *
 * Connections
 * - A connection waits for a request, or for the rest of one, exactly while h2o_socket_is_reading(), unless it is
 *   parked. The socket's input then holds what has come of the request, unchanged but for the case of header names and
 *   the sizes of chunks. 2.3 takes it all out once it has seen the head, and the data of a socket is the h2o_conn_t of
 *   the request that has it. (parked.c, drain.c, connection.c)
 * - Its read callback, called with an error, makes it close the connection. (drain.c, connection.c)
 * - It sets the read callback of a socket when it begins to wait for a request: in h2o_accept() and in the callback of
 *   a written answer, and again in the callback of a written "100 Continue". It parses the bytes that are there at that
 *   moment. (connection.c)
 * - It numbers connections by a global counter, h2o_connection_id. (drain.c)
 * - A buffer that is consumed whole is given back, so a connection that rests has none. mmap_settings would put buffers
 *   above 32 MiB into files below /tmp.
 *
 * TLS
 * - A socket's ssl is not for others. The BIO through which OpenSSL reads and writes has the socket as its data.
 * - What OpenSSL writes is collected, and sent when SSL_accept() has not failed: 2.2 drops the alert of a handshake
 *   that fails, so the client would not learn why. Nothing else waits to be sent at that moment, unless the same call
 *   has made a part of the handshake as well: then the alert is left out.
 * - h2o_socket_ssl_handshake() takes what the socket has as input as the beginning of the handshake. When it is over,
 *   the input is what has come of a request. (connection.c)
 * - h2o_socket_close() says so to the client (close_notify) before on_close is called. (connection.c)
 * - Bytes that OpenSSL wants to write while libh2o reads end the connection: a client that renegotiates (TLS 1.2) or
 *   asks for new keys (TLS 1.3) is disconnected.
 * - A read callback may come without new input: when a record has come in part, or held none. (connection.c)
 * - After a client's alert that ends the connection (close_notify) it collects what the client still sends, does not
 *   decode it, and reports no error. (connection.c)
 * - h2o_socket_close() stops reading, and waits until the close_notify is written: a client that takes no bytes keeps
 *   the socket. (connection.c, client_limits.c)
 *
 * Requests
 * - While a request is being answered its connection is not read, and a client that has gone is not noticed until the
 *   answer is written: a request pointer stays valid until h2o_send(). Between that and its completion a parked
 *   connection may be read, which moves the buffer that req->entity points into: nothing may read a body after the
 *   reply. (parked.c, reply.c)
 * - It takes the first of several Content-Length headers, and Transfer-Encoding over Content-Length, and hides both
 *   from handlers. It takes LF alone for the end of a line. What its parser does not take gets a plain-text 400 that
 *   passes no filter. (head.c)
 * - In a chunked body it takes any bytes behind the size of a chunk and any lines behind the last one. It decodes in
 *   place what has come since its last read: the input's size after its callback is where the next bytes will be. It
 *   writes "100 Continue" before it reads the first chunk, and does not read meanwhile. (chunks.c, connection.c)
 * - 2.3 takes CONNECT, and an Upgrade that is not to HTTP/2, for the beginning of a tunnel. (head.c, h2o_compat.h)
 * - max_request_entity_size refuses a chunked body that reaches it and a declared one that exceeds it. (loop.c, body.c)
 *
 * Answers
 * - Without res.content_length the connection is closed after the answer. (reply.c)
 * - It closes right after its own error answers. With unread input that is a reset. (error_responses.c, linger.c)
 * - h2o_context_request_shutdown() makes requests that come later the last of their connections, not those that wait
 *   for their answer, and leaves idle connections alone. (reply.c, drain.c)
 *
 * HTTP/2 stays off: 2.2 predates the fix for rapid reset.
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
