/*
 * Refuses requests that a browser sends for an untrusted web page. Such a page can reach every service that the browser
 * can, even on the user's machine, but has no API key. So these checks apply to requests that need no key. Acceptors.
 */
#ifndef SERVER_BROWSERS_H
#define SERVER_BROWSERS_H

#include <stdbool.h>

#include "base/span.h"

struct acceptor;
struct exchange;

/*
 * Whether the request's Host is in ALLOWED_HOSTS. If not, answers 403. This stops DNS rebinding, where a page's own DNS
 * name leads to this service. Public paths are answered under every name, because orchestrators' probes use the
 * address.
 */
bool browsers_admit_host(struct acceptor *acceptor, struct exchange *exchange);

/*
 * Whether the request is not from a page of another origin, or that origin is in CORS_ORIGINS. If not, answers 403.
 * Call it after auth_admit(): requests with a key and reading requests pass.
 */
bool browsers_admit_page(struct acceptor *acceptor, struct exchange *exchange);

/* Whether the list ALLOWED_HOSTS has the host of an authority (name or address, perhaps with a port). Pure. */
bool browsers_host_listed(const char *hosts, struct span authority);

#endif
