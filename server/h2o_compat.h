/*
 * The service builds with two versions of libh2o: that of h2o 2.2, which distributions have, and that of the
 * development towards h2o 2.3. These functions hide where the two interfaces differ. Only this file and h2o_internals.c
 * check the version (tests/lint/test_h2o.py). docs/testing.md tells how to build with the newer one. Acceptors.
 */
#ifndef SERVER_H2O_COMPAT_H
#define SERVER_H2O_COMPAT_H

#include <stdbool.h>
#include <stddef.h>

#include <h2o.h>
#include <h2o/version.h>

/*
 * The library of h2o 2.2 has the number 0.13. Those of 2.3.0-beta2 and of everything later have 0.16; only the later
 * ones define H2O_VERSION_BASE.
 */
#if H2O_LIBRARY_VERSION_MAJOR == 0 && H2O_LIBRARY_VERSION_MINOR == 13
#define LIBH2O_IS_2_2 1
#elif H2O_LIBRARY_VERSION_MAJOR == 0 && H2O_LIBRARY_VERSION_MINOR == 16 && defined(H2O_VERSION_BASE)
#define LIBH2O_IS_2_2 0
#else
#error "check this libh2o against each point of the list in server/h2o_internals.c, and its lib/http1.c"
#endif

/*
 * Whether libh2o removes the head from the socket's input when it begins to read a body, and then each part of the body
 * as it arrives. Otherwise a request stays in the input until it has been answered.
 */
enum { LIBH2O_MOVES_BODIES = !LIBH2O_IS_2_2 };

/* What an output stream gets to send. In 2.3 a vector may be a file; this service answers only with bytes. */
#if LIBH2O_IS_2_2
typedef h2o_iovec_t libh2o_vector;
#else
typedef h2o_sendvec_t libh2o_vector;
#endif

static inline const char *
libh2o_vector_bytes(const libh2o_vector *vector)
{
#if LIBH2O_IS_2_2
	return vector->base;
#else
	return vector->raw;
#endif
}

static inline libh2o_vector
libh2o_vector_of(h2o_iovec_t bytes)
{
#if LIBH2O_IS_2_2
	return bytes;
#else
	h2o_sendvec_t vector;

	h2o_sendvec_init_raw(&vector, bytes.base, bytes.len);
	return vector;
#endif
}

/* Allocates memory that lives until the request's answer is written. 2.3 wants a type or an alignment. */
static inline void *
libh2o_alloc(h2o_req_t *req, size_t bytes)
{
#if LIBH2O_IS_2_2
	return h2o_mem_alloc_pool(&req->pool, bytes);
#else
	return h2o_mem_alloc_pool_aligned(&req->pool, _Alignof(max_align_t), bytes);
#endif
}

static inline h2o_ostream_t *
libh2o_add_ostream(h2o_req_t *req, size_t bytes, h2o_ostream_t **slot)
{
#if LIBH2O_IS_2_2
	return h2o_add_ostream(req, bytes, slot);
#else
	return h2o_add_ostream(req, _Alignof(max_align_t), bytes, slot);
#endif
}

/* The target's path as handlers get it, without the query. It points into the target or into the pool. */
static inline h2o_iovec_t
libh2o_normal_path(h2o_mem_pool_t *pool, const char *target, size_t len)
{
	size_t query_at, *indexes;
#if LIBH2O_IS_2_2
	return h2o_url_normalize_path(pool, target, len, &query_at, &indexes);
#else
	int has_nul;

	return h2o_url_normalize_path(pool, target, len, &query_at, &indexes, &has_nul);
#endif
}

/* The socket of a connection. 2.3 does not give it out, but does give out the address of one of its members. */
static inline h2o_socket_t *
libh2o_socket_of(h2o_conn_t *conn)
{
#if LIBH2O_IS_2_2
	return conn->callbacks->get_socket(conn);
#else
	return H2O_STRUCT_FROM_MEMBER(h2o_socket_t, _log_state, conn->callbacks->log_state(conn));
#endif
}

/* Begins a handshake as the server. The socket's input is the beginning of the client's data. */
static inline void
libh2o_begin_handshake(h2o_socket_t *socket, SSL_CTX *context, h2o_socket_cb callback)
{
#if LIBH2O_IS_2_2
	h2o_socket_ssl_handshake(socket, context, NULL, callback);
#else
	h2o_socket_ssl_handshake(socket, context, NULL, h2o_iovec_init(NULL, 0), callback);
#endif
}

/* Whether a write callback reports only a part as written, and will be called again. Only 2.3 does so. */
static inline bool
libh2o_goes_on(const char *err)
{
#if LIBH2O_IS_2_2
	return false;
#else
	return err == h2o_socket_error_write_progress;
#endif
}

/*
 * How many bytes of the socket's input libh2o will consume when the answer is written. head_bytes: length of the head.
 * Call it right after giving the answer to libh2o.
 */
static inline size_t
libh2o_bytes_of_answered(const h2o_req_t *req, const h2o_socket_t *socket, size_t head_bytes)
{
	if (req->entity.base == NULL)
		return head_bytes;
#if LIBH2O_IS_2_2
	/* libh2o will consume up to the body's end, even after removing the sizes of chunks. */
	return (size_t)(req->entity.base + req->entity.len - socket->input->bytes);
#else
	return 0;
#endif
}

/*
 * Ignores a client's wish for another protocol (Upgrade), as a server may. 2.3 treats the bytes after such a request as
 * a body without an end, and calls no filters for the answer. This makes it a request without a body, whose answer is
 * the last one of its connection. A handler must call it first.
 */
static inline void
libh2o_ignore_upgrade(h2o_req_t *req)
{
#if !LIBH2O_IS_2_2
	if (!req->is_tunnel_req)
		return;
	req->is_tunnel_req = 0;
	req->proceed_req = NULL;
	req->entity = h2o_iovec_init(NULL, 0);
#endif
}

/* Adds the header Date, which 2.2 writes itself. A filter must call it. */
static inline void
libh2o_add_date(h2o_req_t *req)
{
#if !LIBH2O_IS_2_2
	h2o_resp_add_date_header(req);
#endif
}

#endif
