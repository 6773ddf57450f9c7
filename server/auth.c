/* Reads the key from Authorization or a stream's query, looks it up, and refuses requests. */
#include "server/auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/scopes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json_escape.h"
#include "server/acceptor.h"
#include "server/exchange.h"
#include "server/h2o_internals.h"
#include "server/client_limits.h"
#include "server/reply.h"
#include "shm/counters.h"
#include "shm/key_table.h"

#define SCHEME "Bearer"
#define KEY_TEXT_MAX 512

/* Whether a request to a route needs a key. */
enum key_rule { KEY_IGNORED, KEY_OPTIONAL, KEY_REQUIRED };

static enum key_rule
rule_of(const struct config *config, const struct route *route)
{
	if (route->scope == SCOPE_PUBLIC || !config_api_is_on(config))
		return KEY_IGNORED;
	if (route->scope == SCOPE_METRICS)
		return config->metrics_require_key ? KEY_REQUIRED : KEY_IGNORED;
	if (route->scope == SCOPE_EVENTS_PUBLISH && strncmp(route->path, "/events", 7) == 0)
		return config->require_api_key ? KEY_REQUIRED : KEY_OPTIONAL;
	return KEY_REQUIRED;
}

/* ---- reading the header ---- */

enum key_text { KEY_TEXT_NONE, KEY_TEXT_FOUND, KEY_TEXT_WRONG };

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A key is visible ASCII characters. */
static enum key_text
check_text(struct span key)
{
	for (size_t i = 0; i < key.len; i++)
		if (key.base[i] <= ' ' || key.base[i] >= 0x7f)
			return KEY_TEXT_WRONG;
	return key.len > 0 && key.len <= KEY_TEXT_MAX ? KEY_TEXT_FOUND : KEY_TEXT_WRONG;
}

/* Finds the key after the scheme. */
static enum key_text
read_value(struct span value, struct span *key)
{
	size_t n = sizeof SCHEME - 1;

	if (value.len <= n || strncasecmp(value.base, SCHEME, n) != 0 || !is_blank(value.base[n]))
		return KEY_TEXT_WRONG;
	while (n < value.len && is_blank(value.base[n]))
		n++;
	*key = (struct span){value.base + n, value.len - n};
	while (key->len > 0 && is_blank(key->base[key->len - 1]))
		key->len--;
	return check_text(*key);
}

/* Decodes a query parameter (%41 for a byte) in the request's pool. */
static struct span
decode(h2o_req_t *req, struct span text)
{
	char *out = libh2o_alloc(req, text.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		bool escaped = text.base[i] == '%' && i + 2 < text.len;
		int high = escaped ? hex_digit(text.base[i + 1]) : -1, low = escaped ? hex_digit(text.base[i + 2]) : -1;

		if (high >= 0 && low >= 0)
			i += 2;
		out[len++] = high >= 0 && low >= 0 ? (char)(high << 4 | low) : text.base[i];
	}
	return (struct span){out, len};
}

/* Finds the key in the query, because a browser's EventSource cannot set headers. */
static enum key_text
read_query(h2o_req_t *req, struct span *key)
{
	static const char name[] = "token=";
	const size_t n = sizeof name - 1;
	enum key_text found = KEY_TEXT_NONE;
	struct span rest = {NULL, 0};

	if (req->query_at != SIZE_MAX)
		rest = (struct span){req->path.base + req->query_at + 1, req->path.len - req->query_at - 1};
	while (rest.len > 0) {
		const char *end = memchr(rest.base, '&', rest.len);
		struct span one = {rest.base, end != NULL ? (size_t)(end - rest.base) : rest.len};

		rest.base += one.len + (end != NULL);
		rest.len -= one.len + (end != NULL);
		if (one.len < n || memcmp(one.base, name, n) != 0)
			continue;
		if (found != KEY_TEXT_NONE)
			return KEY_TEXT_WRONG;
		*key = decode(req, (struct span){one.base + n, one.len - n});
		found = check_text(*key);
	}
	return found;
}

static enum key_text
read_header(const h2o_req_t *req, struct span *key)
{
	ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_AUTHORIZATION, -1);
	h2o_iovec_t value;

	if (at == -1)
		return KEY_TEXT_NONE;
	value = req->headers.entries[at].value;
	if (h2o_find_header(&req->headers, H2O_TOKEN_AUTHORIZATION, at) != -1)
		return KEY_TEXT_WRONG;
	return read_value((struct span){value.base, value.len}, key);
}

static enum key_text
read_key(const struct exchange *exchange, struct span *key)
{
	enum key_text found = read_header(exchange->req, key);

	if (found == KEY_TEXT_NONE && operation_is_stream(exchange->match.route->operation))
		found = read_query(exchange->req, key);
	return found;
}

/* ---- answers ---- */

static const char no_certificate[] =
    "A client certificate is needed, signed by one of the authorities in TLS_CLIENT_CA_FILE";
