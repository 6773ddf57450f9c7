/*
 * All use of undocumented parts of libh2o: members with a leading underscore, the order of callbacks, the contents of
 * buffers. h2o_internals.c lists what this service relies on. No other file touches such parts
 * (tests/lint/test_h2o.py). Acceptors.
 */
#ifndef SERVER_H2O_INTERNALS_H
#define SERVER_H2O_INTERNALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h2o.h>

#include "server/h2o_compat.h"

/*
 * The first read buffer of a connection; libh2o doubles it for larger bodies. 2.2 has a default of 8192, two pages;
 * 2.3 always takes two pages.
 */
#define LIBH2O_READ_BYTES 4096

/* Sets up libh2o's read buffers. Call it before the first connection. */
void libh2o_init_buffers(void);

/* Restricts libh2o to HTTP/1, and sets its time-outs so high that it closes no connection by itself. */
void libh2o_configure(h2o_globalconf_t *config);

/* Runs one turn of the loop, sleeping at most wait_ms. now_us: steady; libh2o uses it to free unused memory. */
void libh2o_run(h2o_loop_t *loop, int64_t now_us, int32_t wait_ms);

/* Bytes of the arriving body that libh2o has moved out of the socket's input. */
size_t libh2o_moved_bytes(h2o_socket_t *socket);

/* All bytes of the arriving request in memory. */
static inline size_t
libh2o_held_bytes(h2o_socket_t *socket)
{
	return socket->input->size + (LIBH2O_MOVES_BODIES ? libh2o_moved_bytes(socket) : 0);
}

/* The socket's callback for new bytes or the connection's end. Only while it reads. */
static inline h2o_socket_cb
libh2o_on_read(const h2o_socket_t *socket)
{
	return socket->_cb.read;
}

/* Replaces the socket's read callback and returns the old one. The socket must be reading. */
h2o_socket_cb libh2o_swap_on_read(h2o_socket_t *socket, h2o_socket_cb callback);

/* The same for the callback of the current write. */
h2o_socket_cb libh2o_swap_on_written(h2o_socket_t *socket, h2o_socket_cb callback);

/*
 * Makes libh2o close its connection as if the client had gone. libh2o must be reading it. A duplicate of the descriptor
 * keeps the TCP connection open.
 */
void libh2o_let_go(h2o_socket_t *socket);

/*
 * Removes the received bytes, because libh2o would parse them at once when it begins to wait for a request. Returns
 * them for libh2o_show_input(), or NULL if there are none.
 */
h2o_buffer_t *libh2o_hide_input(h2o_socket_t *socket);

/* The same for the bytes after the first request_bytes; libh2o will consume those. */
h2o_buffer_t *libh2o_hide_early_bytes(h2o_socket_t *socket, size_t request_bytes);

/* Returns hidden bytes to a socket with empty input. */
void libh2o_show_input(h2o_socket_t *socket, h2o_buffer_t *hidden);

/* The number of the next connection. libh2o counts from 1. */
uint64_t libh2o_next_connection(void);
void libh2o_set_next_connection(uint64_t number);

/* Whether the connection stays open after the answer to this request. */
static inline bool
libh2o_keeps_open(const h2o_req_t *req)
{
	return req->http1_is_persistent;
}

/* Makes the coming answer the last one of its connection. */
static inline void
libh2o_close_after(h2o_req_t *req)
{
	req->http1_is_persistent = 0;
}

/* The same if h2o_context_request_shutdown() was called. */
void libh2o_close_if_shutting_down(h2o_req_t *req);

struct libh2o_tls_events {
	/* A handshake is finished; libh2o's own callback follows later. ssl lives as long as the socket. */
	void (*handshake_done)(h2o_socket_t *socket, const SSL *ssl);
	/* The client has sent an alert that ends its data. All earlier data has been decoded. */
	void (*ended)(h2o_socket_t *socket);
};

/*
 * Registers these callbacks, which must outlive the context, for the context's connections. Also sends the alert of a
 * failed handshake, which libh2o drops.
 */
void libh2o_watch_tls(SSL_CTX *context, const struct libh2o_tls_events *events);

/* Calls the function for the request of every connection, begun or not, until a call returns nonzero. */
void libh2o_foreach_request(h2o_context_t *context, int (*call)(h2o_req_t *req, void *data), void *data);

#endif
