/*
 * Scopes: the rights of an API key. A route needs one scope; a key has a set of them, as bits. People write them as
 * words. Pure.
 */
#ifndef API_SCOPES_H
#define API_SCOPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Symbol, group, verb. ANY is "*": everything except ADMIN. */
#define SCOPE_LIST(X)                                                                                                  \
	X(EVENTS_PUBLISH, "events", "publish")                                                                         \
	X(EVENTS_READ, "events", "read")                                                                               \
	X(ENDPOINTS_READ, "endpoints", "read")                                                                         \
	X(ENDPOINTS_WRITE, "endpoints", "write")                                                                       \
	X(SUBSCRIPTIONS_READ, "subscriptions", "read")                                                                 \
	X(SUBSCRIPTIONS_WRITE, "subscriptions", "write")                                                               \
	X(DELIVERIES_READ, "deliveries", "read")                                                                       \
	X(DELIVERIES_RETRY, "deliveries", "retry")                                                                     \
	X(DLQ_READ, "dlq", "read")                                                                                     \
	X(DLQ_REPLAY, "dlq", "replay")                                                                                 \
	X(STREAM_SUBSCRIBE, "stream", "subscribe")                                                                     \
	X(METRICS, "metrics", "")                                                                                      \
	X(ANY, "*", "")                                                                                                \
	X(ADMIN, "admin", "")

#define X(symbol, group, verb) SCOPE_##symbol,
enum scope {
	SCOPE_LIST(X) SCOPES,
	SCOPE_PUBLIC = SCOPES, /* the route needs no key */
	SCOPE_KEY, /* any valid key may use the route */
};
#undef X

#define SCOPE_BIT(scope) (1u << (scope))

/* The scopes of "*". */
#define SCOPES_ALL_BUT_ADMIN (SCOPE_BIT(SCOPES) - 1 - SCOPE_BIT(SCOPE_ADMIN))

/* The longest word that can be a scope, in bytes. */
#define SCOPE_TEXT_MAX 64

/*
 * Adds the bits of one written scope to *bits: "events.publish", "events:publish", "*"; "X.manage" and "X.*" are all
 * scopes of a group, "X.write" those that change something, "replay.write" is deliveries.retry. Scopes of presence,
 * uploads and billing, which older clients ask for, add nothing. Returns 0, or <0 for an unknown word, with *bits
 * unchanged.
 */
int scopes_parse(struct span text, uint32_t *bits);

/* "events.publish", "*". */
const char *scope_name(enum scope scope);

/*
 * Whether a key with those bits may use a route that needs the scope (not PUBLIC): it has the scope, or the scope is
 * ANY and the key has ADMIN, or any key suffices.
 */
static inline bool
scopes_allow(uint32_t bits, enum scope scope)
{
	if (scope == SCOPE_KEY)
		return true;
	return (bits & (SCOPE_BIT(scope) | (scope == SCOPE_ANY ? SCOPE_BIT(SCOPE_ADMIN) : 0))) != 0;
}

#endif
