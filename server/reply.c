/* Passes answers to libh2o: small fixed ones by snprintf, others from cJSON trees. */
#include "server/reply.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/connection.h"
#include "server/h2o_internals.h"
#include "server/client_limits.h"
#include "server/raw_reply.h"
#include "server/rejection.h"
#include "server/route.h"

#define RETRY_AFTER_SECONDS "1"

void
reply_add_header(h2o_req_t *req, const char *name, const char *value, size_t len)
{
	h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 0, name, value, len);
}

static void
begin(h2o_req_t *req, int status)
{
	req->res.status = status;
	req->res.reason = status_reason(status);
	libh2o_close_if_shutting_down(req);
	if (limits_surplus(req) != NULL)
		libh2o_close_after(req);
}

void
reply_text(h2o_req_t *req, int status, const char *content_type, const char *body, size_t len)
{
	begin(req, status);
	req->res.content_length = len; /* without it libh2o closes the connection */
	h2o_add_header(
	    &req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, "Content-Type", content_type, strlen(content_type));
	limits_buffer_answer(req, len);
	h2o_send_inline(req, body, len);
	connection_answered(req);
}

static void
add_json_type(h2o_req_t *req)
{
	h2o_add_header(
	    &req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, "Content-Type", H2O_STRLIT("application/json"));
}

void
reply_begin(h2o_req_t *req, int status, size_t len, h2o_generator_t *generator)
{
	begin(req, status);
	req->res.content_length = len;
	add_json_type(req);
	h2o_start_response(req, generator);
}

void
reply_begin_stream(h2o_req_t *req, h2o_generator_t *generator)
{
	begin(req, 200);
	libh2o_close_after(req);
	h2o_add_header(
	    &req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, "Content-Type", H2O_STRLIT("text/event-stream"));
	reply_add_header(req, "Cache-Control", H2O_STRLIT("no-store"));
	reply_add_header(req, "X-Accel-Buffering", H2O_STRLIT("no"));
	h2o_start_response(req, generator);
}

void
reply_static(h2o_req_t *req, const char *content_type, const char *body, size_t len)
{
	static h2o_generator_t generator;
	h2o_iovec_t text = {(char *)(uintptr_t)body, len};
	bool bodiless = h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));

	begin(req, 200);
	req->res.content_length = len;
	h2o_add_header(
	    &req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, "Content-Type", content_type, strlen(content_type));
	h2o_start_response(req, &generator);
	h2o_send(req, &text, bodiless ? 0 : 1, H2O_SEND_STATE_FINAL);
	connection_answered(req);
}

/* Whether a list of entity tags has that one, by weak comparison (RFC 9110 section 13.1.2). */
static bool
names_tag(h2o_iovec_t list, struct span tag)
{
	const char *at = list.base, *end = list.base + list.len;

	if (list.len == 1 && *at == '*')
		return true;
	return tag.len > 0 && memmem(at, (size_t)(end - at), tag.base, tag.len) != NULL;
}

bool
reply_is_known(const h2o_req_t *req, struct span tag)
{
	ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_IF_NONE_MATCH, -1);
	bool reads = h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("GET")) ||
		     h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));

	return at != -1 && reads && names_tag(req->headers.entries[at].value, tag);
}

static void
send_nothing(h2o_req_t *req)
{
	static h2o_generator_t generator;

	h2o_start_response(req, &generator);
	h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
	connection_answered(req);
}

void
reply_without_body(h2o_req_t *req, int status, size_t len)
{
	begin(req, status);
	req->res.content_length = len;
	if (len != SIZE_MAX)
		add_json_type(req);
	send_nothing(req);
}

void
reply_nothing(h2o_req_t *req)
{
	begin(req, 204);
	send_nothing(req);
}

void
reply_json(h2o_req_t *req, int status, cJSON *tree)
{
	char *text = cJSON_PrintUnformatted(tree);

	assert(text != NULL);
	reply_text(req, status, "application/json", text, strlen(text));
	cJSON_free(text);
	cJSON_Delete(tree);
}

/* The default code of an error of the management API. */
static const char *
code_of(int status)
{
	switch (status) {
	case 400:
		return "validation_error";
	case 403:
		return "forbidden";
	case 404:
		return "not_found";
	case 405:
		return "method_not_allowed";
	case 413:
		return "payload_too_large";
	case 415:
		return "unsupported_encoding";
	case 429:
	case 503:
		return "overloaded";
	default:
		return "bad_request";
	}
}

