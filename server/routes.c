/*
 * One handler for the whole host: looks the path up in the table, checks the method, calls the row's function. An output
 * filter counts every answer, also those that libh2o gives by itself, by the row of its path.
 */
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
	const char *path; /* without a trailing slash, with one slash between names: more of them are the same route */
	size_t path_len;
	const char *method;
	const char *allow;
	enum counter answers; /* the first of three: 2xx, 4xx, 5xx */
	void (*serve)(struct acceptor *acceptor, h2o_req_t *req);
} routes[] = {
    {H2O_STRLIT("/events"), "POST", "POST", COUNTER_HTTP_EVENTS, post_event},
    {H2O_STRLIT("/events/batch"), "POST", "POST", COUNTER_HTTP_BATCH, post_batch},
    {H2O_STRLIT("/health"), "GET", "GET, HEAD", COUNTER_HTTP_HEALTH, status_health},
    {H2O_STRLIT("/livez"), "GET", "GET, HEAD", COUNTER_HTTP_LIVEZ, status_livez},
    {H2O_STRLIT("/readyz"), "GET", "GET, HEAD", COUNTER_HTTP_READYZ, status_readyz},
    {H2O_STRLIT("/metrics"), "GET", "GET, HEAD", COUNTER_HTTP_METRICS, status_metrics},
    {H2O_STRLIT("/metrics/prometheus"), "GET", "GET, HEAD", COUNTER_HTTP_PROMETHEUS, status_prometheus},
    {H2O_STRLIT("/openapi.json"), "GET", "GET, HEAD", COUNTER_HTTP_OPENAPI, status_openapi},
};

struct routes_handler {
	h2o_handler_t super;
	struct acceptor *acceptor;
};

struct routes_filter {
	h2o_filter_t super;
	struct acceptor *acceptor;
};

static bool
method_fits(const struct route *route, h2o_iovec_t method)
{
	if (method.len == strlen(route->method) && memcmp(method.base, route->method, method.len) == 0)
		return true;
	return strcmp(route->method, "GET") == 0 && method.len == 4 && memcmp(method.base, "HEAD", 4) == 0;
}

/* Longer than every path of the table. */
#define PATH_BYTES 64

/*
 * Writes the request's path with one slash where there are several, as of a base URL that ends with one, and none at the
 * end; of an absolute URI (RFC 9112 section 3.2.2) what follows the host. Returns its length, or 0 for one too long.
 */
static size_t
read_path(const h2o_req_t *req, char out[PATH_BYTES])
{
	static const char scheme[] = "/http://";
	h2o_iovec_t path = req->path_normalized;
	size_t len = 0;

	if (path.len >= sizeof scheme - 1 && memcmp(path.base, scheme, sizeof scheme - 1) == 0) {
		const char *rest = memchr(path.base + sizeof scheme - 1, '/', path.len - (sizeof scheme - 1));

		path = rest == NULL ? h2o_iovec_init(H2O_STRLIT("/"))
				    : h2o_iovec_init(rest, path.len - (size_t)(rest - path.base));
	}
	for (size_t i = 0; i < path.len; i++) {
		if (path.base[i] == '/' && len > 0 && out[len - 1] == '/')
			continue;
		if (len == PATH_BYTES)
			return 0;
		out[len++] = path.base[i];
	}
	return len > 1 && out[len - 1] == '/' ? len - 1 : len;
}

/* NULL: the path is none of ours. */
static const struct route *
route_of(const h2o_req_t *req)
{
	char path[PATH_BYTES];
	size_t len = read_path(req, path);

	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
		if (len == routes[i].path_len && memcmp(path, routes[i].path, len) == 0)
			return &routes[i];
	return NULL;
}

static int
on_request(h2o_handler_t *handler, h2o_req_t *req)
{
	struct acceptor *acceptor = ((struct routes_handler *)handler)->acceptor;
	const struct route *route = route_of(req);

	if (route == NULL)
		reply_error(req, 404,
		    "Not Found: the paths are /events, /events/batch, /health, /livez, /readyz, /metrics, "
		    "/metrics/prometheus and /openapi.json");
	else if (method_fits(route, req->method))
		route->serve(acceptor, req);
	else
		reply_method_not_allowed(req, route->allow);
	return 0;
}

static void
on_answer(h2o_filter_t *filter, h2o_req_t *req, h2o_ostream_t **slot)
{
	const struct acceptor *acceptor = ((struct routes_filter *)filter)->acceptor;
	const struct route *route = route_of(req);
	enum counter answers = route != NULL ? route->answers : COUNTER_HTTP_OTHER;
	int class = req->res.status / 100; /* never 3 */

	counter_add(acceptor->slot, answers + (class == 5 ? 2 : class == 4), 1);
	if (req->http1_is_persistent)
		h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("keep-alive"), 0, "Keep-Alive",
		    acceptor->keep_alive, strlen(acceptor->keep_alive));
	h2o_setup_next_ostream(req, slot);
}

void
routes_register(struct acceptor *acceptor, h2o_hostconf_t *host)
{
	/* The fallback path takes what no configured path takes: everything. */
	struct routes_handler *handler = (void *)h2o_create_handler(&host->fallback_path, sizeof *handler);
	struct routes_filter *filter = (void *)h2o_create_filter(&host->fallback_path, sizeof *filter);

	handler->super.on_req = on_request;
	handler->acceptor = acceptor;
	filter->super.on_setup_ostream = on_answer;
	filter->acceptor = acceptor;
}
