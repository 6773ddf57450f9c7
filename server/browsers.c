/* Checks a request's Host and its origin. */
#include "server/browsers.h"

#include <string.h>
#include <strings.h>

#include "config/text_rules.h"
#include "server/acceptor.h"
#include "server/cors.h"
#include "server/exchange.h"
#include "server/reply.h"
#include "shm/counters.h"

/* The host of an authority, without the brackets of an IPv6 address and without the root's trailing dot. */
static struct span
host_of(struct span authority)
{
	const char *base = authority.base, *end;

	if (authority.len > 0 && base[0] == '[') {
		end = memchr(base, ']', authority.len);
		return end != NULL ? (struct span){base + 1, (size_t)(end - base) - 1} : (struct span){base, 0};
	}
	end = authority.len > 0 ? memchr(base, ':', authority.len) : NULL;
	if (end != NULL)
		authority.len = (size_t)(end - base);
	if (authority.len > 0 && base[authority.len - 1] == '.')
		authority.len--;
	return authority;
}

static bool
is_another(void *context, const char *item, size_t len)
{
	const struct span *host = context;

	return len != host->len || strncasecmp(item, host->base, len) != 0;
}

bool
browsers_host_listed(const char *hosts, struct span authority)
{
	struct span host = host_of(authority);

	return host.len > 0 && !text_list_each(hosts, is_another, &host);
}

/* Counts a refused POST of events. Other requests are counted only by route and status. */
static bool
refuse(struct acceptor *acceptor, struct exchange *exchange, const char *text)
{
	if (exchange->match.route->scope == SCOPE_EVENTS_PUBLISH)
		counter_add(acceptor->slot, COUNTER_REJECTED_FORBIDDEN, 1);
	reply_error(exchange->req, 403, text);
	return false;
}

bool
browsers_admit_host(struct acceptor *acceptor, struct exchange *exchange)
{
	const char *hosts = acceptor->config->allowed_hosts;
	h2o_iovec_t authority = exchange->req->authority;

	if (hosts == NULL || exchange->match.route->scope == SCOPE_PUBLIC ||
	    browsers_host_listed(hosts, (struct span){authority.base, authority.len}))
		return true;
	return refuse(acceptor, exchange, "The request's Host is not in ALLOWED_HOSTS: nothing was done");
}

bool
browsers_admit_page(struct acceptor *acceptor, struct exchange *exchange)
{
	const struct route *route = exchange->match.route;

	if (exchange->key != NULL || route->scope == SCOPE_PUBLIC || strcmp(route->method, "GET") == 0 ||
	    cors_admits(exchange->req, acceptor->config->cors_origins))
		return true;
	return refuse(acceptor, exchange,
	    "A web page of another origin sends this, and CORS_ORIGINS does not name that origin: nothing was kept");
}
