/* The headers of CORS. */
#include "server/cors.h"

#include <string.h>
#include <strings.h>

#include "server/reply.h"

/* How long a browser may keep the answer to a preflight; Chrome's maximum. */
#define MAX_AGE_SECONDS "7200"

static h2o_iovec_t
header_of(const h2o_req_t *req, const char *lower_name)
{
	ssize_t at = h2o_find_header_by_str(&req->headers, lower_name, strlen(lower_name), -1);

	return at == -1 ? h2o_iovec_init(NULL, 0) : req->headers.entries[at].value;
}

/* Whether that origin is in a list separated by commas and blanks. */
static bool
lists(const char *origins, h2o_iovec_t origin)
{
	while (*(origins += strspn(origins, ", \t")) != '\0') {
		size_t len = strcspn(origins, ", \t");

		if (len == origin.len && strncasecmp(origins, origin.base, len) == 0)
			return true;
		origins += len;
	}
	return false;
}

/* Whether origins, NULL for none, include that one. */
static bool
names(const char *origins, h2o_iovec_t origin)
{
	return origins != NULL && (strcmp(origins, "*") == 0 || lists(origins, origin));
}

/* Whether the origin is this service, by the request's Host. */
static bool
is_own(const h2o_req_t *req, h2o_iovec_t origin)
{
	const char *host = memmem(origin.base, origin.len, "://", 3);
	size_t len;

	if (host == NULL)
		return false;
	host += 3;
	len = (size_t)(origin.base + origin.len - host);
	return len == req->authority.len && strncasecmp(host, req->authority.base, len) == 0;
}

/*
 * Current browsers send Sec-Fetch-Site, which works even if a proxy changes Host. Older ones, and any browser that uses
 * an address over plain HTTP, send only Origin.
 */
bool
cors_admits(const h2o_req_t *req, const char *origins)
{
	h2o_iovec_t site = header_of(req, "sec-fetch-site"), origin = header_of(req, "origin");

	if (site.len == 0 && origin.len == 0)
		return true;
	if (site.len == 0 ? is_own(req, origin)
			  : h2o_memis(site.base, site.len, H2O_STRLIT("same-origin")) ||
				h2o_memis(site.base, site.len, H2O_STRLIT("none")))
		return true;
	return origin.len > 0 && names(origins, origin);
}

void
cors_preflight(h2o_req_t *req, const char *allow)
{
	h2o_iovec_t wanted = header_of(req, "access-control-request-headers");

	reply_add_header(req, "Allow", allow, strlen(allow));
	if (header_of(req, "access-control-request-method").len > 0) {
		reply_add_header(req, "Access-Control-Allow-Methods", allow, strlen(allow));
		reply_add_header(req, "Access-Control-Max-Age", MAX_AGE_SECONDS, sizeof MAX_AGE_SECONDS - 1);
		/* A page's extra headers are harmless: unknown ones are ignored. */
		if (wanted.len > 0)
			reply_add_header(req, "Access-Control-Allow-Headers", wanted.base, wanted.len);
	}
	reply_nothing(req);
}

void
cors_add(h2o_req_t *req, const char *origins)
{
	static const char exposed[] =
	    "X-Hooks-Ack, Preference-Applied, Retry-After, ETag, X-Tenant-Id, WWW-Authenticate";
	bool any = strcmp(origins, "*") == 0;
	h2o_iovec_t origin = header_of(req, "origin");

	/* Tell caches that the answer depends on the origin. */
	if (!any)
		reply_add_header(req, "Vary", "Origin", 6);
	if (origin.len == 0 || !names(origins, origin))
		return;
	if (any)
		origin = h2o_iovec_init("*", 1);
	reply_add_header(req, "Access-Control-Allow-Origin", origin.base, origin.len);
	reply_add_header(req, "Access-Control-Expose-Headers", exposed, sizeof exposed - 1);
}