static cJSON *
api_error_tree(const char *code, const char *text)
{
	cJSON *tree = cJSON_CreateObject();

	cJSON_AddStringToObject(tree, "error", code);
	cJSON_AddStringToObject(tree, "detail", text);
	cJSON_AddStringToObject(tree, "message", text);
	return tree;
}

cJSON *
reply_error_tree(const h2o_req_t *req, int status, const char *text)
{
	cJSON *tree;

	if (route_is_of_api(req->path_normalized.base, req->path_normalized.len))
		return api_error_tree(code_of(status), text);
	tree = cJSON_CreateObject();
	cJSON_AddStringToObject(tree, "detail", text);
	return tree;
}

void
reply_error(h2o_req_t *req, int status, const char *text)
{
	reply_json(req, status, reply_error_tree(req, status, text));
}

void
reply_api_error(h2o_req_t *req, int status, const char *code, const char *text)
{
	reply_json(req, status, api_error_tree(code, text));
}

static void
refuse_for_now(h2o_req_t *req, int status, const char *text)
{
	reply_add_header(req, "Retry-After", RETRY_AFTER_SECONDS, sizeof RETRY_AFTER_SECONDS - 1);
	reply_error(req, status, text);
}

void
reply_busy(h2o_req_t *req, const char *text)
{
	refuse_for_now(req, 503, text);
}

void
reply_too_many(h2o_req_t *req, const char *text)
{
	refuse_for_now(req, 429, text);
}

const char *
reply_body_too_large_text(uint64_t limit, bool decompressed)
{
	static char text[128];

	(void)snprintf(text, sizeof text, "The body%s has more than %llu bytes (MAX_BODY_BYTES): send smaller batches",
	    decompressed ? ", decompressed," : "", (unsigned long long)limit);
	return text;
}

void
reply_method_not_allowed(h2o_req_t *req, const char *allow)
{
	bool posted = h2o_memis(req->method.base, req->method.len, H2O_STRLIT("POST"));
	char text[160];

	reply_add_header(req, "Allow", allow, strlen(allow));
	(void)snprintf(text, sizeof text, "Method Not Allowed: this path takes %s%s", allow,
	    posted && !route_is_of_api(req->path_normalized.base, req->path_normalized.len)
		? "; events are posted to /events and /events/batch"
		: "");
	reply_error(req, 405, text);
}

void
reply_add_preference_applied(h2o_req_t *req)
{
	reply_add_header(req, "Preference-Applied", H2O_STRLIT("handling=lenient"));
}

void
reply_invalid(h2o_req_t *req, const struct decode_result *result, bool lenient)
{
	if (lenient)
		reply_add_preference_applied(req);
	reply_json(req, 422, rejection_of_request(result, lenient));
}

void
reply_invalid_published(h2o_req_t *req, const struct decode_result *result, bool lenient)
{
	if (lenient)
		reply_add_preference_applied(req);
	reply_json(req, 400, rejection_of_published(result, lenient));
}

const char *
reply_rejected_members(h2o_req_t *req, const struct decode_result *result)
{
	cJSON *tree = rejection_of_events(result);
	char *text = cJSON_PrintUnformatted(tree);
	h2o_iovec_t members;

	assert(text != NULL);
	members = h2o_strdup(&req->pool, text + strlen("{"), strlen(text) - strlen("{}"));
	cJSON_free(text);
	cJSON_Delete(tree);
	return members.base;
}

void
reply_too_large(h2o_req_t *req, const struct decode_error *error, const char *option)
{
	char text[REJECTION_TEXT_BYTES];

	rejection_of_size(error, option, text);
	reply_error(req, 413, text);
}

void
reply_accepted(h2o_req_t *req, uint32_t events, const char *reached, const char *rejected)
{
	const char *message = events > 0 ? "Events accepted" : "No events to store";
	size_t size = 96 + (rejected != NULL ? strlen(rejected) : 0);
	char *body = libh2o_alloc(req, size);
	int len = snprintf(body, size, "{\"accepted\":%u,\"message\":\"%s\"%s%s}", events, message,
	    rejected != NULL ? "," : "", rejected != NULL ? rejected : "");

	if (rejected != NULL)
		reply_add_preference_applied(req);
	reply_add_header(req, "X-Hooks-Ack", reached, strlen(reached));
	reply_text(req, 202, "application/json", body, (size_t)len);
}
