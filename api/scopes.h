/*
 * Scopes: what an API key may be used for. A route names the one scope that it needs; a key holds a set of them, one
 * bit each. People write them as words. Pure.
 */
#ifndef API_SCOPES_H
#define API_SCOPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Symbol, group, verb. ANY is "*" as a whole: everything but ADMIN. */
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
	SCOPE_PUBLIC = SCOPES, /* of a route that needs no key */
	SCOPE_KEY, /* of a route that any valid key may use */
};
#undef X

#define SCOPE_BIT(scope) (1u << (scope))

/* What "*" gives: every scope but admin. */
#define SCOPES_ALL_BUT_ADMIN (SCOPE_BIT(SCOPES) - 1 - SCOPE_BIT(SCOPE_ADMIN))

/* The longest word that can be a scope, in bytes. */
#define SCOPE_TEXT_MAX 64

/*
 * Adds to *bits what one scope gives, written as people do: "events.publish", "events:publish", "*", "X.manage" and
 * "X.*" for all of a group, "X.write" for the verbs of a group that change something, "replay.write" for
 * deliveries.retry. Scopes of presence, uploads and billing give nothing: older clients ask for them. Returns 0, or <0
 * for a word that is no scope; *bits is then unchanged.
 */
int scopes_parse(struct span text, uint32_t *bits);

/* "events.publish", "*". */
const char *scope_name(enum scope scope);

/*
 * Whether those bits allow what needs the scope, which is not PUBLIC: they hold it, they are an administrator's and the
 * scope is "*", or any key will do.
 */
static inline bool
scopes_allow(uint32_t bits, enum scope scope)
{
	if (scope == SCOPE_KEY)
		return true;
	return (bits & (SCOPE_BIT(scope) | (scope == SCOPE_ANY ? SCOPE_BIT(SCOPE_ADMIN) : 0))) != 0;
}

#endif
