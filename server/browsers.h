/*
 * What a browser sends for a web page that its user did not mean to trust. Such a page reaches every service that the
 * browser reaches, on the user's own machine also. It has no API key to send: these checks are for requests that need
 * none. Acceptors.
 */
#ifndef SERVER_BROWSERS_H
#define SERVER_BROWSERS_H

#include <stdbool.h>

#include "base/span.h"

struct acceptor;
struct exchange;

/*
 * Whether the request calls this service by a name of ALLOWED_HOSTS. If not, it has been answered with 403. The name of
 * a page whose author has its DNS name lead to this service is not there (DNS rebinding). Paths that anybody may ask
 * are answered under every name, because the probes of orchestrators call a service by its address.
 */
bool browsers_admit_host(struct acceptor *acceptor, struct exchange *exchange);

/*
 * Whether no page of another origin makes the request, or one of CORS_ORIGINS does. If not, it has been answered with
 * 403. Asked after auth_admit(): a request with a key passes, and so does one that only reads.
 */
bool browsers_admit_page(struct acceptor *acceptor, struct exchange *exchange);

/* Whether the list ALLOWED_HOSTS has the host of an authority: a name or an address, perhaps with a port. Pure. */
bool browsers_host_listed(const char *hosts, struct span authority);

#endif
