/* A client's connection: connection.c reads and writes it, client_limits.c limits it. Acceptors. */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

#include "config/config.h"
#include "server/address.h"
#include "server/chunks.h"
#include "server/h2o_compat.h"
#include "server/head.h"
#include "server/buffered.h"
#include "server/client_amounts.h"
#include "server/linger.h"
#include "server/refusal.h"
#include "shm/counters.h"
#include "shm/slots.h"

struct exchange;
struct key_table;
struct ssl_st;

/* Why a connection is surplus: it gets only answers about health and metrics, or a refusal (client_limits.h). */
enum surplus { SURPLUS_NONE, SURPLUS_LIMIT, SURPLUS_ADDRESS };

/* Only connection.c, handshake.c and client_limits.c use the members. */
struct connection {
	struct connections *all;
	h2o_socket_t *socket; /* its on_close.data is this connection */
	h2o_linklist_t link; /* in resting (waits for a request), busy (one arrives or is answered) or surplus */
	int64_t since_us; /* steady: when it entered that list; the list is sorted by it */
	bool is_http; /* libh2o speaks HTTP on it; before: no byte has come, or the handshake runs */
	const struct ssl_st *ssl; /* libh2o's; NULL: plain HTTP, or the handshake is not finished */
	uint64_t records_at; /* tls_bytes_read() when the connection began to rest */
	bool client_is_known; /* by its certificate */
	bool ended; /* the client has ended its side by TLS (close_notify) */
	bool has_begun; /* a byte of a request has come, or a part of its first TLS record */
	bool head_is_gone; /* libh2o has removed the head of the arriving request from the socket's input */
	bool asks_api, asks_head; /* the kind of that request, for a refusal: set when the head is removed */
	struct head head; /* of the arriving request */
	struct chunks chunks; /* of its chunked body */
	size_t seen; /* bytes of the socket's input that connection.c has read */
	struct exchange *exchange; /* of the request being answered; NULL: libh2o did not pass it on */
	uint64_t most_body; /* limit for its body, if that has not come with the head */
	size_t request_bytes; /* bytes of the answered request in the socket's input */
	bool stays_open; /* the connection, after that answer */
	char *refusal; /* the answer being written behind libh2o's back; NULL: none */
	int lingers; /* duplicate of the descriptor, for lingering after the socket is closed; -1: none */
	bool answered; /* the whole answer, or the connection's end, is being written */
	bool unread; /* `answered` was already set one time-out ago */
	enum surplus surplus;
	struct buffered_part buffered;
	uint64_t address; /* address_number()'s */
	uint64_t key; /* the key whose amount it counts in; 0: none */
	h2o_socket_cb aside; /* libh2o's callback for its own writes, such as 100 Continue */
};

/*
 * Answers a 4xx or 503 with that text, counts the reason, and closes the connection when the answer is written. The
 * connection must await a request, or the rest of one, and speak HTTP. See connection.c.
 */
typedef void connection_refuse(struct connection *connection, int status, const char *why, enum counter reason);

/* Called when the handshake is finished. The client then speaks HTTP. */
typedef void connection_begin(struct connection *connection);

/* Called with a whole head. Returns whether the request is refused, with *refusal; else sets most_body. */
typedef bool connection_refuses(struct connection *connection, struct refusal *refusal);

/* The connections of an acceptor, except those that linger. */
struct connections {
	const struct config *config;
	struct process_slot *slot; /* the acceptor's, for its counters */
	h2o_accept_ctx_t *accept;
	struct linger_list *linger; /* for refused connections */
	connection_refuse *refuse;
	connection_refuses *refuses;
	connection_begin *begin; /* only with TLS */
	struct ssl_ctx_st *tls; /* NULL: plain HTTP */
	struct key_table *api_keys; /* NULL: there are no keys */
	h2o_linklist_t resting, busy; /* in the order of entry */
	h2o_linklist_t surplus; /* the same for surplus connections, which are in no other list */
	uint32_t count, surplus_count; /* all connections; surplus ones */
	struct connection *passed_on; /* the connection that libh2o is reading; NULL: it was closed meanwhile */
	struct buffered buffered;
	struct client_amounts addresses, keys; /* numbers of connections */
	uint8_t seed[ADDRESS_SEED_BYTES];
	bool has_ended; /* a connection ended in this turn of the loop */
	int64_t look_at_us; /* steady: next look for slow requests */
};

/* The connection of a request. */
static inline struct connection *
connection_of(const h2o_req_t *req)
{
	return libh2o_socket_of(req->conn)->on_close.data;
}

/*
 * Call it with the last answer of a connection: the connection then lingers after libh2o has closed it
 * (server/linger.h). Lingering must wait for that, because libh2o sends close_notify to a TLS client.
 */
static inline void
connection_linger(struct connection *connection)
{
	/* Without a descriptor the client may miss the answer, nothing worse. */
	if (connection->lingers < 0)
		connection->lingers = fcntl(h2o_socket_get_fd(connection->socket), F_DUPFD_CLOEXEC, 0);
}

#endif
