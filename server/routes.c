/*
 * One handler for the whole host: looks the path up in the table, checks the method, calls the row's function. An output
 * filter counts every answer, also those that libh2o gives by itself, by the row of its path.
 */
#include "server/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/version.h"
#include "server/cors.h"
#include "server/events.h"
#include "server/h2o_internals.h"
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

static void serve_index(struct acceptor *acceptor, h2o_req_t *req);

#define GETS "GET, HEAD"

static const struct route {
	const char *path; /* without a trailing slash, with one slash between names: more of them are the same route */
	size_t path_len;
	const char *method;
	const char *allow, *allow_options; /* without and with CORS_ORIGINS */
	enum counter answers; /* the first of three: 2xx, 4xx, 5xx */
	void (*serve)(struct acceptor *acceptor, h2o_req_t *req);
	const char *help;
} routes[] = {
    {H2O_STRLIT("/"), "GET", GETS, GETS ", OPTIONS", COUNTER_HTTP_INDEX, serve_index, "this text"},
    {H2O_STRLIT("/events"), "POST", "POST", "POST, OPTIONS", COUNTER_HTTP_EVENTS, post_event,
	"takes an event, a JSON object"},
    {H2O_STRLIT("/events/batch"), "POST", "POST", "POST, OPTIONS", COUNTER_HTTP_BATCH, post_batch,
	"takes a JSON array of events, or NDJSON; all are stored or none"},
    {H2O_STRLIT("/health"), "GET", GETS, GETS ", OPTIONS", COUNTER_HTTP_HEALTH, status_health,
	"tells whether the store is there"},
    {H2O_STRLIT("/livez"), "GET", GETS, GETS ", OPTIONS", COUNTER_HTTP_LIVEZ, status_livez, "200, for orchestrators"},
    {H2O_STRLIT("/readyz"), "GET", GETS, GETS ", OPTIONS", COUNTER_HTTP_READYZ, status_readyz,
	"200, or 503 while events are not taken"},
    {H2O_STRLIT("/metrics"), "GET", GETS, GETS ", OPTIONS", COUNTER_HTTP_METRICS, status_metrics,
	"four numbers as JSON; for a Prometheus all of them"},
    {H2O_STRLIT("/metrics/prometheus"), "GET", GETS, GETS ", OPTIONS", COUNTER_HTTP_PROMETHEUS, status_prometheus,
	"all numbers, for Prometheus"},
    {H2O_STRLIT("/openapi.json"), "GET", GETS, GETS ", OPTIONS", COUNTER_HTTP_OPENAPI, status_openapi,
	"describes requests and answers (OpenAPI 3.1)"},
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
	static const char *const schemes[] = {"/http://", "/https://"};
	h2o_iovec_t path = req->path_normalized;
	size_t len = 0;

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t scheme = strlen(schemes[i]);
		const char *rest;

		if (path.len < scheme || strncasecmp(path.base, schemes[i], scheme) != 0)
			continue;
		rest = memchr(path.base + scheme, '/', path.len - scheme);
		path = rest == NULL ? h2o_iovec_init(H2O_STRLIT("/"))
				    : h2o_iovec_init(rest, path.len - (size_t)(rest - path.base));
		break;
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

/* For who opens the service's address in a browser, or asks it by curl what it is. */
static void
serve_index(struct acceptor *acceptor, h2o_req_t *req)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		mem_none(0);
	(void)fprintf(out, "hooksd %s: an event backend for coding agents (agentic-hooks-backend)\n\n", HOOKS_VERSION);
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
		(void)fprintf(out, "%-4s %-20s %s\n", routes[i].method, routes[i].path, routes[i].help);
	(void)fprintf(out,
	    "\n    curl -H 'Content-Type: application/json' -d '{\"event_type\":\"test\",\"session_id\":\"s\"}' \\\n"
	    "        http://localhost:%u/events\n\n"
	    "More: README.md and docs/ of agentic-hooks-backend, hooksd(8), hooksctl(1)\n",
	    acceptor->config->port);
	fclose(out);
	reply_text(req, 200, "text/plain; charset=utf-8", text, len);
	free(text);
}

static int
on_request(h2o_handler_t *handler, h2o_req_t *req)
{
	struct acceptor *acceptor = ((struct routes_handler *)handler)->acceptor;
	const struct route *route = route_of(req);
	bool cors = acceptor->config->cors_origins != NULL;

	if (route == NULL)
		reply_error(req, 404,
		    "Not Found: the paths are /events, /events/batch, /health, /livez, /readyz, /metrics, "
		    "/metrics/prometheus and /openapi.json");
	else if (method_fits(route, req->method))
		route->serve(acceptor, req);
	else if (cors && h2o_memis(req->method.base, req->method.len, H2O_STRLIT("OPTIONS")))
		cors_preflight(req, route->allow_options);
	else
		reply_method_not_allowed(req, cors ? route->allow_options : route->allow);
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
	if (libh2o_keeps_open(req))
		reply_add_header(req, "Keep-Alive", acceptor->keep_alive, strlen(acceptor->keep_alive));
	if (acceptor->config->cors_origins != NULL)
		cors_add(req, acceptor->config->cors_origins);
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
