/* Building responses. Small fixed ones by snprintf, the rest as cJSON trees. */
#include "server/reply.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/rewrite.h"
#include "server/connection.h"
#include "server/h2o_internals.h"

#define RETRY_AFTER_SECONDS "1"

static const char *
reason_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 202:
		return "Accepted";
	case 204:
		return "No Content";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 413:
		return "Content Too Large";
	case 414:
		return "URI Too Long";
	case 415:
		return "Unsupported Media Type";
	case 422:
		return "Unprocessable Content";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	default:
		assert(!"a status without a reason");
		return "";
	}
}

void
reply_add_header(h2o_req_t *req, const char *name, const char *value, size_t len)
{
	h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 0, name, value, len);
}

static void
begin(h2o_req_t *req, int status)
{
	req->res.status = status;
	req->res.reason = reason_of(status);
	libh2o_close_if_shutting_down(req);
}

void
reply_text(h2o_req_t *req, int status, const char *content_type, const char *body, size_t len)
{
	begin(req, status);
	req->res.content_length = len; /* without it libh2o closes the connection */
	h2o_add_header(
	    &req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, "Content-Type", content_type, strlen(content_type));
	h2o_send_inline(req, body, len);
	connection_answered(req);
}

void
reply_nothing(h2o_req_t *req)
{
	static h2o_generator_t generator;

	begin(req, 204);
	h2o_start_response(req, &generator);
	h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
	connection_answered(req);
}

size_t
reply_plain(char out[REPLY_PLAIN_BYTES], int status, const char *text)
{
	char body[REPLY_PLAIN_BYTES / 2];
	int len = snprintf(body, sizeof body, "{\"detail\":\"%s\"}", text);

	assert(len > 0 && (size_t)len < sizeof body);
	len = snprintf(out, REPLY_PLAIN_BYTES,
	    "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %d\r\nServer: hooksd\r\n"
	    "Content-Type: application/json\r\n\r\n%s",
	    status, reason_of(status), len, body);
	assert(len > 0 && len < REPLY_PLAIN_BYTES);
	return (size_t)len;
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

void
reply_error(h2o_req_t *req, int status, const char *text)
{
	cJSON *tree = cJSON_CreateObject();

	cJSON_AddStringToObject(tree, "detail", text);
	reply_json(req, status, tree);
}

void
reply_busy(h2o_req_t *req, const char *text)
{
	reply_add_header(req, "Retry-After", RETRY_AFTER_SECONDS, sizeof RETRY_AFTER_SECONDS - 1);
	reply_error(req, 503, text);
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
	    posted ? "; events are posted to /events and /events/batch" : "");
	reply_error(req, 405, text);
}

/* The client's own name for a field, cut to what an envelope's string may have. */
static cJSON *
name_of(struct span key)
{
	const struct json string = {.type = JSON_STRING, .text = key.base, .len = key.len};
	char name[4 * 100 + sizeof "..."];

	name[rewrite_cut(&string, name, 100)] = '\0';
	return cJSON_CreateString(name);
}

/*
 * ["body", 1, "session_id"], or ["body", 17] for the byte where the JSON breaks; in a lenient request a number is always
 * that of an event.
 */
static cJSON *
location(const struct decode_error *error, bool lenient)
{
	cJSON *loc = cJSON_CreateArray();

	cJSON_AddItemToArray(loc, cJSON_CreateString("body"));
	if (error->index >= 0 && (lenient || error->position < 0))
		cJSON_AddItemToArray(loc, cJSON_CreateNumber((double)error->index));
	else if (error->position >= 0)
		cJSON_AddItemToArray(loc, cJSON_CreateNumber((double)error->position));
	if (error->field != NULL)
		cJSON_AddItemToArray(loc, cJSON_CreateString(error->field));
	else if (error->key.base != NULL)
		cJSON_AddItemToArray(loc, name_of(error->key));
	return loc;
}

