/*
 * Who asks: the API key of a request, looked up in the key table (shm/key_table.h), and whether it may do what the
 * request wants. Acceptors.
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
 * Whether the request may go to its route's handler. If not, it has been answered: 401, 403, 429, or 503 while the keys
 * of the store are not known yet. What a route needs follows from its scope and the configuration:
 *
 *   PUBLIC, or a service without API   nothing; a key that is sent is not looked at
 *   METRICS                            a key when METRICS_REQUIRE_KEY is set, else nothing
 *   POST of events                     a key when REQUIRE_API_KEY is set; otherwise a key that is sent must be right
 *   management API                     a key
 *
 * Each but the first also needs a certificate of the client when TLS_CLIENT_CA_FILE is set, or it is answered with 403.
 * A key that has more than its share of the connections gets 429 on a connection that it has not used yet.
 * With a key exchange->key and ->caller are set, and the answer says whose it is in X-Tenant-Id.
 */
bool auth_admit(struct acceptor *acceptor, struct exchange *exchange);

/*
 * Whether that request, of which the head alone has come, will not be admitted to the route: for the reasons of 401, or
 * of 403 for want of a certificate. The refusal says why. Nothing is answered or counted.
 */
bool auth_refuses_early(const struct connection *connection, const struct route *route, struct refusal *refusal);

/*
 * Whether the limits of the request's key leave room for a request now; the request is not charged. If not, it has been
 * answered with 429 and Retry-After. A request without a key has no limits.
 */
bool auth_within_limits(struct acceptor *acceptor, struct exchange *exchange);

/* Charges the request's key with so many events and bytes; answers as auth_within_limits() does if there is no room. */
bool auth_charge(struct acceptor *acceptor, struct exchange *exchange, uint64_t events, uint64_t bytes);

#endif