static const char no_key[] = "An API key is needed: send it as Authorization: Bearer KEY";
static const char no_key_text[] =
    "Authorization must be given once, as Bearer KEY, the key in visible ASCII characters; so must token=KEY of a "
    "stream";

/* An error object with the members of the management API; for a POST of events only "detail". */
static cJSON *
error_tree(const struct exchange *exchange, const char *error, const char *code, const char *text)
{
	cJSON *tree = cJSON_CreateObject();
	const struct route *route = exchange->match.route;
	bool is_of_api = strncmp(route->path, "/v1/", 4) == 0 || operation_is_stream(route->operation);

	if (is_of_api) {
		cJSON_AddStringToObject(tree, "error", error);
		if (code != NULL)
			cJSON_AddStringToObject(tree, "code", code);
	}
	cJSON_AddStringToObject(tree, "detail", text);
	if (is_of_api)
		cJSON_AddStringToObject(tree, "message", text);
	return tree;
}

/* Counts a refused POST of events. Other requests are counted only by route and status. */
static void
count(struct acceptor *acceptor, const struct exchange *exchange, enum counter counter)
{
	if (exchange->match.route->scope == SCOPE_EVENTS_PUBLISH)
		counter_add(acceptor->slot, counter, 1);
}

static bool
refuse_unauthorized(struct acceptor *acceptor, struct exchange *exchange, const char *text)
{
	count(acceptor, exchange, COUNTER_REJECTED_UNAUTHORIZED);
	reply_add_header(exchange->req, "WWW-Authenticate", H2O_STRLIT(SCHEME));
	reply_json(exchange->req, 401, error_tree(exchange, "unauthorized", "AUTH_REQUIRED", text));
	return false;
}

/* Answered after the handshake, not by failing it, because orchestrators' probes have no certificate either. */
static bool
refuse_without_certificate(struct acceptor *acceptor, struct exchange *exchange)
{
	count(acceptor, exchange, COUNTER_REJECTED_FORBIDDEN);
	reply_json(exchange->req, 403, error_tree(exchange, "forbidden", NULL, no_certificate));
	return false;
}

static bool
refuse_forbidden(struct acceptor *acceptor, struct exchange *exchange)
{
	const char *scope = scope_name(exchange->match.route->scope);
	char text[96];
	cJSON *tree;

	count(acceptor, exchange, COUNTER_REJECTED_FORBIDDEN);
	(void)snprintf(text, sizeof text, "The API key lacks the scope %s", scope);
	tree = error_tree(exchange, "forbidden", "INSUFFICIENT_SCOPE", text);
	cJSON_AddStringToObject(tree, "required_scope", scope);
	reply_json(exchange->req, 403, tree);
	return false;
}

static bool
refuse_not_loaded(struct acceptor *acceptor, struct exchange *exchange)
{
	count(acceptor, exchange, COUNTER_REFUSED_KEYS);
	reply_add_header(exchange->req, "Retry-After", H2O_STRLIT("1"));
	reply_json(exchange->req, 503,
	    error_tree(exchange, "store_unavailable", NULL,
		"The API keys have not been read from their store yet: nothing was done, try again"));
	return false;
}

static bool
refuse_for_limit(struct acceptor *acceptor, struct exchange *exchange, int64_t wait_us)
{
	int64_t seconds = (wait_us + 999999) / 1000000;
	char *header = libh2o_alloc(exchange->req, 24);
	char text[128];
	int len = snprintf(header, 24, "%lld", (long long)seconds);

	count(acceptor, exchange, COUNTER_REJECTED_RATE);
	(void)snprintf(text, sizeof text,
	    "The limit of this API key is used up: nothing was kept, try again in %lld seconds", (long long)seconds);
	reply_add_header(exchange->req, "Retry-After", header, (size_t)len);
	reply_json(exchange->req, 429, error_tree(exchange, "rate_limited", NULL, text));
	return false;
}

/* Also closes this connection: the client has to use fewer. */
static bool
refuse_for_share(struct acceptor *acceptor, struct exchange *exchange)
{
	count(acceptor, exchange, COUNTER_REJECTED_SHARE);
	libh2o_close_after(exchange->req);
	reply_too_many(
	    exchange->req, "This API key has used its share of the connections: use fewer, or try again later");
	return false;
}

/* ---- admission ---- */

static void
set_caller(struct exchange *exchange, const struct api_key *found)
{
	struct api_key *key = libh2o_alloc(exchange->req, sizeof *key);

	*key = *found;
	exchange->key = key;
	exchange->caller = (struct frame_caller){
	    .tenant_id = {key->tenant_id, strlen(key->tenant_id)},
	    .key_id = {key->key_id, strlen(key->key_id)},
	    .key_name = {key->name, strlen(key->name)},
	    .scopes = key->scopes,
	    .is_start_key = key->is_start_key != 0,
	};
	reply_add_header(exchange->req, "X-Tenant-Id", key->tenant_id, exchange->caller.tenant_id.len);
}