/*
 * {"error": why the JSON breaks}, with "position" when loc does not tell it, or {"max_length": what is allowed}, if there is
 * something to add.
 */
static void
add_context(cJSON *item, const struct decode_error *error, bool lenient)
{
	cJSON *context;

	if (error->reason != NULL) {
		context = cJSON_AddObjectToObject(item, "ctx");
		cJSON_AddStringToObject(context, "error", error->reason);
		if (lenient && error->index >= 0)
			cJSON_AddNumberToObject(context, "position", (double)error->position);
	} else if (error->limit > 0) {
		cJSON_AddNumberToObject(cJSON_AddObjectToObject(item, "ctx"), "max_length", error->limit);
	}
}

/* The errors under that name, and how many more there are. */
static void
add_errors(cJSON *tree, const char *name, const struct decode_result *result, bool lenient)
{
	cJSON *list = cJSON_AddArrayToObject(tree, name);

	for (uint32_t i = 0; i < result->error_count; i++) {
		const struct decode_error *error = &result->errors[i];
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "type", error->type);
		cJSON_AddItemToObject(item, "loc", location(error, lenient));
		cJSON_AddStringToObject(item, "msg", error->msg);
		add_context(item, error, lenient);
		cJSON_AddItemToArray(list, item);
	}
	if (result->errors_found > result->error_count)
		cJSON_AddNumberToObject(tree, "errors_left_out", result->errors_found - result->error_count);
}

static void
add_preference_applied(h2o_req_t *req)
{
	reply_add_header(req, "Preference-Applied", H2O_STRLIT("handling=lenient"));
}

void
reply_invalid(h2o_req_t *req, const struct decode_result *result, bool lenient)
{
	cJSON *tree = cJSON_CreateObject();

	if (lenient)
		add_preference_applied(req);
	add_errors(tree, "detail", result, lenient);
	reply_json(req, 422, tree);
}

const char *
reply_rejected(h2o_req_t *req, const struct decode_result *result)
{
	cJSON *tree = cJSON_CreateObject();
	uint32_t rejected = 0;
	char *text;
	h2o_iovec_t copy;

	for (int cause = 0; cause < CAUSES; cause++)
		rejected += result->rejected[cause];
	cJSON_AddNumberToObject(tree, "rejected", rejected);
	add_errors(tree, "errors", result, true);
	text = cJSON_PrintUnformatted(tree);
	assert(text != NULL);
	copy = h2o_strdup(&req->pool, text + strlen("{"), strlen(text) - strlen("{}"));
	cJSON_free(text);
	cJSON_Delete(tree);
	return copy.base;
}

void
reply_too_large(h2o_req_t *req, const struct decode_error *error)
{
	char text[160];

	if (error->index >= 0)
		(void)snprintf(text, sizeof text, "%s: event %lld has more than %u bytes (MAX_EVENT_BYTES)", error->msg,
		    (long long)error->index, error->limit);
	else
		(void)snprintf(text, sizeof text, "%s: at most %u (%s)", error->msg, error->limit,
		    strcmp(error->type, "too_many_events") == 0 ? "MAX_BATCH_EVENTS" : "MAX_EVENT_BYTES");
	reply_error(req, 413, text);
}

void
reply_accepted(h2o_req_t *req, uint32_t events, const char *reached, const char *rejected)
{
	const char *message = events > 0 ? "Events accepted" : "No events to store";
	size_t size = 96 + (rejected != NULL ? strlen(rejected) : 0);
	char *body = h2o_mem_alloc_pool(&req->pool, size);
	int len = snprintf(body, size, "{\"accepted\":%u,\"message\":\"%s\"%s%s}", events, message,
	    rejected != NULL ? "," : "", rejected != NULL ? rejected : "");

	if (rejected != NULL)
		add_preference_applied(req);
	reply_add_header(req, "X-Hooks-Ack", reached, strlen(reached));
	reply_text(req, 202, "application/json", body, (size_t)len);
}
