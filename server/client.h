/*
 * A connection of a client, which connection.c reads from and writes to, and client_limits.c ends in time. Acceptors.
 */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

#include "config/config.h"
#include "server/address.h"
#include "server/chunks.h"
#include "server/head.h"
#include "server/held.h"
#include "server/holdings.h"
#include "server/linger.h"
#include "server/refusal.h"
#include "shm/counters.h"
#include "shm/slots.h"

struct exchange;
struct key_table;
struct ssl_st;

/* Why a connection gets a refusal, or an answer about health and metrics, and is closed: see client_limits.h. */
enum surplus { SURPLUS_NONE, SURPLUS_LIMIT, SURPLUS_ADDRESS };

/* Members are used by connection.c and client_limits.c only. */
struct connection {
	struct connections *all;
	h2o_socket_t *socket; /* its on_close.data is this connection */
	h2o_linklist_t link; /* resting: of a connection that waits for a request; busy: one arrives or is answered */
	int64_t since_us; /* steady: when it entered that list, which is sorted by it */
	bool is_http; /* libh2o has it; before that a handshake comes, or nothing has come yet */
	const struct ssl_st *ssl; /* libh2o's; NULL: plain HTTP is spoken, or the handshake is not over */
	uint64_t records_at; /* tls_bytes_read() when the connection began to rest */
	bool client_is_known; /* by its certificate */
	bool ended; /* its client has said by TLS that it sends no more */
	bool has_begun; /* a byte of a request has come, or a part of the first record of TLS that holds it */
	struct head head; /* of the request that arrives */
	struct chunks chunks; /* of its body, if that is chunked */
	size_t chunks_at; /* where the bytes of the socket's input begin that chunks has not read */
	struct exchange *exchange; /* of the request that is being answered; NULL: libh2o did not hand it on */
	uint64_t most_body; /* bytes of its body, which has not come whole with its head */
	size_t request_bytes; /* of the socket's input: the request that has been answered */
	bool stays_open; /* after that answer */
	char *refusal; /* the answer that is being written without libh2o's knowledge; NULL: none */
	int lingers; /* duplicate of the descriptor, for when the socket is closed; -1: none */
	bool answered; /* the whole answer, or the end of the connection, is being written */
	bool unread; /* it did so when REQUEST_TIMEOUT_SECONDS had passed */
	enum surplus surplus;
	struct holder holder;
	uint64_t address; /* address_number()'s */
	uint64_t key; /* whose holdings it is one of; 0: nobody's */
	h2o_socket_cb aside; /* libh2o's callback for what it writes by itself, such as 100 Continue */
};

/*
 * Answers by a 4xx, or a 503, with that text and counts the reason. The connection is closed when that is
 * written. It must await a request, or the rest of one, and speak HTTP. See connection.c.
 */
typedef void connection_refuse(struct connection *connection, int status, const char *why, enum counter reason);

/*
 * The head of a request has come whole. Returns whether the request is refused, and why; else has set most_body.
 */
typedef bool connection_judge(struct connection *connection, struct refusal *refusal);

/* The connections of an acceptor, except those that linger. */
struct connections {
	const struct config *config;
	struct process_slot *slot; /* the acceptor's, for its counters */
	h2o_accept_ctx_t *accept;
	struct linger_list *linger; /* where a refused connection goes */
	connection_refuse *refuse;
	connection_judge *judge;
	struct ssl_ctx_st *tls; /* NULL: plain HTTP is spoken */
	struct key_table *api_keys; /* NULL: no key is known */
	h2o_linklist_t resting, busy; /* each in the order in which its connections entered it */
	h2o_linklist_t surplus; /* the same for those that are surplus, which are in no other list */
	uint32_t count, surplus_count; /* all; those that are surplus */
	struct connection *passed_on; /* the one that libh2o reads from just now; NULL: it has been closed */
	struct held held;
	struct holdings addresses, keys; /* how many connections each has */
	uint8_t seed[ADDRESS_SEED_BYTES];
	bool has_ended; /* one of them, in this turn of the loop */
	int64_t look_at_us; /* steady: when to look for slow requests again */
};

/* The connection of a request. */
static inline struct connection *
connection_of(const h2o_req_t *req)
{
	return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

#endif
