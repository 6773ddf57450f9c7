/* One handler for the whole host: looks the path up in the table, checks the method, calls the row's function. */
#include "server/routes.h"

#include <string.h>

#include "server/events.h"
#include "server/reply.h"
#include "server/status.h"

static void
post_event(struct acceptor *acceptor, h2o_req_t *req)
{
	events_post(acceptor, req, false);
}

static void
post_batch(struct acceptor *acceptor, h2o_req_t *req)
{
	events_post(acceptor, req, true);
}

static const struct route {
	const char *path; /* without a trailing slash: with one it is the same route */
	const char *method;
	const char *allow;
	void (*serve)(struct acceptor *acceptor, h2o_req_t *req);
} routes[] = {
    {"/events", "POST", "POST", post_event},
    {"/events/batch", "POST", "POST", post_batch},
    {"/health", "GET", "GET, HEAD", status_health},
    {"/livez", "GET", "GET, HEAD", status_livez},
    {"/readyz", "GET", "GET, HEAD", status_readyz},
    {"/metrics", "GET", "GET, HEAD", status_metrics},
    {"/metrics/prometheus", "GET", "GET, HEAD", status_prometheus},
    {"/openapi.json", "GET", "GET, HEAD", status_openapi},
};

struct routes_handler {
	h2o_handler_t super;
	struct acceptor *acceptor;
};

static bool
method_fits(const struct route *route, h2o_iovec_t method)
{
	if (method.len == strlen(route->method) && memcmp(method.base, route->method, method.len) == 0)
		return true;
	return strcmp(route->method, "GET") == 0 && method.len == 4 && memcmp(method.base, "HEAD", 4) == 0;
}

/* The request's path without trailing slashes; of an absolute URI (RFC 9112 section 3.2.2) what follows the host. */
static h2o_iovec_t
path_of(const h2o_req_t *req)
{
	static const char scheme[] = "/http://";
	h2o_iovec_t path = req->path_normalized;

	if (path.len >= sizeof scheme - 1 && memcmp(path.base, scheme, sizeof scheme - 1) == 0) {
		const char *rest = memchr(path.base + sizeof scheme - 1, '/', path.len - (sizeof scheme - 1));

		path = rest == NULL ? h2o_iovec_init(H2O_STRLIT("/"))
				    : h2o_iovec_init(rest, path.len - (size_t)(rest - path.base));
	}
	while (path.len > 1 && path.base[path.len - 1] == '/')
		path.len--;
	return path;
}

static int
on_request(h2o_handler_t *handler, h2o_req_t *req)
{
	struct acceptor *acceptor = ((struct routes_handler *)handler)->acceptor;
	h2o_iovec_t path = path_of(req);

	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
		const struct route *route = &routes[i];

		if (path.len != strlen(route->path) || memcmp(path.base, route->path, path.len) != 0)
			continue;
		if (method_fits(route, req->method))
			route->serve(acceptor, req);
		else
			reply_method_not_allowed(req, route->allow);
		return 0;
	}
	reply_error(req, 404,
	    "Not Found: the paths are /events, /events/batch, /health, /livez, /readyz, /metrics, "
	    "/metrics/prometheus and /openapi.json");
	return 0;
}

void
routes_register(struct acceptor *acceptor, h2o_hostconf_t *host)
{
	/* The fallback path takes what no configured path takes: everything. */
	struct routes_handler *handler = (void *)h2o_create_handler(&host->fallback_path, sizeof *handler);

	handler->super.on_req = on_request;
	handler->acceptor = acceptor;
}
