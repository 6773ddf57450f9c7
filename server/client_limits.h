/*
 * Limits of an acceptor's clients, and the connections that end when a limit is reached:
 *
 *   MAX_CONNECTIONS          further connections are surplus: they are accepted, get answers about health and metrics
 *                            and otherwise a refusal, and are closed. At most SURPLUS_MAX exist; another one displaces
 *                            the one that has awaited a request for longest. While all of them are being answered, new
 *                            connections wait in the accept queue. Answers not read in a few seconds are cut off
 *   MAX_ADDRESS_CONNECTIONS  the same for the connections of one address; beyond SURPLUS_MAX they are closed
 *   MAX_BUFFERED_BYTES       the oldest arriving requests are refused, and the oldest unread answers cut off, until the
 *                            rest fits: a client that sends fast is affected last. A request that does not fit beside
 *                            those being answered is refused itself
 *   MIN_REQUEST_RATE         a slower request is refused after a third of REQUEST_TIMEOUT_SECONDS
 *   REQUEST_TIMEOUT_SECONDS  an incomplete request is refused; an answer not read in that time is cut off
 *   IDLE_TIMEOUT_SECONDS     connections that rest longer are closed
 *
 * An API key gets its share of the connections (server/client_amounts.h). Acceptors.
 */
#ifndef SERVER_CLIENT_LIMITS_H
#define SERVER_CLIENT_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/client.h"

/* Enough for probes and scrapers while clients hold all connections. */
#define SURPLUS_MAX 64

/*
 * For a new connection: counts it and decides whether it is surplus. full: MAX_CONNECTIONS is reached. Returns false if
 * the caller must close it at once; then only its refusal was counted.
 */
bool limits_admit(struct connection *connection, bool full);

/* Moves the connection to the end of that list, or of the surplus list if it is surplus. */
void limits_enter(struct connection *connection, h2o_linklist_t *list);

/* The connection is being closed. */
void limits_leave(struct connection *connection);

/* Whether another surplus connection can be accepted: a place is free, or can be freed. */
bool limits_take_surplus(const struct connections *connections);

/*
 * Called after each read with the bytes of the connection in memory. Ends connections while their sum exceeds
 * MAX_BUFFERED_BYTES. Returns whether this connection is still open.
 */
bool limits_buffer(struct connection *connection, size_t bytes);

/* Adds an answer of that many bytes. Does not end this connection. */
void limits_buffer_answer(const h2o_req_t *req, size_t bytes);

/* The refusal for a surplus connection. */
struct surplus_refusal {
	int status; /* 429 or 503 */
	const char *text;
	enum counter counter;
};

/* NULL: the connection is not surplus. */
const struct surplus_refusal *limits_surplus(const h2o_req_t *req);

/* The number of the client's address (server/address.h). */
uint64_t limits_address(const h2o_req_t *req);

/* Counts the connection for that key, whatever its share; 0: for none. */
void limits_set_key(struct connection *connection, uint64_t key);

/* The key that the request's connection counts for; 0: none. */
uint64_t limits_key(const h2o_req_t *req);

/* Whether the key's share of connections allows this one, on which it has sent a request; if so, counts it. */
bool limits_allow_key(const h2o_req_t *req, uint64_t key);

/*
 * Closes at most `most` connections that have rested for that long, longest first. A request already in the kernel's
 * buffer is still answered.
 */
void limits_close_resting(struct connections *connections, int64_t now_us, int64_t rested_us, uint32_t most);

/* Closes connections whose handshake or request has begun but is not complete. */
void limits_close_arriving(struct connections *connections);

/*
 * Called in each turn of the loop: ends connections whose time is over, a few in each turn. Returns the milliseconds
 * until the next may be due, at most most_ms.
 */
int32_t limits_step(struct connections *connections, int64_t now_us, int32_t most_ms);

#endif
