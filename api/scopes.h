/*
 * Scopes: what an API key may be used for. A route names the one scope that it needs; a key holds a set of them, one
 * bit each, 1u << scope.
 */
#ifndef API_SCOPES_H
#define API_SCOPES_H

/* ANY: what a key with `*` has, which is everything but ADMIN. PUBLIC: a route that needs no key; no key holds it. */
enum scope {
	SCOPE_EVENTS_PUBLISH,
	SCOPE_EVENTS_READ,
	SCOPE_ENDPOINTS_READ,
	SCOPE_ENDPOINTS_WRITE,
	SCOPE_SUBSCRIPTIONS_READ,
	SCOPE_SUBSCRIPTIONS_WRITE,
	SCOPE_DELIVERIES_READ,
	SCOPE_DELIVERIES_RETRY,
	SCOPE_DLQ_READ,
	SCOPE_DLQ_REPLAY,
	SCOPE_STREAM_SUBSCRIBE,
	SCOPE_METRICS,
	SCOPE_ANY,
	SCOPE_ADMIN,
	SCOPE_PUBLIC
};

#endif
