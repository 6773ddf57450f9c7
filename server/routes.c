/*
 * The table, and one handler for the whole host: it looks up a request's path, checks the method, and calls the row's
 * function. An output filter counts every answer, including libh2o's own, by the row of its path.
 */
#include "server/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/version.h"
#include "server/acceptor.h"
#include "server/auth.h"
#include "server/browsers.h"
#include "server/console.h"
#include "server/cors.h"
#include "server/control_link.h"
#include "server/events.h"
#include "server/exchange.h"
#include "server/h2o_internals.h"
#include "server/client_limits.h"
#include "server/reply.h"
#include "server/status.h"
#include "shm/counters.h"

static void
post_event(struct acceptor *acceptor, struct exchange *exchange)
{
	events_post(acceptor, exchange);
}

static void
post_batch(struct acceptor *acceptor, struct exchange *exchange)
{
	exchange->batch = true;
	events_post(acceptor, exchange);
}

static void
publish_event(struct acceptor *acceptor, struct exchange *exchange)
{
	exchange->published = true;
	events_post(acceptor, exchange);
}

static void
publish_batch(struct acceptor *acceptor, struct exchange *exchange)
{
	exchange->published = exchange->batch = true;
	events_post(acceptor, exchange);
}

static void
forward(struct acceptor *acceptor, struct exchange *exchange)
{
	control_link_forward(&acceptor->control, exchange);
}

static bool
is_of_console(const struct route *route)
{
	return route->serve == console_page || route->serve == console_file || route->serve == console_inbox;
}

static void get_index(struct acceptor *acceptor, struct exchange *exchange);

static const struct route rows[] = {
    {"GET", "/", COUNTER_HTTP_INDEX, SCOPE_PUBLIC, get_index, "this text"},
    {"POST", "/events", COUNTER_HTTP_EVENTS, SCOPE_EVENTS_PUBLISH, post_event, "takes an event, a JSON object"},
    {"POST", "/events/batch", COUNTER_HTTP_BATCH, SCOPE_EVENTS_PUBLISH, post_batch,
	"takes a JSON array of events, or NDJSON; all are stored or none"},
    {"GET", "/health", COUNTER_HTTP_HEALTH, SCOPE_PUBLIC, status_health, "whether the store is available"},
    {"GET", "/healthz", COUNTER_HTTP_HEALTHZ, SCOPE_PUBLIC, status_healthz, "200 while this process answers"},
    {"GET", "/livez", COUNTER_HTTP_LIVEZ, SCOPE_PUBLIC, status_livez, "200, for orchestrators"},
    {"GET", "/readyz", COUNTER_HTTP_READYZ, SCOPE_PUBLIC, status_readyz, "200, or 503 while events are not taken"},
    {"GET", "/metrics", COUNTER_HTTP_METRICS, SCOPE_METRICS, status_metrics,
	"main numbers as JSON; for a Prometheus all of them"},
    {"GET", "/metrics/prometheus", COUNTER_HTTP_PROMETHEUS, SCOPE_METRICS, status_prometheus,
	"all numbers, for Prometheus"},
    {"GET", "/openapi.json", COUNTER_HTTP_OPENAPI, SCOPE_METRICS, status_openapi,
	"describes requests and answers (OpenAPI 3.1)"},
    {"GET", "/openapi.yaml", COUNTER_HTTP_OPENAPI_YAML, SCOPE_METRICS, status_openapi_yaml, "the same as YAML"},
    {"GET", "/console", COUNTER_HTTP_CONSOLE, SCOPE_PUBLIC, console_page,
	"the console: what the API has to show and to change, for a browser"},
    {"GET", "/console/{name}", COUNTER_HTTP_CONSOLE, SCOPE_PUBLIC, console_file, "the files of that page"},
    {"POST", "/v1/events", COUNTER_HTTP_V1_EVENTS, SCOPE_EVENTS_PUBLISH, publish_event,
	"publishes an event, which goes to the endpoints that subscribe to its topic"},
    {"POST", "/v1/events/batch", COUNTER_HTTP_V1_EVENTS, SCOPE_EVENTS_PUBLISH, publish_batch,
	"publishes a JSON array of events, or NDJSON; all or none"},
    {"GET", "/v1/dev/inbox/ui", COUNTER_HTTP_V1_DEV, SCOPE_PUBLIC, console_inbox,
	"what the receiver for trying things out has received, for a browser"},
#define OPERATION(symbol, method, path, scope, resource, help)                                                         \
	{method, path, COUNTER_HTTP_V1_##resource, SCOPE_##scope, forward, help, OPERATION_##symbol},
#include "api/operation_list.def"
};

const struct route_table routes = {rows, sizeof rows / sizeof *rows};

struct routes_handler {
	h2o_handler_t super;
	struct acceptor *acceptor;
};

struct routes_filter {
	h2o_filter_t super;
	struct acceptor *acceptor;
	char keep_alive[32]; /* value of the Keep-Alive header */
};

/* Also what control answers by another path. */
static bool
is_of_api(const struct route *route)
{
	return route->serve == forward || route_is_of_api(route->path, strlen(route->path));
}

/* Describes the service, for a person who opens its address. */
static void
get_index(struct acceptor *acceptor, struct exchange *exchange)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool with_api = config_api_is_on(acceptor->config);
	int method_width = with_api ? 6 : 4, path_width = with_api ? 34 : 20;

	if (out == NULL)
		mem_none(0);
	(void)fprintf(out, "hooksd %s: an event backend for coding agents (agentic-hooks-backend)\n\n", HOOKS_VERSION);
	for (size_t i = 0; i < routes.count; i++)
		if (is_of_console(&rows[i]) ? acceptor->config->hl_console_enabled : !is_of_api(&rows[i]) || with_api)
			(void)fprintf(out, "%-*s %-*s %s\n", method_width, rows[i].method, path_width, rows[i].path,
			    rows[i].help);
	(void)fprintf(out,
	    "\n    curl -H 'Content-Type: application/json' -d '{\"event_type\":\"test\",\"session_id\":\"s\"}' \\\n"
	    "        %s://localhost:%u/events\n\n"
	    "More: README.md and docs/ of agentic-hooks-backend, hooksd(8), hooksctl(1)\n",
	    acceptor->config->tls_cert_file != NULL ? "https" : "http", acceptor->accepting.port);
	fclose(out);
	reply_text(exchange->req, 200, "text/plain; charset=utf-8", text, len);
	free(text);
}

