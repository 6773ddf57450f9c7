/*
 * Everything that this service does with parts of libh2o that its documentation leaves out: members whose names begin
 * with an underscore, the order of its callbacks, what it leaves in its buffers. The list of what we rely on is in
 * h2o_internals.c. No other file touches such a part; tests/lint/test_h2o.py checks it. Acceptors only.
 */
#ifndef SERVER_H2O_INTERNALS_H
#define SERVER_H2O_INTERNALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h2o.h>
#include <h2o/http1.h>
#include <h2o/version.h>

/* h2o 2.2 calls its library 0.13. */
_Static_assert(H2O_LIBRARY_VERSION_MAJOR == 0 && H2O_LIBRARY_VERSION_MINOR == 13,
    "this libh2o is not of h2o 2.2: check each point of the list in server/h2o_internals.c against its lib/http1.c");

/*
 * What a connection takes to read into at first; libh2o doubles it as a body needs. Its own choice, 8192, is two pages.
 */
#define LIBH2O_READ_BYTES 4096

/* Sets how libh2o allocates what it reads into. Before the first connection. */
void libh2o_init_buffers(void);

/* What the socket calls when bytes have come, or the connection has ended. Not while it does not read. */
static inline h2o_socket_cb
libh2o_on_read(const h2o_socket_t *socket)
{
	return socket->_cb.read;
}

/* Sets what the socket calls when bytes have come; returns what it called until now. The socket must be reading. */
h2o_socket_cb libh2o_swap_on_read(h2o_socket_t *socket, h2o_socket_cb callback);

/* The same for the end of a write that is under way. */
h2o_socket_cb libh2o_swap_on_written(h2o_socket_t *socket, h2o_socket_cb callback);

/*
 * Makes libh2o close its connection as if the client had gone. libh2o must be reading from it. A duplicate of the
 * descriptor keeps the connection itself open.
 */
void libh2o_let_go(h2o_socket_t *socket);

/*
 * Takes away the bytes that have come, so that libh2o finds an empty buffer when it begins to wait for a request: it
 * would parse them right there. Returns them for libh2o_show_input(), or NULL when there are none.
 */
h2o_buffer_t *libh2o_hide_input(h2o_socket_t *socket);

/* The same for the bytes behind the first request_bytes, which libh2o still has to consume. */
h2o_buffer_t *libh2o_hide_early_bytes(h2o_socket_t *socket, size_t request_bytes);

/* Gives hidden bytes back to a socket whose input is empty. */
void libh2o_show_input(h2o_socket_t *socket, h2o_buffer_t *hidden);

/* The number that the next connection gets. libh2o counts from 1. */
uint64_t libh2o_next_connection(void);
void libh2o_set_next_connection(uint64_t number);

/* Whether the connection stays open after the answer to this request. */
static inline bool
libh2o_keeps_open(const h2o_req_t *req)
{
	return req->http1_is_persistent;
}

/* Before an answer: makes it the last one of its connection. */
static inline void
libh2o_close_after(h2o_req_t *req)
{
	req->http1_is_persistent = 0;
}

/* Before an answer: makes it the last one of its connection if h2o_context_request_shutdown() was called meanwhile. */
void libh2o_close_if_shutting_down(h2o_req_t *req);

struct libh2o_tls_events {
	/* A handshake is finished; libh2o's own callback comes later. ssl is there as long as the socket. */
	void (*handshake_done)(h2o_socket_t *socket, const SSL *ssl);
	/* The client has sent an alert, and no more data after it. What came before it has been decoded. */
	void (*ended)(h2o_socket_t *socket);
};

/*
 * Calls these, which must outlive the context, for the connections of that context. Sends the alert that tells a client
 * why its handshake has failed, which libh2o drops.
 */
void libh2o_watch_tls(SSL_CTX *context, const struct libh2o_tls_events *events);

/* Calls the function for the request of every connection, begun or not, until one call returns other than 0. */
void libh2o_foreach_request(h2o_context_t *context, int (*call)(h2o_req_t *req, void *data), void *data);

#endif
