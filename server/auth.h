/*
 * Authenticates and authorizes requests: looks their API key up in the key table (shm/key_table.h) and checks its
 * scope, limits and expiry. Acceptors.
 */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include <stdbool.h>
#include <stdint.h>

struct acceptor;
struct connection;
struct exchange;
struct refusal;
struct route;

/*
 * Whether the request may go to its route's handler. If not, this answers it: 401, 403, 429, or 503 while the keys of
 * the store are not loaded. A route's needs depend on its scope and the configuration:
 *
 *   PUBLIC, or a service without API   nothing; a key that is sent is not looked at
 *   METRICS                            a key when METRICS_REQUIRE_KEY is set, else nothing
 *   POST of events                     a key when REQUIRE_API_KEY is set; otherwise a key that is sent must be right
 *   management API                     a key
 *
 * If TLS_CLIENT_CA_FILE is set, all but the first also need a client certificate, or get 403. A key with more than its
 * share of connections gets 429 on a connection that it has not used before. With a valid key this sets exchange->key
 * and ->caller, and the answer has X-Tenant-Id.
 */
bool auth_admit(struct acceptor *acceptor, struct exchange *exchange);

/*
 * Whether a request, of which only the head has come, will be refused with 401, or with 403 for lack of a certificate;
 * sets *refusal. Answers and counts nothing.
 */
bool auth_refuses_early(const struct connection *connection, const struct route *route, struct refusal *refusal);

/*
 * Whether the limits of the request's key allow a request now, without charging it. If not, answers 429 with
 * Retry-After. A request without a key has no limits.
 */
bool auth_within_limits(struct acceptor *acceptor, struct exchange *exchange);

/* Charges the request's key with that many events and bytes. Returns and answers as auth_within_limits(). */
bool auth_charge(struct acceptor *acceptor, struct exchange *exchange, uint64_t events, uint64_t bytes);

#endif