/* Answers a request whose path is in no row, or whose API is off. */
static void
reply_not_found(const struct acceptor *acceptor, const struct exchange *exchange)
{
	char paths[ROUTE_PATHS_BYTES], text[ROUTE_PATHS_BYTES + 64];
	h2o_req_t *req = exchange->req;

	if (exchange->match.route != NULL || route_is_of_api(req->path_normalized.base, req->path_normalized.len)) {
		reply_error(req, 404,
		    config_api_is_on(acceptor->config)
			? "Not Found: there is no such path; GET / lists them"
			: "Not Found: the API of webhooks is off; HL_API_KEY turns it on");
		return;
	}
	route_paths(&routes, paths);
	(void)snprintf(text, sizeof text, "Not Found: the paths are %s", paths);
	reply_error(req, 404, text);
}

/* Answers a request with a known path and another method. */
static void
answer_other_method(const struct acceptor *acceptor, const struct exchange *exchange)
{
	h2o_req_t *req = exchange->req;
	bool cors = acceptor->config->cors_origins != NULL;
	char *allow = libh2o_alloc(req, ROUTE_ALLOW_BYTES);

	route_allow(&routes, exchange->match.route, cors, allow);
	if (cors && h2o_memis(req->method.base, req->method.len, H2O_STRLIT("OPTIONS")))
		cors_preflight(req, allow);
	else
		reply_method_not_allowed(req, allow);
}

static void
look_up(const h2o_req_t *req, struct route_path *path, struct route_match *match)
{
	const struct span method = {req->method.base, req->method.len};

	route_read_path(path, req->path_normalized.base, req->path_normalized.len);
	route_find(&routes, method, path, match);
}

/* Whether the route belongs to the webhooks' API and that is off. */
static bool
is_off(const struct acceptor *acceptor, const struct route *route)
{
	return is_of_api(route) && !config_api_is_on(acceptor->config);
}

