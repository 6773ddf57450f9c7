/*
 * What the clients of an acceptor may take of it, and which connections end when that is too much:
 *
 *   MAX_CONNECTIONS          connections beyond it are surplus: taken, answered about health and metrics, refused else,
 *                            and closed. SURPLUS_MAX of them at a time: for another one the one that has awaited a
 *                            request for longest is refused, and while all are being answered the others wait in the
 *                            accept queue. An answer that is not taken in a few seconds is cut off
 *   MAX_ADDRESS_CONNECTIONS  the same for the connections of one address; beyond SURPLUS_MAX they are closed
 *   MAX_BUFFERED_BYTES       the request that has been arriving for longest is refused, or the answer that has not been
 *                            taken for longest cut off, until the rest fits: a client that sends as fast as it can is
 *                            the last one to notice. A request that does not fit beside those that are being answered
 *                            is refused itself
 *   MIN_REQUEST_RATE         a request that arrives more slowly, once a third of REQUEST_TIMEOUT_SECONDS has passed, is
 *                            refused
 *   REQUEST_TIMEOUT_SECONDS  so is one that is not there by then; an answer that is not taken in as long is cut off
 *   IDLE_TIMEOUT_SECONDS     connections that rest for longer are closed
 *
 * An API key gets its share of the connections (server/holdings.h). Acceptors.
 */
#ifndef SERVER_CLIENT_LIMITS_H
#define SERVER_CLIENT_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/client.h"

/* Enough for the probes and scrapers of a service whose clients have taken all connections. */
#define SURPLUS_MAX 64

/*
 * For a new connection: counts it, and decides whether it is surplus; full: there are as many as there may be. Returns
 * false when it is to be closed at once; nothing was counted then but its refusal.
 */
bool limits_admit(struct connection *connection, bool full);

/* Puts the connection at the end of that list of its acceptor, or of the surplus one, from now on. */
void limits_enter(struct connection *connection, h2o_linklist_t *list);

/* The connection is being closed. */
void limits_leave(struct connection *connection);

/* Whether another surplus connection can be taken: there is a place, or one that can be made. */
bool limits_take_surplus(const struct connections *connections);

/*
 * What has come on a connection and is in memory, after each read. Ends connections while there is more than
 * MAX_BUFFERED_BYTES. Returns whether this one is still there.
 */
bool limits_hold(struct connection *connection, size_t bytes);

/* Besides that an answer of so many bytes. Does not end this connection. */
void limits_hold_answer(const h2o_req_t *req, size_t bytes);

/* Why a surplus connection gets no more than a refusal. */
struct surplus_words {
	int status; /* 429 or 503 */
	const char *text;
	enum counter counter;
};

/* NULL: the connection is not surplus. */
const struct surplus_words *limits_surplus(const h2o_req_t *req);

/* A number for the address that the request comes from (server/address.h). */
uint64_t limits_address(const h2o_req_t *req);

/* Makes the connection one of that key's, whatever its share; 0: nobody's. */
void limits_set_key(struct connection *connection, uint64_t key);

/* The key whose connection that of the request is; 0: nobody's. */
uint64_t limits_key(const h2o_req_t *req);

/* The request was sent with that key: whether its share of the connections allows this one to be its. */
bool limits_allow_key(const h2o_req_t *req, uint64_t key);

/*
 * Closes connections that have rested for that long, longest first, at most so many. A request that has reached this
 * machine by then is still answered.
 */
void limits_close_resting(struct connections *connections, int64_t now_us, int64_t rested_us, uint32_t most);

/* Closes connections whose handshake or request has begun to arrive, and has not come whole yet. */
void limits_close_arriving(struct connections *connections);

/*
 * In each turn of the loop: ends what lasts too long. Returns in how many milliseconds the next one may be due, at most
 * most_ms.
 */
int32_t limits_step(struct connections *connections, int64_t now_us, int32_t most_ms);

#endif