/* Returns as key_table_find(). *why is the reason for refusing the key, or NULL. */
static int
find_key(struct key_table *table, struct span text, int64_t now_ms, struct api_key *key, const char **why)
{
	uint8_t hash[SHA256_BYTES];
	int rc = KEY_NOT_LOADED;

	crypto_sha256(text, hash);
	if (table != NULL) /* else an adopted ring of a run without the API */
		rc = key_table_find(table, hash, key);
	*why = NULL;
	if (rc == KEY_UNKNOWN)
		*why = "The API key is not valid";
	else if (rc == 0 && key->expires_ms <= now_ms)
		*why = "The API key has expired";
	return rc;
}

static bool
check_key(struct acceptor *acceptor, struct exchange *exchange, struct span text)
{
	int64_t now_ms = clock_wall_us() / 1000;
	struct api_key key;
	const char *why;
	int rc = find_key(acceptor->segment->keys, text, now_ms, &key, &why);

	if (rc == KEY_NOT_LOADED)
		return refuse_not_loaded(acceptor, exchange);
	if (why != NULL)
		return refuse_unauthorized(acceptor, exchange, why);
	key_table_note_use(acceptor->segment->keys, &key, now_ms);
	set_caller(exchange, &key);
	if (!limits_allow_key(exchange->req, key_table_number(&key)))
		return refuse_for_share(acceptor, exchange);
	return scopes_allow(key.scopes, exchange->match.route->scope) || refuse_forbidden(acceptor, exchange);
}

bool
auth_admit(struct acceptor *acceptor, struct exchange *exchange)
{
	enum key_rule rule = rule_of(acceptor->config, exchange->match.route);
	struct span text;

	if (acceptor->config->tls_client_ca_file != NULL && exchange->match.route->scope != SCOPE_PUBLIC &&
	    !connection_client_is_known(exchange->req))
		return refuse_without_certificate(acceptor, exchange);
	if (rule == KEY_IGNORED)
		return true;
	switch (read_key(exchange, &text)) {
	case KEY_TEXT_NONE:
		return rule == KEY_OPTIONAL || refuse_unauthorized(acceptor, exchange, no_key);
	case KEY_TEXT_FOUND:
		return check_key(acceptor, exchange, text);
	case KEY_TEXT_WRONG:
		break;
	}
	return refuse_unauthorized(acceptor, exchange, no_key_text);
}

/* Why a request with that header gets 401; NULL: the header is no reason. */
static const char *
why_unauthorized(struct key_table *table, enum key_rule rule, struct span value)
{
	struct api_key key;
	struct span text;
	const char *why;

	if (value.base == NULL)
		return rule == KEY_REQUIRED ? no_key : NULL;
	if (read_value(value, &text) != KEY_TEXT_FOUND)
		return no_key_text;
	(void)find_key(table, text, clock_wall_us() / 1000, &key, &why);
	return why;
}

bool
auth_refuses_early(const struct connection *connection, const struct route *route, struct refusal *refusal)
{
	const struct connections *all = connection->all;
	const struct head *head = &connection->head;
	const enum key_rule rule = rule_of(all->config, route);
	struct span value = {NULL, 0};

	if (all->config->tls_client_ca_file != NULL && route->scope != SCOPE_PUBLIC && !connection->client_is_known) {
		*refusal = (struct refusal){403, COUNTER_REJECTED_FORBIDDEN, no_certificate};
		return true;
	}
	if (head->authorizations > 0)
		value =
		    (struct span){connection->socket->input->bytes + head->authorization.at, head->authorization.len};
	*refusal = (struct refusal){401, COUNTER_REJECTED_UNAUTHORIZED, NULL};
	if (rule != KEY_IGNORED && !operation_is_stream(route->operation)) /* its key may be in the query */
		refusal->text = head->authorizations > 1 ? no_key_text : why_unauthorized(all->api_keys, rule, value);
	return refusal->text != NULL;
}

bool
auth_within_limits(struct acceptor *acceptor, struct exchange *exchange)
{
	int64_t wait_us;

	if (exchange->key == NULL)
		return true;
	wait_us = key_table_wait_us(acceptor->segment->keys, exchange->key, clock_steady_us());
	return wait_us == 0 || refuse_for_limit(acceptor, exchange, wait_us);
}

bool
auth_charge(struct acceptor *acceptor, struct exchange *exchange, uint64_t events, uint64_t bytes)
{
	int64_t wait_us;

	if (exchange->key == NULL)
		return true;
	wait_us = key_table_charge(acceptor->segment->keys, exchange->key, events, bytes, clock_steady_us());
	return wait_us == 0 || refuse_for_limit(acceptor, exchange, wait_us);
}