/* Whether the normalized path would name another object of the API than the path sent. */
static bool
is_detour(const h2o_req_t *req, const struct route *route)
{
	size_t len = req->query_at != SIZE_MAX ? req->query_at : req->path.len;

	return is_of_api(route) && !route_is_plain(req->path.base, len);
}

/*
 * Whether surplus connections get answers from the route: health and metrics. Descriptions and pages are large and can
 * wait.
 */
static bool
is_of_status(const struct route *route)
{
	return (route->scope == SCOPE_PUBLIC || route->scope == SCOPE_METRICS) && route->serve != status_openapi &&
	       route->serve != status_openapi_yaml && !is_of_console(route);
}

/* Refuses a request on a surplus connection, unless it is for health or metrics. Returns whether it did. */
static bool
refuse_surplus(struct acceptor *acceptor, struct exchange *exchange)
{
	const struct surplus_refusal *refusal = limits_surplus(exchange->req);

	if (refusal == NULL || (exchange->match.route != NULL && is_of_status(exchange->match.route)))
		return false;
	counter_add(acceptor->slot, refusal->counter, 1);
	if (refusal->status == 429)
		reply_too_many(exchange->req, refusal->text);
	else
		reply_busy(exchange->req, refusal->text);
	return true;
}

static int
on_request(h2o_handler_t *handler, h2o_req_t *req)
{
	struct acceptor *acceptor = ((struct routes_handler *)handler)->acceptor;
	struct exchange *exchange = libh2o_alloc(req, sizeof *exchange);

	libh2o_ignore_upgrade(req);
	exchange->req = req;
	exchange->events = 0;
	exchange->published = exchange->batch = false;
	exchange->rejected = NULL;
	exchange->key = NULL;
	exchange->caller = (struct frame_caller){0};
	look_up(req, &exchange->path, &exchange->match);
	connection_set_exchange(req, exchange);
	if (refuse_surplus(acceptor, exchange))
		return 0;
	if (exchange->match.route == NULL || is_off(acceptor, exchange->match.route) ||
	    is_detour(req, exchange->match.route))
		reply_not_found(acceptor, exchange);
	else if (!exchange->match.method_fits)
		answer_other_method(acceptor, exchange);
	else if (browsers_admit_host(acceptor, exchange) && auth_admit(acceptor, exchange) &&
		 browsers_admit_page(acceptor, exchange))
		exchange->match.route->serve(acceptor, exchange);
	return 0;
}

/* The row that counts an answer; NULL: no row has the path. */
static const struct route *
route_of_answer(const h2o_req_t *req)
{
	const struct exchange *exchange = connection_exchange(req);
	struct route_path path;
	struct route_match match;

	if (exchange != NULL)
		return exchange->match.route;
	/* An answer of libh2o itself. */
	look_up(req, &path, &match);
	return match.route;
}

static void
on_answer(h2o_filter_t *super, h2o_req_t *req, h2o_ostream_t **slot)
{
	const struct routes_filter *filter = (const struct routes_filter *)super;
	const struct acceptor *acceptor = filter->acceptor;
	const struct route *route = route_of_answer(req);
	enum counter answers = route != NULL ? route->answers : COUNTER_HTTP_OTHER;
	int class = req->res.status / 100; /* 304 counts as 2xx */

	counter_add(acceptor->slot, answers + (class == 5 ? 2 : class == 4), 1);
	libh2o_add_date(req);
	if (libh2o_keeps_open(req))
		reply_add_header(req, "Keep-Alive", filter->keep_alive, strlen(filter->keep_alive));
	if (acceptor->config->cors_origins != NULL)
		cors_add(req, acceptor->config->cors_origins);
	h2o_setup_next_ostream(req, slot);
}

void
routes_register(struct acceptor *acceptor, h2o_hostconf_t *host)
{
	/* Without other configured paths, the fallback path gets every request. */
	struct routes_handler *handler = (void *)h2o_create_handler(&host->fallback_path, sizeof *handler);
	struct routes_filter *filter = (void *)h2o_create_filter(&host->fallback_path, sizeof *filter);

	handler->super.on_req = on_request;
	handler->acceptor = acceptor;
	filter->super.on_setup_ostream = on_answer;
	filter->acceptor = acceptor;
	(void)snprintf(
	    filter->keep_alive, sizeof filter->keep_alive, "timeout=%u", acceptor->config->idle_timeout_seconds);
}
